//! Batches and transactions.

use serde_json::json;

use super::write::{Writer, is, patient};
use super::*;

fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn named(full_url: &str, mut entry: Value) -> Value {
    entry["fullUrl"] = json!(full_url);
    entry
}

fn bundle(kind: &str, entries: Vec<Value>) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn heart_rate(subject: &str, n: usize) -> Value {
    json!({"resourceType": "Observation", "status": "final", "identifier": [{"system": "urn:o", "value": n.to_string()}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}, "subject": {"reference": subject},
        "effectiveDateTime": "2026-01-18T14:00:00Z"})
}

#[tokio::test]
async fn references_are_resolved_wherever_they_lead() {
    let writer = Writer::new().await;
    is(
        &writer
            .send(
                "POST",
                "/Organization",
                json!({"resourceType": "Organization", "identifier": [{"system": "http://o/x", "value": "org"}]}),
                &[],
            )
            .await,
        201,
    );
    let document = json!({"resourceType": "DocumentReference", "status": "current", "subject": {"reference": "urn:uuid:AAAAAAAA-0000-0000-0000-000000000001"},
        "custodian": {"reference": "Organization?identifier=http://o/x|org"}, "author": [{"reference": "Patient?identifier=urn:s|new"}],
        "content": [{"attachment": {"url": "urn:uuid:aaaaaaaa-0000-0000-0000-000000000002"}}]});
    let mut conditional = entry("POST", "Patient", patient("new"));
    conditional["request"]["ifNoneExist"] = json!("identifier=urn:s|new");
    let sent = bundle(
        "transaction",
        vec![
            entry("POST", "DocumentReference", document),
            entry("GET", "Patient?identifier=new", Value::Null),
            named("urn:uuid:aaaaaaaa-0000-0000-0000-000000000001", conditional),
            named(
                "urn:uuid:aaaaaaaa-0000-0000-0000-000000000002",
                entry("POST", "Binary", json!({"resourceType": "Binary", "contentType": "text/plain", "data": "eA=="})),
            ),
            named(
                "http://elsewhere/fhir/Device/7",
                entry("POST", "Device", json!({"resourceType": "Device", "id": "7"})),
            ),
            entry("PUT", "Observation/mine", {
                let mut o = heart_rate("http://example.org/fhir/R4/Patient/elsewhere", 1);
                o["id"] = json!("mine");
                o["device"] = json!({"reference": "Device/7"});
                o
            }),
        ],
    );
    let answer = writer.send("POST", "", sent.clone(), &[]).await;
    is(&answer, 200);
    crate::fhir::json::parse(&answer.body).unwrap();
    let entries = answer.json()["entry"].as_array().unwrap().clone();
    let statuses: Vec<&str> = entries.iter().map(|e| e["response"]["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["201 Created", "200 OK", "201 Created", "201 Created", "201 Created", "201 Created"]);
    assert_eq!(entries[1]["resource"]["total"], 1, "reads come after the writes");
    let place = |i: usize| {
        let location = entries[i]["response"]["location"].as_str().unwrap();
        location.strip_prefix(BASE).unwrap().strip_prefix('/').unwrap().strip_suffix("/_history/1").unwrap().to_owned()
    };
    assert_eq!(entries[0]["response"]["etag"], "W/\"1\"");
    let document = writer.server.get(&format!("/{}", place(0))).await.json();
    assert_eq!(document["subject"]["reference"], place(2));
    assert_eq!(document["author"][0]["reference"], place(2));
    assert_eq!(document["content"][0]["attachment"]["url"], place(3));
    assert!(document["custodian"]["reference"].as_str().unwrap().starts_with("Organization/"));
    let observation = writer.server.get("/Observation/mine").await.json();
    assert_eq!(
        (&observation["device"]["reference"], &observation["subject"]["reference"]),
        (&json!(place(4)), &json!("Patient/elsewhere"))
    );

    let again = writer.send("POST", "/", sent, &[("prefer", "return=representation")]).await;
    is(&again, 200);
    assert_eq!(again.json()["entry"][2]["response"]["status"], "200 OK");
    assert_eq!(again.json()["entry"][2]["resource"]["id"], place(2).strip_prefix("Patient/").unwrap());
    assert_eq!(writer.total("Patient").await, 1);
}

#[tokio::test]
async fn the_order_is_that_of_the_specification() {
    let writer = Writer::new().await;
    is(&writer.send("POST", "/Patient", patient("1"), &[("if-none-exist", "identifier=1")]).await, 201);
    let mut create = entry("POST", "Patient", patient("1"));
    create["request"]["ifNoneExist"] = json!("identifier=1");
    let sent = bundle("transaction", vec![create, entry("DELETE", "Patient?identifier=1", Value::Null)]);
    let answer = writer.send("POST", "", sent, &[]).await;
    is(&answer, 200);
    assert_eq!(
        answer.json()["entry"][0]["response"]["status"],
        "201 Created",
        "what is deleted is not there for others"
    );
    assert_eq!(answer.json()["entry"][1]["response"]["status"], "204 No Content");
    assert_eq!(writer.total("Patient?identifier=1").await, 1);
}

#[tokio::test]
async fn one_bad_entry_leaves_no_trace() {
    let writer = Writer::new().await;
    is(&writer.send("PUT", "/Patient/p", json!({"resourceType": "Patient", "id": "p"}), &[]).await, 201);
    let with = |element: &str, value: Value| {
        let mut entry = entry("POST", "Patient", patient("z"));
        entry["request"][element] = value;
        entry
    };
    let put = |id: &str| entry("PUT", "Patient/p", json!({"resourceType": "Patient", "id": id, "active": true}));
    let stale = {
        let mut entry = put("p");
        entry["request"]["ifMatch"] = json!("W/\"7\"");
        entry
    };
    for (bad, status, place) in [
        (json!({"resource": patient("z")}), 400, "Bundle.entry[1].request"),
        (entry("PAINT", "Patient", patient("z")), 400, "Bundle.entry[1].request.method"),
        (entry("POST", "Spaceship", patient("z")), 400, "Bundle.entry[1].request.url"),
        (entry("POST", "Patient/p", patient("z")), 400, "Bundle.entry[1].request.url"),
        (entry("GET", "Spaceship/1", Value::Null), 400, "Bundle.entry[1].request.url"),
        (entry("PUT", "Patient", patient("z")), 400, "Bundle.entry[1].request.url"),
        (entry("PUT", "Patient/x%20", patient("z")), 400, "Bundle.entry[1].request.url"),
        (entry("POST", "CodeSystem", json!({"resourceType": "CodeSystem"})), 400, "Bundle.entry[1].request.method"),
        (entry("POST", "Patient", Value::Null), 400, "Bundle.entry[1].resource"),
        (entry("POST", "Patient", json!({"resourceType": "Device"})), 400, "Bundle.entry[1].resource.resourceType"),
        (
            entry("POST", "Patient", json!({"resourceType": "Patient", "colour": "red"})),
            400,
            "Bundle.entry[1].resource.Patient.colour",
        ),
        (
            entry("POST", "Observation", heart_rate("urn:uuid:nobody", 1)),
            400,
            "Bundle.entry[1].resource.Observation.subject.reference",
        ),
        (
            entry("POST", "Observation", heart_rate("Patient?identifier=nobody", 1)),
            400,
            "Bundle.entry[1].resource.Observation.subject",
        ),
        (
            entry("POST", "Observation", heart_rate("Patient?colour=red", 1)),
            400,
            "Bundle.entry[1].resource.Observation.subject",
        ),
        (with("ifNoneExist", json!("colour=red")), 400, "Bundle.entry[1].request.ifNoneExist"),
        (with("ifMatch", json!("x")), 400, "Bundle.entry[1].request.If-Match"),
        (with("colour", json!("red")), 400, "Bundle.entry[1].request.colour"),
        (put("q"), 400, "Bundle.entry[1].resource.Patient.id"),
        (stale, 412, "Bundle.entry[1]"),
        (entry("DELETE", "Observation/o01", Value::Null), 403, "Bundle.entry[1]"),
        (
            entry(
                "PATCH",
                "Patient/none",
                json!({"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Patient.active"}]}]}),
            ),
            404,
            "Bundle.entry[1]",
        ),
    ] {
        let sent = bundle("transaction", vec![entry("POST", "Patient", patient("z")), bad.clone()]);
        let answer = writer.send("POST", "", sent, &[]).await;
        is(&answer, status);
        let expression = answer.json()["issue"][0]["expression"][0].as_str().unwrap_or_default().to_owned();
        assert!(expression.starts_with(place), "{bad}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(writer.total("Patient").await, 1, "{bad}");
    }
    let twice = bundle("transaction", vec![put("p"), entry("DELETE", "Patient/p", Value::Null)]);
    Server::refused(&writer.send("POST", "", twice, &[]).await, 400, "duplicate");
    let mut create = entry("POST", "Patient", patient("z"));
    create["request"]["ifNoneExist"] = json!("identifier=urn:s|z");
    Server::refused(
        &writer.send("POST", "", bundle("transaction", vec![create.clone(), create]), &[]).await,
        400,
        "duplicate",
    );
    let same = named("urn:uuid:1", entry("POST", "Patient", patient("z")));
    Server::refused(
        &writer.send("POST", "", bundle("transaction", vec![same.clone(), same]), &[]).await,
        400,
        "invalid",
    );
    for (bad, path) in [
        (json!({"resourceType": "Bundle"}), "Bundle.type"),
        (json!({"resourceType": "Bundle", "type": "collection"}), "Bundle.type"),
        (json!({"resourceType": "Patient"}), "resourceType"),
        (json!({"resourceType": "Patient", "active": true}), "resourceType"),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": {}}), "Bundle.entry"),
        (json!({"resourceType": "Bundle", "type": "batch", "entry": [5]}), "Bundle.entry[0]"),
        (json!({"resourceType": "Bundle", "type": "batch", "colour": 1}), "Bundle"),
        (bundle("batch", vec![json!({}); 5001]), "Bundle.entry"),
    ] {
        let answer = writer.send("POST", "", bad.clone(), &[]).await;
        is(&answer, 400);
        let expression = answer.json()["issue"][0]["expression"][0].as_str().unwrap_or_default().to_owned();
        assert!(expression.starts_with(path), "{expression}: {bad:.80}");
    }
    assert_eq!(writer.total("Patient").await, 1);
}

#[tokio::test]
async fn entries_of_a_batch_fail_alone() {
    let writer = Writer::new().await;
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "W3sib3AiOiJhZGQiLCJwYXRoIjoiL2FjdGl2ZSIsInZhbHVlIjp0cnVlfV0="});
    let sent = bundle(
        "batch",
        vec![
            entry("PUT", "Patient/p", json!({"resourceType": "Patient", "id": "p"})),
            entry("POST", "Patient", json!({"resourceType": "Patient", "colour": "red"})),
            entry("PATCH", "Patient/p", patch),
            entry("GET", "Patient/p", Value::Null),
            entry("GET", "Patient/none", Value::Null),
            entry("GET", "Observation?patient=p0&_count=1", Value::Null),
            entry("GET", "Observation?date=yesterday", Value::Null),
            entry("GET", "metadata", Value::Null),
            entry("DELETE", "Patient/p", Value::Null),
            entry("POST", "", bundle("batch", vec![])),
            json!({}),
            entry("POST", "Patient?identifier=x y|é", patient("z")),
        ],
    );
    let answer = writer.send("POST", "", sent, &[]).await;
    is(&answer, 200);
    crate::fhir::json::parse(&answer.body).unwrap();
    let entries = answer.json()["entry"].as_array().unwrap().clone();
    let statuses: Vec<&str> = entries.iter().map(|e| &e["response"]["status"].as_str().unwrap()[..3]).collect();
    assert_eq!(statuses, ["201", "400", "200", "200", "404", "200", "400", "200", "204", "400", "400", "201"]);
    assert_eq!(entries[1]["response"]["outcome"]["issue"][0]["expression"][0], "Patient.colour");
    assert_eq!(entries[3]["resource"]["active"], true);
    assert_eq!(entries[5]["resource"]["entry"].as_array().unwrap().len(), 1);
}

/// One Bundle, sent 64 times at once: each resource is there once, and nobody is told anything but that it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn replays_that_race_create_once() {
    let writer = Arc::new(Writer::new().await);
    let make = |with_system: bool| {
        let entries = (0..100).map(|n| {
            let mut entry = entry("POST", "Observation", heart_rate("Patient/p", n));
            entry["request"]["ifNoneExist"] = json!(if with_system {
                format!("identifier=urn:o|{n}")
            } else {
                format!("identifier={n}&status=final")
            });
            entry
        });
        bundle("transaction", entries.collect())
    };
    // Half of them ask in other words.
    let bundles = [make(true), make(false)];
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..64 {
        let (writer, bundle) = (Arc::clone(&writer), bundles[i % 2].clone());
        tasks.spawn(async move { writer.send("POST", "", bundle, &[]).await });
    }
    let (mut created, mut answers) = (0, 0);
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        is(&answer, 200);
        for entry in answer.json()["entry"].as_array().unwrap() {
            let status = entry["response"]["status"].as_str().unwrap();
            assert!(status == "200 OK" || status == "201 Created", "{status}");
            created += usize::from(status == "201 Created");
            answers += 1;
        }
    }
    assert_eq!((created, answers), (100, 6400));
    assert_eq!(writer.total("Observation?subject=Patient/p").await, 100);
}

/// The same by single requests, and updates of one resource at once: each is a version of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn single_writes_race_too() {
    let writer = Arc::new(Writer::new().await);
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..48 {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            if i % 2 == 0 {
                return writer.send("POST", "/Patient", patient("1"), &[("if-none-exist", "identifier=1")]).await;
            }
            let mut resource = json!({"resourceType": "Patient", "id": "u"});
            resource["name"] = json!([{"text": i.to_string()}]);
            writer.send("PUT", "/Patient/u", resource, &[]).await
        });
    }
    while let Some(answer) = tasks.join_next().await {
        let answer = answer.unwrap();
        assert!(answer.status.is_success(), "{}", String::from_utf8_lossy(&answer.body));
    }
    assert_eq!(writer.total("Patient?identifier=1").await, 1);
    assert_eq!(writer.server.get("/Patient/u").await.header("etag"), "W/\"24\"");
    assert_eq!(writer.server.get("/Patient/u/_history").await.json()["entry"].as_array().unwrap().len(), 24);
}
