//! `POST /api/v1/demo/fhir-export`.

use serde_json::{Value, json};

use super::receiver::{CLIENT, Receiver, SECRET};
use crate::support::Server;

fn body(receiver: &Receiver) -> Value {
    json!({
        "base_url": receiver.base(), "client_id": CLIENT, "client_secret": SECRET,
        "features": [
            {"signal": "heart-rate", "value": 61, "unit": "/min", "effective": "2026-01-18T14:32:00Z"},
            {"signal": "spo2", "value": 97, "unit": "%", "effective": "2026-01-18T14:32:00Z"},
            {"signal": "blood-pressure", "components": {"systolic": 120, "diastolic": 80}, "effective": "2026-01-18T14:32:00Z"},
        ],
    })
}

#[test]
fn values_are_made_once_and_nothing_is_kept() {
    let (server, receiver) = (Server::start(), Receiver::start());
    let client = server.client();
    let made = client.post("/api/v1/demo/fhir-export", &body(&receiver)).expect(200).json();
    let created = made["created"].as_array().unwrap();
    assert_eq!(created.iter().filter(|one| one.as_str().unwrap().starts_with("Observation/")).count(), 2, "{made}");
    assert_eq!(made["skipped"].as_array().unwrap().len(), 1, "{made}");
    assert_eq!(made["skipped"][0]["signal"], "blood-pressure");
    let again = client.post("/api/v1/demo/fhir-export", &body(&receiver)).expect(200).json();
    assert_eq!((&again["created"], &again["outcome"]), (&json!([]), &Value::Null), "{again}");
    assert_eq!(receiver.all("Observation").len(), 2);
    for secret in [SECRET, CLIENT] {
        assert!(!server.log().contains(secret));
    }
    let wrong = json!({"client_secret": "no", "base_url": receiver.base(), "client_id": CLIENT, "features": body(&receiver)["features"]});
    assert!(client.post("/api/v1/demo/fhir-export", &wrong).expect(502).text().contains("invalid_request"));
    for bad in ["https://evil.example/fhir/R4", "http://169.254.169.254/fhir/R4", "https://api.medplum.com/admin"] {
        let mut changed = body(&receiver);
        changed["base_url"] = json!(bad);
        client.post("/api/v1/demo/fhir-export", &changed).expect(422);
    }
}
