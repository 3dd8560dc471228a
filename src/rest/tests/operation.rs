//! Operations, on both databases.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Answer, Server, empty};
use crate::projection::examples;
use crate::resource::Resource;
use crate::store::fixture::{observation, resource, tenant};

/// Two patients' heart rates, minute by minute, and older weights of one of them.
async fn ward() -> Server {
    let server = empty().await;
    let mut resources: Vec<Resource> = (0..30)
        .map(|i| {
            observation(
                &format!("o{i:02}"),
                ["p0", "p1"][i % 2],
                &format!("2026-01-18T14:{i:02}:00.000Z"),
                &(60 + i).to_string(),
            )
        })
        .collect();
    for (day, kilograms) in [(1, "80.5"), (2, "81.0")] {
        let body = format!(
            r#","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"29463-7"}}]}},"subject":{{"reference":"Patient/p1"}},
            "effectiveDateTime":"2025-01-0{day}","valueQuantity":{{"value":{kilograms},"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}}"#
        );
        resources.push(resource("Observation", &format!("w{day}"), &body));
    }
    let error = r#","status":"entered-in-error","code":{"coding":[{"system":"http://loinc.org","code":"29463-7"}]},
        "subject":{"reference":"Patient/p1"},"effectiveDateTime":"2025-02-01","valueQuantity":{"value":8.1,"unit":"kg","system":"http://unitsofmeasure.org","code":"kg"}"#;
    resources.push(resource("Observation", "w3", error));
    server.store.put(&tenant("a"), resources).await.unwrap();
    server
}

async fn post(server: &Server, path: &str, parameters: &Value) -> Answer {
    let mut request =
        server.request(Method::POST, &format!("/fhir/R4{path}"), &[("content-type", "application/fhir+json")]);
    *request.body_mut() = Body::from(parameters.to_string());
    server.send(request).await
}

#[tokio::test]
async fn the_last_of_each_code_are_few_however_many_there_are() {
    let server = ward().await;
    let last = |path: &'static str| {
        let server = &server;
        async move { server.get(&format!("/Observation/$lastn?{path}")).await.references("match") }
    };
    assert_eq!(last("patient=p1").await, ["Observation/w2", "Observation/o29"]);
    assert_eq!(
        last("patient=p1&max=2").await,
        ["Observation/w2", "Observation/w1", "Observation/o29", "Observation/o27"]
    );
    assert_eq!(last("subject=Patient/p0&category=vital-signs").await, ["Observation/o28"]);
    assert_eq!(last("patient=p1&code=29463-7,8310-5").await, ["Observation/w2"]);
    assert_eq!(last("patient=p1&date=lt2026-01-18T14:10:00Z&code=8867-4").await, ["Observation/o09"]);
    assert!(last("patient=nobody").await.is_empty());
    let asked = json!({"resourceType": "Parameters", "parameter": [
        {"name": "patient", "valueReference": {"reference": "Patient/p1"}}, {"name": "max", "valuePositiveInt": 1},
        {"name": "code", "valueCoding": {"system": "http://loinc.org", "code": "8867-4"}}]});
    assert_eq!(post(&server, "/Observation/$lastn", &asked).await.references("match"), ["Observation/o29"]);
    for bad in [
        "",
        "patient=p1&subject=Patient/p1",
        "patient=p1&max=0",
        "patient=p1&max=x",
        "patient=p1&colour=red",
        "patient=a%20b",
    ] {
        Server::refused(&server.get(&format!("/Observation/$lastn?{bad}")).await, 400, "value");
    }
    for bad in ["[]", "{", r#"{"resourceType":"Bundle"}"#] {
        let mut request =
            server.request(Method::POST, "/fhir/R4/Observation/$lastn", &[("content-type", "application/fhir+json")]);
        *request.body_mut() = Body::from(bad);
        Server::refused(&server.send(request).await, 400, "value");
    }
}

#[tokio::test]
async fn statistics_are_of_what_was_not_an_error() {
    let server = ward().await;
    let answer = server.get("/Observation/$stats?subject=Patient/p1&code=http://loinc.org|29463-7&statistic=average,count,total-count,std-dev").await;
    crate::fhir::json::parse(&answer.body).unwrap();
    let summary = answer.json()["parameter"][0]["resource"].clone();
    let values: Vec<(Value, Value)> = summary["component"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| (c["code"]["coding"][0]["code"].clone(), c["valueQuantity"].clone()))
        .collect();
    let kilograms =
        |value: f64| json!({"value": value, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"});
    let expected = [
        (json!("average"), kilograms(80.75)),
        (json!("count"), json!({"value": 2.0})),
        (json!("total-count"), json!({"value": 2.0})),
        (json!("std-dev"), kilograms(0.353_553)),
    ];
    assert_eq!(values, expected);
    assert_eq!(summary["effectivePeriod"], json!({"start": "2025-01-01", "end": "2025-01-02"}));
    let narrow = server.get("/Observation/$stats?patient=p1&code=8867-4&system=http://loinc.org&date=ge2026-01-18T14:20:00Z&statistic=maximum&include=true").await.json();
    assert_eq!(narrow["parameter"][0]["resource"]["component"][0]["valueQuantity"]["value"], 89.0);
    assert_eq!(narrow["parameter"].as_array().unwrap().len(), 6);
    assert!(server.get("/Observation/$stats?patient=nobody&code=8867-4").await.json().get("parameter").is_none());
    for bad in [
        "subject=Patient/p1",
        "code=x",
        "subject=Patient/p1&code=x&statistic=mode",
        "patient=p1&code=x&include=perhaps",
    ] {
        Server::refused(&server.get(&format!("/Observation/$stats?{bad}")).await, 400, "value");
    }
}

#[tokio::test]
async fn everything_of_a_patient_comes_once_page_by_page() {
    let server = empty().await;
    let examples = examples().unwrap();
    server.store.put(&tenant("a"), examples.clone()).await.unwrap();
    let mut path = Some("/fhir/R4/Patient/example/$everything?_count=3".to_owned());
    let (mut found, mut pages) = (Vec::new(), 0);
    while let Some(next) = path {
        let answer = server.send(server.request(Method::GET, &next, &[])).await;
        assert_eq!(answer.status, 200, "{next}: {}", String::from_utf8_lossy(&answer.body));
        assert!(answer.references("match").len() <= 3);
        found.extend(answer.references("match"));
        path = answer.link("next").map(|url| url.replacen("http://example.org", "", 1));
        pages += 1;
    }
    assert!(pages > 3, "{pages}");
    let all: BTreeSet<String> = found.iter().cloned().collect();
    assert_eq!(all.len(), found.len(), "something came twice");
    let names_patient = |resource: &&Resource| {
        let paths = ["subject.reference", "patient.reference", "beneficiary.reference"];
        paths.iter().any(|path| crate::fhir::read::strings(&resource.element, path).contains(&"Patient/example"))
    };
    let expected = examples.iter().filter(names_patient).map(Resource::reference);
    let missing: Vec<String> = expected.filter(|reference| !all.contains(reference)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(all.contains("Patient/example"));

    let some = server.get("/Patient/example/$everything?_type=Condition,Encounter").await;
    assert!(some.references("match").iter().all(|r| r.starts_with("Condition/") || r.starts_with("Encounter/")));
    assert!(server.get("/Encounter/example/$everything").await.references("match").len() > 1);
    Server::refused(&server.get("/Patient/nobody/$everything").await, 404, "not-found");
    for bad in ["start=x", "_since=x", "_type=Colour", "_cursor=x", "_count=x", "colour=red"] {
        Server::refused(&server.get(&format!("/Patient/example/$everything?{bad}")).await, 400, "value");
    }
}

#[tokio::test]
async fn documents_are_found_by_patient_time_and_type() {
    let server = empty().await;
    server.store.put(&tenant("a"), examples().unwrap()).await.unwrap();
    let found = server.get("/DocumentReference/$docref?patient=example").await;
    assert!(!found.references("match").is_empty(), "{}", String::from_utf8_lossy(&found.body));
    assert!(server.get("/DocumentReference/$docref?patient=example&end=1990").await.references("match").is_empty());
    for bad in ["", "patient=example&start=x", "patient=example&on-demand=x", "patient=example&colour=red"] {
        Server::refused(&server.get(&format!("/DocumentReference/$docref?{bad}")).await, 400, "value");
    }
}

#[tokio::test]
async fn our_own_codes_are_looked_up_validated_and_expanded() {
    let server = empty().await;
    let system = "https://afferent.dev/fhir/CodeSystem/biosignal";
    let set = "https://afferent.dev/fhir/ValueSet/biosignal";
    let value = |answer: Answer, name: &str| {
        let all = answer.json()["parameter"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|p| p["name"] == name).unwrap_or_default()
    };
    let found = server.get(&format!("/CodeSystem/$lookup?system={system}&code=ecg")).await;
    assert_eq!(value(found, "name")["valueString"], system);
    Server::refused(&server.get(&format!("/CodeSystem/$lookup?system={system}&code=none")).await, 404, "not-found");
    for (path, result) in [
        (format!("/CodeSystem/$validate-code?url={system}&code=ecg"), true),
        (format!("/CodeSystem/$validate-code?url={system}&code=none"), false),
        (format!("/ValueSet/$validate-code?url={set}&system={system}&code=ecg"), true),
        (format!("/ValueSet/biosignal/$validate-code?coding={system}|none"), false),
    ] {
        assert_eq!(value(server.get(&path).await, "result")["valueBoolean"], result, "{path}");
    }
    let expanded = server.get("/ValueSet/biosignal/$expand").await;
    crate::fhir::json::parse(&expanded.body).unwrap();
    assert_eq!(expanded.json()["expansion"]["contains"], json!([{"system": system, "code": "ecg"}]));
    assert_eq!(server.get(&format!("/ValueSet/$expand?url={set}&filter=pp")).await.json()["expansion"]["total"], 0);
    for bad in ["/ValueSet/$expand", "/ValueSet/$expand?url=http://elsewhere", "/CodeSystem/$lookup?code=ecg"] {
        Server::refused(&server.get(bad).await, 400, "value");
    }
}

#[tokio::test]
async fn meta_is_of_one_resource() {
    let server = ward().await;
    let meta = server.get("/Observation/o01/$meta").await.json()["parameter"][0]["valueMeta"].clone();
    assert_eq!(meta["versionId"], "1");
    Server::refused(&server.get("/Observation/none/$meta").await, 404, "not-found");
}

#[tokio::test]
async fn a_resource_is_judged_by_r4_and_by_a_profile() {
    let server = ward().await;
    let found = |answer: &Answer| -> Vec<(String, String)> {
        let outcome = answer.json();
        let issues = outcome["issue"].as_array().unwrap().iter().filter(|issue| issue["severity"] == "error");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        issues.map(|issue| (text(&issue["expression"][0]), text(&issue["diagnostics"]))).collect()
    };
    let wrong = json!({"resourceType": "Observation", "status": "done", "code": {"text": "x"}});
    let answer = post(&server, "/Observation/$validate", &wrong).await;
    assert_eq!((answer.status, answer.json()["resourceType"].as_str()), (StatusCode::OK, Some("OperationOutcome")));
    assert_eq!(found(&answer)[0].0, "Observation.status");
    let profile = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate";
    let asked = json!({"resourceType": "Parameters", "parameter": [
        {"name": "profile", "valueUri": profile}, {"name": "mode", "valueCode": "profile"},
        {"name": "resource", "resource": {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}}]});
    let answer = post(&server, "/Observation/$validate", &asked).await;
    assert!(found(&answer).iter().any(|(_, diagnostics)| diagnostics.contains(profile)), "{}", answer.json());
    // What is stored, and what would replace it.
    assert!(found(&server.get("/Observation/w1/$validate").await).iter().any(|(path, _)| path == "Observation"));
    let other = json!({"resourceType": "Observation", "id": "w2", "status": "final", "code": {"text": "x"}});
    let answer = post(&server, "/Observation/w1/$validate?mode=update", &other).await;
    assert_eq!(found(&answer)[0].0, "Observation.id");
    for bad in ["mode=other", "profile=http://nobody.dev/p", "mode=update", "colour=red", ""] {
        Server::refused(&server.get(&format!("/Observation/$validate?{bad}")).await, 400, "value");
    }
    assert_eq!(server.get("/Observation/nobody/$validate").await.status, StatusCode::NOT_FOUND);
}
