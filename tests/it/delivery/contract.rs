//! What delivery owes a receiver, and what it does when one does not do its part.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::receiver::{CLIENT, Fault, Receiver, SECRET};
use super::shaky::found_by;
use super::{close, connect, delivered, enrol, export, give_tokens, open, operations, record};
use crate::support::{Client, Server, eventually, scalar, time};

/// An export `ehr` to a FHIR server.
fn plain(client: &Client, receiver: &Receiver) {
    let provider = give_tokens(client, &receiver.url());
    let target = json!({"base_url": receiver.base(), "oauth_provider_id": provider});
    client.put("/api/v1/fhir-targets/plain", &target).expect(201);
    client.put("/api/v1/data-exports/ehr", &json!({"kind": "fhir", "target_ref": "plain"})).expect(201);
}

/// Every reference to a local id leads to something the receiver has.
fn assert_closed(receiver: &Receiver) {
    let names: BTreeSet<String> = receiver.with(|store| store.resources.keys().cloned().collect());
    receiver.with(|store| {
        for (name, resource) in &store.resources {
            references(resource, &mut |to| assert!(names.contains(to), "{name} refers to {to}"));
        }
    });
}

fn references(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::Object(object) => {
            if let Some(to) = object.get("reference").and_then(Value::as_str) {
                see(to);
            }
            object.values().for_each(|inner| references(inner, see));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, see)),
        _ => {}
    }
}

#[test]
fn an_episode_is_there_once_however_often_it_is_exported() {
    for (atomic, binding) in [(false, "medplum_demo"), (true, "provider_logical")] {
        let (server, receiver) = (Server::shared(), Receiver::start());
        receiver.with(|store| store.atomic = atomic);
        let client = server.tenant();
        connect(&client, &receiver, binding);
        enrol(&client, "on_episode_end", &["jane-doe".to_owned()]);
        record(&client, "jane-doe");
        delivered(&client, 1);
        assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
        let here = client.search("Observation?patient=jane-doe");
        assert_eq!(receiver.all("Observation").len(), here.len());
        assert!(here.len() > 10, "{}", here.len());
        for kind in ["Device", "Provenance", "DocumentReference", "Organization"] {
            assert!(!receiver.all(kind).is_empty(), "{kind}");
        }
        assert_eq!(receiver.all("Patient").len(), usize::from(binding == "medplum_demo"));
        assert_closed(&receiver);
        let all = receiver.with(|store| serde_json::to_string(&store.resources).unwrap());
        assert!(!all.contains("jane"), "nothing names the patient");
        let urls = receiver.with(|store| store.urls.join("\n"));
        assert!(!urls.contains("jane") && !urls.contains("token-") && !urls.contains(SECRET), "{urls}");

        // Read back: it is there as it was sent.
        let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
        let sent = receiver.with(|store| store.resources.len());
        assert_eq!((&report["stored"], &report["checked"]), (&json!(sent), &json!(sent)), "{report}");

        // Once more, by an episode that holds the same results: nothing new.
        let arrivals = receiver.with(|store| store.arrivals.len());
        let body = json!({"enrolment": "n-jane-doe", "start": time(330_000_000), "devices": ["chest-1"]});
        client.put("/api/v1/episodes/e2", &body).expect(201);
        close(&client, "e2", 331);
        delivered(&client, 2);
        assert_eq!(receiver.with(|store| store.arrivals.len()), arrivals);
    }
}

#[test]
fn a_lost_or_changed_resource_is_found_and_mended() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    let client = server.tenant();
    connect(&client, &receiver, "medplum_demo");
    enrol(&client, "on_episode_end", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    client.ingest_all(&(0..12).map(|n| scalar("finger-1", n, "spo2", "%", 95.0)).collect::<Vec<_>>());
    client.settle();
    close(&client, "e1", 60);
    delivered(&client, 1);
    let sent = receiver.with(|store| store.resources.clone());
    receiver.with(|store| {
        let names: Vec<String> =
            store.resources.keys().filter(|name| name.starts_with("Observation/")).cloned().collect();
        store.resources.remove(&names[0]);
        store.resources.get_mut(&names[1]).unwrap()["status"] = json!("cancelled");
    });
    let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
    assert_eq!((&report["missing"], &report["differing"]), (&json!(1), &json!(1)), "{report}");
    delivered(&client, 2);
    eventually("the repair", || receiver.with(|store| (store.resources.len() == sent.len()).then_some(())));
    assert!(receiver.all("Observation").iter().all(|one| one["status"] == "final"));
    let tallies = client.get("/api/v1/reconciliation").expect(200).json();
    assert_eq!(tallies["items"][0]["sent"], json!(sent.len()), "{tallies}");
}

#[test]
fn a_refusal_is_in_quarantine_with_its_reason_and_goes_through_when_mended() {
    for atomic in [false, true] {
        let (server, receiver) = (Server::shared(), Receiver::start());
        let client = server.tenant();
        receiver.with(|store| (store.atomic, store.refuses) = (atomic, Some("\"value\":42".to_owned())));
        connect(&client, &receiver, "medplum_demo");
        enrol(&client, "on_episode_end", &["p1".to_owned()]);
        open(&client, "e1", "p1", &["strap-1"]);
        let values: Vec<Value> =
            (0..20).map(|n| scalar("strap-1", n, "heart-rate", "/min", if n == 7 { 42.0 } else { 61.0 })).collect();
        client.ingest_all(&values);
        client.settle();
        close(&client, "e1", 60);
        delivered(&client, 1);
        let failed = operations(&client, "failed");
        assert_eq!(failed.len(), 1);
        assert_eq!((&failed[0]["refused"], &failed[0]["error"]["operation"]), (&json!(1), &json!("deliver")));
        assert_eq!(receiver.all("Observation").len(), 19, "the others are there");
        let held = client.get("/api/v1/quarantine?kind=delivery").expect(200).json();
        assert_eq!(held["items"].as_array().unwrap().len(), 1, "{held}");
        let id = failed[0]["id"].as_i64().unwrap();
        let letter = client.get(&format!("/api/v1/dead-letters/{id}")).expect(200).json();
        let item = &letter["items"][0];
        assert_eq!((&item["refused_by"], &item["quarantine"]), (&json!("receiver"), &held["items"][0]["id"]));
        let content =
            client.get(&format!("/api/v1/quarantine/{}/content", item["quarantine"].as_str().unwrap())).expect(200);
        assert!(content.text().contains("not wanted here"), "{}", content.text());
        let exchanges = client.get(&format!("/api/v1/operations/{id}/exchanges")).expect(200).json();
        assert!(exchanges[0]["request"]["body"].as_str().unwrap().contains("Bundle"));
        assert!(!exchanges.to_string().contains("token-"), "no token is kept");
        let alerts = client.get("/api/v1/alerts").expect(200).text();
        assert!(alerts.contains("delivery-refused"), "{alerts}");

        receiver.with(|store| store.refuses = None);
        client.post(&format!("/api/v1/dead-letters/{id}/redrive"), &json!({})).expect(200);
        delivered(&client, 1);
        eventually("the rest", || (operations(&client, "succeeded").len() == 1).then_some(()));
        assert_eq!(receiver.all("Observation").len(), 20);
        let held = client.get("/api/v1/quarantine?kind=delivery&state=held").expect(200).json();
        assert_eq!(held["items"], json!([]));
    }
}

#[test]
fn what_is_refused_can_be_corrected_for_the_receiver() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    let client = server.tenant();
    receiver.with(|store| store.refuses = Some("\"status\":\"final\"".to_owned()));
    connect(&client, &receiver, "medplum_demo");
    enrol(&client, "on_episode_end", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    client.ingest_all(&[scalar("finger-1", 0, "spo2", "%", 95.0)]);
    client.settle();
    close(&client, "e1", 60);
    delivered(&client, 1);
    let id = operations(&client, "failed")[0]["id"].as_i64().unwrap();
    let letter = |client: &Client| client.get(&format!("/api/v1/dead-letters/{id}")).expect(200).json();
    let resource = letter(&client)["items"][0]["resource"].clone();
    let correct = |patch: Value| {
        let body = json!({"resource": resource, "patch": patch, "reason": "they take no final ones"});
        client.post(&format!("/api/v1/dead-letters/{id}/correct"), &body)
    };
    for wrong in [json!({"status": "nonsense"}), json!({"code": null}), json!({"subject": {"reference": "Patient/p2"}})]
    {
        correct(wrong).expect(422);
    }
    assert_eq!(letter(&client)["items"][0].get("correction"), None);
    let made = correct(json!({"status": "amended", "note": [{"text": "as agreed"}]})).expect(200).json();
    assert_eq!(made["content"]["status"], "amended", "{made}");
    assert_eq!(letter(&client)["items"][0]["correction"]["reason"], "they take no final ones");
    client.post(&format!("/api/v1/dead-letters/{id}/redrive"), &json!({})).expect(200);
    delivered(&client, 1);
    eventually("what was corrected", || (operations(&client, "succeeded").len() == 1).then_some(()));
    let there = receiver.all("Observation");
    assert_eq!((there.len(), &there[0]["status"]), (1, &json!("amended")));
    assert_closed(&receiver);
    let here = client.search("Observation?patient=p1");
    assert_eq!(here[0]["status"], "final", "here it is what it was");
    // Its Provenance was sent while there was nothing to refer to; it is mended. What was corrected is as it was sent.
    for differing in [1, 0] {
        let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
        assert_eq!((&report["differing"], &report["missing"]), (&json!(differing), &json!(0)), "{report}");
        delivered(&client, 2);
    }
    let name = format!("Observation/{}", there[0]["id"].as_str().unwrap());
    assert!(receiver.all("Provenance").iter().any(|one| one["target"][0]["reference"] == name.as_str()));
    let body = json!({"enrolment": "n-p1", "start": time(61_000_000), "devices": ["finger-1"]});
    client.put("/api/v1/episodes/e2", &body).expect(201);
    close(&client, "e2", 62);
    delivered(&client, 3);
    assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
    assert_eq!(receiver.all("Observation").len(), 1);
}

#[test]
fn a_key_of_its_own_is_proof_and_can_be_rotated() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    let client = server.tenant();
    let provider =
        json!({"name": "Receiver", "token_url": receiver.token_url(), "client_id": CLIENT, "private_key_jwt": true});
    let made = client.put("/api/v1/oauth-providers/receiver", &provider).expect(201).json();
    assert!(made["jwks"].as_str().unwrap().ends_with("/receiver/jwks.json"), "{made}");
    assert_eq!(client.put("/api/v1/oauth-providers/receiver", &provider).expect(200).json(), made, "nothing changes");
    let jwks = client.with_key("").get(made["jwks"].as_str().unwrap()).expect(200).json();
    receiver.trust(jwks);
    export(&client, &receiver.base(), "medplum_demo");
    enrol(&client, "on_measurement", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    client.ingest_all(&[scalar("finger-1", 0, "spo2", "%", 95.0)]);
    client.settle();
    eventually("the first value", || (receiver.all("Observation").len() == 1).then_some(()));

    let rotated =
        client.post("/api/v1/oauth-providers/receiver/rotate-key", &json!({"at_once": true})).expect(200).json();
    assert_ne!(rotated["keys"][0]["id"], made["keys"][0]["id"]);
    receiver.trust(client.with_key("").get(made["jwks"].as_str().unwrap()).expect(200).json());
    client.ingest_all(&[scalar("finger-1", 1, "spo2", "%", 96.0)]);
    client.settle();
    eventually("the second value", || (receiver.all("Observation").len() == 2).then_some(()));
    assert!(receiver.with(|store| store.tokens.requests) >= 2);
}

#[test]
fn secrets_are_nowhere_to_be_seen() {
    let (server, receiver) = (Server::start(), Receiver::start());
    let client = server.client();
    connect(&client, &receiver, "provider_logical");
    for path in ["/api/v1/oauth-providers/receiver", "/api/v1/oauth-providers"] {
        assert!(!client.get(path).expect(200).text().contains(SECRET));
    }
    client.delete("/api/v1/oauth-providers/receiver").expect(409);
    enrol(&client, "on_measurement", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    // A target that is away, a token that is not known, an answer that is cut off: whatever is logged of it.
    receiver
        .with(|store| store.faults = vec![Fault::Status(500), Fault::DropAfter, Fault::ForgetTokens, Fault::Truncate]);
    client.ingest_all(&[scalar("finger-1", 0, "spo2", "%", 95.0)]);
    client.settle();
    eventually("the value", || (receiver.all("Observation").len() == 1).then_some(()));
    let log = server.log();
    for secret in [SECRET, "token-", "Bearer", "Basic", "identifier=", "client_assertion"] {
        assert!(!log.contains(secret), "{secret} in the log:\n{log}");
    }
    assert!(!std::fs::read_dir(server.data()).unwrap().any(|file| {
        std::fs::read(file.unwrap().path())
            .is_ok_and(|bytes| bytes.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()))
    }));
}

#[test]
fn files_are_dropped_whole() {
    let server = Server::start();
    let client = server.client();
    client.put("/api/v1/data-exports/ehr", &json!({"kind": "file", "target_ref": "warehouse"})).expect(201);
    enrol(&client, "on_episode_end", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    client.ingest_all(&(0..5).map(|n| scalar("finger-1", n, "spo2", "%", 95.0)).collect::<Vec<_>>());
    client.settle();
    close(&client, "e1", 60);
    delivered(&client, 1);
    let folder = server.data().join("exports/default/warehouse");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let kinds: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["resourceType"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "Observation").count(), 5, "{kinds:?}");
}

#[test]
fn a_target_that_fails_now_and_then_has_all_in_the_end() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    receiver.with(|store| (store.is_plain, store.fails_every) = (true, Some(9)));
    let client = server.tenant();
    plain(&client, &receiver);
    enrol(&client, "on_episode_end", &["p1".to_owned()]);
    open(&client, "e1", "p1", &["finger-1"]);
    client.ingest_all(&(0..20).map(|n| scalar("finger-1", n, "spo2", "%", 95.0)).collect::<Vec<_>>());
    client.settle();
    close(&client, "e1", 60);
    delivered(&client, 1);
    assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
    assert_eq!(receiver.all("Observation").len(), 20);
}

#[test]
fn a_target_that_cannot_is_left_alone_and_told_of() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    let client = server.tenant();
    connect(&client, &receiver, "provider_logical");
    let patients: Vec<String> = (0..6).map(|n| format!("p{n}")).collect();
    enrol(&client, "on_measurement", &patients);
    let send = |number: u64| {
        for patient in &patients {
            client.ingest_all(&[scalar(&format!("finger-{patient}"), number, "spo2", "%", 95.0)]);
        }
        client.settle();
    };
    for patient in &patients {
        open(&client, &format!("e-{patient}"), patient, &[&format!("finger-{patient}")]);
    }
    send(0);
    delivered(&client, patients.len());
    receiver.with(|store| store.fails_every = Some(1));
    send(1);
    eventually("the alert", || client.get("/api/v1/alerts").expect(200).text().contains("target-down").then_some(()));
    receiver.with(|store| store.fails_every = None);
    delivered(&client, 2 * patients.len());
    assert_eq!(receiver.all("Observation").len(), 2 * patients.len());
}

#[test]
fn what_patients_share_is_made_once_where_nothing_can_be_made_if_none_exists() {
    let (server, receiver) = (Server::shared(), Receiver::start());
    receiver.with(|store| (store.is_plain, store.delay) = (true, Duration::from_millis(20)));
    let client = server.tenant();
    plain(&client, &receiver);
    let patients: Vec<String> = (0..6).map(|n| format!("p{n}")).collect();
    enrol(&client, "on_episode_end", &patients);
    for (number, patient) in patients.iter().enumerate() {
        let device = format!("strap-{number}");
        open(&client, &format!("e{number}"), patient, &[&device]);
        client.ingest_all(&[scalar(&device, 0, "heart-rate", "/min", 61.0)]);
    }
    client.settle();
    for number in 0..patients.len() {
        close(&client, &format!("e{number}"), 60);
    }
    delivered(&client, patients.len());
    assert_eq!(operations(&client, "failed"), Vec::<Value>::new());
    assert_eq!(receiver.all("Observation").len(), patients.len());
    for kind in ["Organization", "Device"] {
        let all = receiver.all(kind);
        let once: BTreeSet<String> = all.iter().map(found_by).collect();
        assert_eq!(all.len(), once.len(), "{kind} twice");
    }
    assert_closed(&receiver);
}
