//! What clients write is valid, or refused with what is wrong.

use serde_json::json;

use super::write::{Writer, is};
use super::*;

fn heart_rate() -> Value {
    json!({
        "resourceType": "Observation", "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs",
        }]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]},
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2026-01-18T14:00:00Z",
        "valueQuantity": {"value": 60, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"},
    })
}

async fn strict() -> Writer {
    Writer::with(Settings { validate_writes: true, ..Settings::default() }).await
}

/// The first issue of a refusal.
#[track_caller]
fn refusal(answer: &Answer) -> Value {
    is(answer, 422);
    crate::fhir::json::parse(&answer.body).unwrap();
    let issue = answer.json()["issue"][0].clone();
    assert_eq!(issue["severity"], "error", "{issue}");
    issue
}

#[tokio::test]
async fn what_is_not_valid_is_refused_with_what_is_wrong_and_nothing_is_stored() {
    let writer = strict().await;
    let before = writer.total("Observation").await;
    let mut wrong = heart_rate();
    wrong["valueQuantity"]["code"] = "mm[Hg]".into();
    let issue = refusal(&writer.send("POST", "/Observation", wrong.clone(), &[]).await);
    assert!(issue["expression"][0].as_str().unwrap().starts_with("Observation.value"), "{issue}");
    assert!(issue["diagnostics"].as_str().unwrap().contains("heartrate"), "{issue}");
    wrong["id"] = "new".into();
    refusal(&writer.send("PUT", "/Observation/new", wrong.clone(), &[]).await);
    let mut empty = heart_rate();
    for name in ["valueQuantity", "effectiveDateTime"] {
        empty.as_object_mut().unwrap().remove(name);
    }
    let answer = writer.send("POST", "/Observation", empty, &[]).await;
    refusal(&answer);
    assert!(String::from_utf8_lossy(&answer.body).contains("vs-2"), "{}", answer.json());
    assert_eq!(writer.total("Observation").await, before);

    let mut right = heart_rate();
    right["meta"] = json!({"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate"]});
    let created = writer.send("POST", "/Observation", right, &[]).await;
    is(&created, 201);
    let path = format!("/Observation/{}", created.json()["id"].as_str().unwrap());
    let patch = json!([{"op": "replace", "path": "/valueQuantity/code", "value": "mm[Hg]"}]);
    let headers = [("content-type", "application/json-patch+json")];
    refusal(&writer.send("PATCH", &path, patch, &headers).await);
    assert_eq!(writer.server.get(&path).await.json()["valueQuantity"]["code"], "/min");
}

#[tokio::test]
async fn an_entry_that_is_not_valid_refuses_its_transaction_and_only_itself_in_a_batch() {
    let writer = strict().await;
    let before = writer.total("Observation").await;
    let mut wrong = heart_rate();
    wrong["status"] = "finished".into();
    let request = json!({"method": "POST", "url": "Observation"});
    let bundle = |kind: &str| {
        json!({"resourceType": "Bundle", "type": kind, "entry": [
            {"resource": heart_rate(), "request": request}, {"resource": wrong, "request": request},
        ]})
    };
    let issue = refusal(&writer.send("POST", "", bundle("transaction"), &[]).await);
    assert_eq!(issue["expression"][0], "Bundle.entry[1].resource.status", "{issue}");
    assert_eq!(writer.total("Observation").await, before);
    let answer = writer.send("POST", "", bundle("batch"), &[]).await;
    is(&answer, 200);
    let statuses: Vec<String> = (0..2).map(|n| answer.json()["entry"][n]["response"]["status"].to_string()).collect();
    assert!(statuses[0].contains("201") && statuses[1].contains("422"), "{statuses:?}");
    assert_eq!(writer.total("Observation").await, before + 1);
}

#[tokio::test]
async fn what_is_only_not_known_here_is_taken() {
    let writer = strict().await;
    let mut unknown = heart_rate();
    unknown["meta"] = json!({"profile": ["https://clinic.example.org/StructureDefinition/heart-rate"]});
    unknown["identifier"] = json!([{"system": "http://example.org/ids", "value": "1"}]);
    unknown["extension"] = json!([{"url": "https://clinic.test/StructureDefinition/mood", "valueString": "fine"}]);
    is(&writer.send("POST", "/Observation", unknown.clone(), &[]).await, 201);
    let judged = writer.send("POST", "/Observation/$validate", unknown, &[]).await.json();
    assert_eq!(judged["issue"][0]["severity"], "error", "who asks is told: {judged}");
}

#[tokio::test]
async fn a_provenance_in_a_header_is_judged_too() {
    let writer = strict().await;
    let before = writer.total("Observation").await;
    let provenance = |recorded: &str| {
        json!({"resourceType": "Provenance", "recorded": recorded, "agent": [{"who": {"display": "somebody"}}]})
            .to_string()
    };
    let send = |header: String| {
        let writer = &writer;
        async move { writer.send("POST", "/Observation", heart_rate(), &[("x-provenance", &header)]).await }
    };
    let answer = send(provenance("yesterday")).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    let without = json!({"resourceType": "Provenance", "recorded": "2026-01-18T14:00:00Z"}).to_string();
    let issue = refusal(&send(without).await);
    assert_eq!(issue["expression"][0], "X-Provenance.Provenance", "{issue}");
    assert_eq!(writer.total("Observation").await, before);
    is(&send(provenance("2026-01-18T14:00:00Z")).await, 201);
}
