//! Searches among the examples, as a client asks for them.

use axum::body::Body;
use axum::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{BASE, Server, empty, key};
use crate::capability::Capability;
use crate::projection::examples;
use crate::store::fixture::{observation, resource, tenant};

const STRICT: [(&str, &str); 1] = [("prefer", "handling=strict")];

async fn with_examples() -> Server {
    let server = empty().await;
    server.store.put(&tenant("a"), examples().unwrap()).await.unwrap();
    server
}

impl Server {
    /// The ids of what is found, in alphabetical order, and of what came along.
    async fn found(&self, path: &str) -> (Vec<String>, Vec<String>) {
        let answer = self.get_with(path, &STRICT).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        crate::fhir::json::parse(&answer.body).unwrap();
        let sorted = |mode: &str| {
            let mut references = answer.references(mode);
            references.sort();
            references
        };
        (sorted("match"), sorted("include"))
    }
}

#[tokio::test]
async fn modifiers_chains_and_composites_find_what_they_say() {
    let server = with_examples().await;
    for (path, expected) in [
        ("Patient?name=elo", vec!["Patient/example"]),
        ("Patient?family:exact=Sinus&given:contains=LOD", vec!["Patient/example"]),
        ("Patient?family:exact=sinus", vec![]),
        ("Patient?address-city=springf&address=62701", vec!["Patient/example"]),
        ("Patient?phone=555-0100&email=elodie.sinus@example.org", vec!["Patient/example"]),
        ("Patient?phone=elodie.sinus@example.org", vec![]),
        (
            "Patient?identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|patient-1",
            vec!["Patient/example"],
        ),
        ("Patient?death-date=2026-02-20&birthdate=lt1970", vec!["Patient/example"]),
        ("Patient?link:missing=true&death-date:missing=false", vec!["Patient/example"]),
        ("Patient?gender:not=male", vec!["Patient/example"]),
        ("Patient?_has:Observation:patient:code=8867-4", vec!["Patient/example"]),
        ("Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/example", vec!["Patient/example"]),
        ("Patient?_has:Observation:patient:value-quantity=gt90000", vec![]),
        ("Patient?general-practitioner:Practitioner.name=wave", vec!["Patient/example"]),
        ("Condition?code:text=palpit", vec!["Condition/example-problem"]),
        ("Condition?asserted-date=2026-01-15&onset-date=lt2025-12", vec!["Condition/example-problem"]),
        (
            "Condition?encounter.location.name=example%20card",
            vec!["Condition/example-diagnosis", "Condition/example-problem"],
        ),
        ("Encounter?length=ge2700|http://unitsofmeasure.org|s", vec!["Encounter/example"]),
        ("Encounter?length=0.75|http://unitsofmeasure.org|h", vec!["Encounter/example"]),
        ("Encounter?practitioner.identifier=9941339100&class=AMB", vec!["Encounter/example"]),
        (
            "Observation?patient.family=sin&component-code=8480-6",
            vec!["Observation/example-blood-pressure", "Observation/example-blood-pressure-absent"],
        ),
        (
            "Observation?component-code-value-quantity=http://loinc.org|8480-6$gt17|http://unitsofmeasure.org|kPa",
            vec!["Observation/example-blood-pressure"],
        ),
        ("Observation?combo-code-value-quantity=8462-4$gt100", vec![]),
        (
            "Observation?combo-code-value-quantity=8462-4$lt100,29463-7$gt60",
            vec!["Observation/example-blood-pressure", "Observation/example-weight"],
        ),
        (
            "Observation?code-value-quantity=8310-5$36.9||Cel,8310-5$37.0||Cel",
            vec!["Observation/example-temperature-fahrenheit"],
        ),
        ("Observation?code-value-concept=8601-7$426783006", vec!["Observation/example-clinical-result"]),
        ("Observation?combo-code-value-concept=86188-0$621610.008495", vec!["Observation/example-occupation"]),
        ("Observation?code-value-string=20405-7$within", vec!["Observation/example-lab-text"]),
        ("Observation?value-string:contains=intervals", vec!["Observation/example-clinical-result-text"]),
        ("Observation?has-member=Observation/example-screening", vec!["Observation/example-screening-panel"]),
        ("Observation?derived-from=Observation/example-screening-panel", vec!["Observation/example-screening"]),
        (
            "Observation?_profile=http://hl7.org/fhir/us/core/StructureDefinition/us-core-bmi",
            vec!["Observation/example-bmi"],
        ),
        ("DocumentReference?relationship=DocumentReference/example-earlier$appends", vec!["DocumentReference/example"]),
        ("DocumentReference?period=2026-01-15&description=cardio", vec!["DocumentReference/example"]),
        ("Group?characteristic-value=8867-4$3424008&member=Patient/example", vec!["Group/example"]),
        ("Provenance?patient=example", vec!["Provenance/example"]),
        ("AuditEvent?patient=Patient/example&agent-name=theo", vec!["AuditEvent/example"]),
        ("AuditEvent?entity=Patient/example&date=2026-01-15", vec!["AuditEvent/example"]),
        ("Device?udi-carrier=(01)0950&device-name=example%20pace", vec!["Device/example"]),
        ("Consent?period=2026-06-01", vec![]),
        ("Consent?period=ap2026-06-01&actor=Organization/example", vec!["Consent/example"]),
        ("Flag?author=Practitioner/example", vec!["Flag/example"]),
        ("DeviceMetric?source=Device/example&category=measurement", vec!["DeviceMetric/example"]),
        ("EpisodeOfCare?condition.code=80313002", vec!["EpisodeOfCare/example"]),
    ] {
        assert_eq!(server.found(&format!("/{path}")).await.0, expected, "{path}");
    }
}

#[tokio::test]
async fn codes_of_our_value_sets_are_searched_at_once() {
    let server = empty().await;
    let body = |code: &str| {
        format!(
            r#","status":"final","code":{{"coding":[{{"system":"https://afferent.dev/fhir/CodeSystem/biosignal","code":"{code}"}}]}}"#
        )
    };
    let all = vec![resource("Observation", "in", &body("ecg")), resource("Observation", "out", &body("none"))];
    server.store.put(&tenant("a"), all).await.unwrap();
    let url = "https://afferent.dev/fhir/ValueSet/biosignal";
    assert_eq!(server.found(&format!("/Observation?code:in={url}")).await.0, ["Observation/in"]);
    assert_eq!(server.found(&format!("/Observation?code:not-in={url}")).await.0, ["Observation/out"]);
    Server::refused(&server.get("/Observation?code:in=http://else/where").await, 400, "value");
}

#[tokio::test]
async fn references_are_followed_by_name_by_star_and_on() {
    let server = with_examples().await;
    let (_, included) = server.found("/Patient?_id=example&_include=*").await;
    assert_eq!(included, ["Organization/example", "Practitioner/example"]);
    let (_, included) = server.found("/Patient?_id=example&_include=Patient:*&_revinclude=*").await;
    assert!(included.len() > 40 && included.contains(&"Group/example".to_owned()), "{included:?}");
    let path = "/PractitionerRole?practitioner.name=wave&_include=PractitionerRole:endpoint&_include=PractitionerRole:location&_include:iterate=Location:organization";
    assert_eq!(server.found(path).await.1, ["Endpoint/example", "Location/example", "Organization/example"]);
    let path = "/DocumentReference?_id=example&_include:iterate=DocumentReference:relatesto&_revinclude:iterate=DocumentReference:relatesto";
    assert_eq!(server.found(path).await.1, ["DocumentReference/example-earlier"]);
    let (_, included) = server.found("/Observation?_id=example-heart-rate&_include=Observation:subject:Group").await;
    assert!(included.is_empty());
}

#[tokio::test]
async fn a_summary_is_part_of_a_resource_and_says_so() {
    let server = with_examples().await;
    for (query, has, has_not) in [
        ("_summary=true", "code", "category"),
        ("_summary=text", "status", "valueQuantity"),
        ("_summary=data", "category", "text"),
        ("_elements=category,value", "valueQuantity", "encounter"),
    ] {
        let path = format!("/Observation?_id=example-weight&{query}&_revinclude=Provenance:target");
        let path = if query == "_summary=text" { path.replace("&_revinclude=Provenance:target", "") } else { path };
        let answer = server.get_with(&path, &STRICT).await;
        crate::fhir::json::parse(&answer.body).unwrap();
        let found = &answer.json()["entry"][0]["resource"];
        assert!(found.get(has).is_some() && found.get(has_not).is_none(), "{query}: {found}");
        assert_eq!(found["meta"]["tag"][0]["code"], "SUBSETTED");
        assert_eq!((&found["id"], &found["meta"]["versionId"]), (&"example-weight".into(), &"1".into()));
        assert!(answer.link("self").unwrap().contains(query.split_once('=').unwrap().0));
    }
    let whole = server.get("/Observation?_id=example-weight&_summary=false").await;
    assert!(whole.json()["entry"][0]["resource"]["meta"].get("tag").is_none());
}

#[tokio::test]
async fn several_types_are_searched_one_after_the_other() {
    let server = with_examples().await;
    let post = |body: &'static str| {
        let form = ("content-type", "application/x-www-form-urlencoded");
        let mut request = server.request(Method::POST, "/fhir/R4/_search", &[form]);
        *request.body_mut() = Body::from(body);
        request
    };
    let answer = server.send(post("_type=Patient,Encounter&_id=example")).await;
    assert_eq!(answer.references("match"), ["Encounter/example", "Patient/example"]);
    assert_eq!(answer.json()["total"], 2);
    let mut path = "?_type=Observation,Condition,Device&patient=example&_count=7&_total=accurate".to_owned();
    let mut seen = Vec::new();
    for round in 0.. {
        let answer = server.get_with(&path, &STRICT).await;
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        crate::fhir::json::parse(&answer.body).unwrap();
        seen.extend(answer.references("match"));
        assert_eq!(answer.json()["total"], 37);
        let late = observation(&format!("late{round}"), "other", "2026-01-18T14:00:00Z", "60");
        server.store.put(&tenant("a"), vec![late]).await.unwrap();
        let Some(next) = answer.link("next") else { break };
        path = next.strip_prefix(BASE).unwrap().to_owned();
    }
    assert_eq!(seen.len(), 37);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 37);
    assert_eq!(server.found("?_id=example-weight").await.0, ["Observation/example-weight"]);
    assert_eq!(server.get("?_type=Patient&_sort=family&_summary=count").await.json()["total"], 1);
    let answer = server.get("?_type=Patient,Device&patient=example&_sort=_id").await;
    assert_eq!(answer.references("outcome").len(), 1);
    assert_eq!(answer.link("self").unwrap(), format!("{BASE}?_type=Patient%2CDevice"));
    for (query, name) in [
        ("_type=Spaceship", "_type"),
        ("_type=Binary", "_type"),
        ("_type=", "_type"),
        ("_cursor=x", "_cursor"),
        ("_type=Patient&_cursor=Patient.x", "_cursor"),
        ("_lastUpdated=x", "_lastUpdated"),
    ] {
        let issue = Server::refused(&server.get(&format!("?{query}")).await, 400, "value");
        assert_eq!(issue["expression"][0], name, "{query}");
    }
    Server::refused(&server.get_with("?colour=red", &STRICT).await, 400, "not-supported");
    let narrow = format!("Bearer {}", key(&server.store, "a", "system/Device.rs").await);
    let narrow = [("authorization", narrow.as_str())];
    assert_eq!(server.get_with("?_id=example", &narrow).await.references("match"), ["Device/example"]);
    Server::refused(&server.get_with("?_type=Patient", &narrow).await, 403, "forbidden");
    // Nor can anybody find out by a chain what they may not search.
    Server::refused(&server.get_with("/Device?patient.name=sinus", &narrow).await, 403, "forbidden");
    Server::refused(&server.get_with("/Device?_has:Observation:device:code=1", &narrow).await, 403, "forbidden");
}

#[tokio::test]
async fn what_does_not_apply_is_refused_by_name() {
    let server = with_examples().await;
    for (path, name) in [
        ("Patient?name:not=a", "name:not"),
        ("Patient?birthdate:exact=2026", "birthdate:exact"),
        ("Patient?gender:text=f", "gender:text"),
        ("Patient?gender:of-type=a|b|c", "gender:of-type"),
        ("Patient?identifier:of-type=a|b", "identifier:of-type"),
        ("Patient?active:missing=maybe", "active:missing"),
        ("Patient?_id:missing=true", "_id:missing"),
        ("Patient?_id:not=x", "_id:not"),
        ("Patient?name=%20", "name"),
        ("Patient?name:contains=", "name:contains"),
        ("Patient?gender.name=x", "gender.name"),
        ("Observation?code-value-quantity=x", "code-value-quantity"),
        ("Observation?code-value-quantity=x$y", "code-value-quantity"),
        ("Observation?code-value-quantity=x$1$2", "code-value-quantity"),
        ("Observation?code-value-quantity:missing=true", "code-value-quantity:missing"),
        ("Observation?value-quantity=many", "value-quantity"),
        ("Observation?value-quantity=5|mg", "value-quantity"),
        ("Observation?value-quantity=zz5", "value-quantity"),
        ("Observation?value-quantity=5|s|", "value-quantity"),
        ("Observation?value-quantity=1e999", "value-quantity"),
        ("Observation?value-date=13", "value-date"),
        ("Observation?subject:Patient.birthdate=x", "subject:Patient.birthdate"),
        ("Observation?subject:Practitioner.name=x", "subject:Practitioner.name"),
        ("Observation?device:identifier=a|b|c", "device:identifier"),
        (
            "Observation?encounter.episode-of-care.condition.encounter.status=x",
            "encounter.episode-of-care.condition.encounter.status",
        ),
        ("Patient?_has:Observation=x", "_has:Observation"),
        ("Patient?_has:Spaceship:patient:code=x", "_has:Spaceship:patient:code"),
        ("Patient?_has:Observation:device:code=x", "_has:Observation:device:code"),
        ("Patient?_has:Observation:patient:date=x", "_has:Observation:patient:date"),
        ("Patient?_elements=", "_elements"),
        ("Patient?_elements=a.b", "_elements"),
        ("Patient?_summary=text&_include=*", "_summary"),
        ("Patient?_include:iterate=x", "_include:iterate"),
    ] {
        let issue = Server::refused(&server.get(&format!("/{path}")).await, 400, "value");
        assert_eq!(issue["expression"][0], name, "{path}");
    }
    let ids = |count: usize| (0..count).map(|i| format!("x{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(server.found(&format!("/Provenance?target={}&entity={}", ids(100), ids(100))).await.0.len(), 0);
    assert_eq!(server.found(&format!("/Observation?code:not={}&_count=1", ids(100))).await.0.len(), 1);
    let path = format!("/Provenance?{}", format!("entity={}&", ids(100)).repeat(30));
    Server::refused(&server.get(&path).await, 400, "too-costly");
    let many = (0..1100).map(|i| resource("Patient", &format!("m{i}"), r#","name":[{"family":"Many"}]"#)).collect();
    server.store.put(&tenant("a"), many).await.unwrap();
    let issue = Server::refused(&server.get("/Observation?patient.name=many").await, 400, "too-costly");
    assert_eq!(issue["expression"][0], "patient");
}

/// Whatever is asked, the server answers: what it found, or what is wrong.
#[test]
fn no_query_is_the_servers_fault() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(with_examples());
    let capability = Capability::builtin().unwrap();
    let mut names: Vec<(String, String)> = Vec::new();
    for row in capability.resources() {
        names.extend(row.parameters.iter().map(|p| (row.resource.clone(), p.name.clone())));
        for name in ["_sort", "_include", "_revinclude:iterate", "_count", "_summary", "_elements", "_cursor", "_total"]
        {
            names.push((row.resource.clone(), name.to_owned()));
        }
    }
    let name = (prop::sample::select(names), "(:missing|:not|:text|:exact|:contains|:identifier|:of-type|:in|:Patient|\\.name|\\.code|\\.patient\\.name|:Patient\\.identifier|:[a-z]{0,4})?")
        .prop_map(|((kind, name), suffix)| (kind, format!("{name}{suffix}")));
    let has = "_has:(Observation|Provenance|Condition):(patient|target|subject|device):(code|date|patient\\.name|_id|_has:Provenance:target:agent)";
    let value = prop_oneof![
        "(eq|ne|gt|lt|ge|le|sa|eb|ap)?[0-9]{1,5}(\\.[0-9]{1,3})?(\\|(http://unitsofmeasure.org)?\\|(mg|/min|Cel|%|\\[degF\\]|10\\*3/uL|m2|x))?",
        "(eq|ge|ap|lt)?[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}:[0-9]{2}(Z|[+-]0[0-9]:00)?)?)?)?",
        "(Patient/|Observation/|http://loinc.org\\||\\|)?[a-z0-9-]{0,12}(,[a-z0-9-]{0,8}){0,3}",
        "(-?(_id|date|name|code|_lastUpdated|family)){1,2}",
        "(Observation|Patient|Provenance|Device):(patient|target|\\*|link)(:Patient)?",
        "[a-z0-9-]{1,8}\\$(gt)?[a-z0-9.]{1,6}",
        "true|false|count|data|text|\\*|0|7",
        "\\PC{0,24}",
        "[\\x00-\\x20%_\\\\|,$]{1,6}",
    ];
    let pair = (prop_oneof![4 => name, 1 => has.prop_map(|name: String| ("Patient".to_owned(), name))], value);
    let mut runner = TestRunner::new(Config { cases: 600, ..Config::default() });
    let query = (pair.clone(), prop::option::of(pair));
    runner
        .run(&query, |(((kind, name), value), second)| {
            let second = second.map(|((_, name), value)| (name, value));
            let pairs = std::iter::once((name, value)).chain(second);
            let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
            for path in [format!("/{kind}?{query}"), format!("?{query}")] {
                let answer = runtime.block_on(server.get(&path));
                prop_assert!(answer.status.as_u16() < 500, "{path}: {}", String::from_utf8_lossy(&answer.body));
                prop_assert!(crate::fhir::json::parse(&answer.body).is_ok(), "{path}");
            }
            Ok(())
        })
        .unwrap();
}
