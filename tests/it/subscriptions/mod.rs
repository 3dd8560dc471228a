//! Subscriptions against endpoints in another process than the server's.

mod alerts;
mod chaos;
mod channels;
mod contract;
mod durability;
mod latency;
mod listener;
mod operation;
mod patients;
mod rejections;
mod secrets;
mod tenants;

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::support::{Client, eventually};
use listener::Listener;

const BACKPORT: &str = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/";
const OWN: &str = "https://afferent.dev/fhir/StructureDefinition/";

fn topic(id: &str) -> String {
    format!("https://afferent.dev/fhir/SubscriptionTopic/{id}")
}

/// Whether it is valid by R4 and by the profiles it claims, which are the Backport's. For the official validator it is written
/// to a folder, where one is given, under what it is: `tests/subscriptions/validate`.
#[track_caller]
fn assert_valid(what: &str, resource: &str) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("resource.json");
    std::fs::write(&file, resource).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_afferent")).arg("validate").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}\n{resource}", String::from_utf8_lossy(&output.stdout));
    if let Some(folder) = std::env::var_os("AFFERENT_NOTIFICATIONS").filter(|folder| !folder.is_empty()) {
        let name = format!("{what}-{}-{}.json", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        std::fs::write(std::path::Path::new(&folder).join(name), resource).unwrap();
    }
}

/// A Subscription to a topic by rest-hook.
fn to_topic(id: &str, filters: &[&str], endpoint: &str, content: &str) -> Value {
    let filters: Vec<Value> = filters
        .iter()
        .map(|filter| json!({"url": format!("{BACKPORT}backport-filter-criteria"), "valueString": filter}))
        .collect();
    let mut subscription = json!({
        "resourceType": "Subscription",
        "meta": {"profile": [format!("{BACKPORT}backport-subscription")]},
        "status": "requested",
        "reason": "a test",
        "criteria": topic(id),
        "channel": {
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            "_payload": {"extension": [
                {"url": format!("{BACKPORT}backport-payload-content"), "valueCode": content}
            ]},
        },
    });
    if !filters.is_empty() {
        subscription["_criteria"] = json!({ "extension": filters });
    }
    subscription
}

/// The same by R4's criteria.
fn to_criteria(criteria: &str, endpoint: &str, payload: Option<&str>) -> Value {
    let mut subscription = json!({"resourceType": "Subscription", "status": "requested", "reason": "a test",
        "criteria": criteria, "channel": {"type": "rest-hook", "endpoint": endpoint}});
    if let Some(payload) = payload {
        subscription["channel"]["payload"] = json!(payload);
    }
    subscription
}

fn extend(subscription: &mut Value, url: &str, name: &str, value: Value) {
    let channel = subscription["channel"].as_object_mut().unwrap();
    let all = channel.entry("extension").or_insert_with(|| json!([]));
    all.as_array_mut().unwrap().push(json!({"url": url, name: value}));
}

/// Creates it; its id.
#[track_caller]
fn subscribe(client: &Client, subscription: &Value) -> String {
    let created = client.post("/fhir/R4/Subscription", subscription).expect(201).json();
    assert_eq!(created["status"], if subscription["status"] == "off" { "off" } else { "requested" });
    created["id"].as_str().unwrap().to_owned()
}

/// Waits until it has a status.
#[track_caller]
fn becomes(client: &Client, id: &str, status: &str) -> Value {
    let path = format!("Subscription/{id}");
    eventually(&format!("{path} to be {status}"), || {
        let found = client.fhir(&path);
        (found["status"] == status).then_some(found)
    })
}

/// Creates it and waits until it is active.
#[track_caller]
fn active(client: &Client, subscription: &Value) -> String {
    let id = subscribe(client, subscription);
    becomes(client, &id, "active");
    id
}

fn heart_rate(id: &str, patient: &str, rate: u32) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": format!("Patient/{patient}")}, "effectiveDateTime": "2026-01-18T14:00:00Z",
        "valueQuantity": {"value": rate, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"}})
}

/// Writes a heart rate.
#[track_caller]
fn beat(client: &Client, id: &str, patient: &str, rate: u32) {
    let reply = client.put(&format!("/fhir/R4/Observation/{id}"), &heart_rate(id, patient, rate));
    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
}

/// Waits until a listener has so many events.
#[track_caller]
fn arrives(listener: &Listener, count: usize) -> Vec<i64> {
    eventually(&format!("{count} events"), || Some(listener.numbers()).filter(|numbers| numbers.len() >= count))
}
