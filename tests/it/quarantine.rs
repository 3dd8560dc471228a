//! What is held back can be looked at, taken up again and given up, and somebody is told.

use serde_json::{Value, json};

use crate::support::{Server, eventually, own_code, scalar};

const ROW: &str = r#"
format_version = 1
code = "grip-strength"
display = "Grip strength"
definition = "Force of the closing hand."
kind = "quantity"
category = "exam"
unit = { code = "kg", display = "kg" }
precision = 1
plausible = { min = 0, max = 150 }
"#;

fn path(held: &Value, what: &str) -> String {
    format!("/api/v1/quarantine/{}{what}", held["id"].as_str().unwrap())
}

#[test]
fn a_packet_that_cannot_be_read_is_taken_up_again_when_its_row_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let row = directory.path().join("signal/grip-strength.toml");
    std::fs::create_dir(directory.path().join("signal")).unwrap();
    std::fs::write(&row, ROW).unwrap();
    let first = Server::with_registry(directory.path());
    let client = first.client();
    let mut packets: Vec<Value> = (1..=40).map(|n| scalar("d1", n, "heart-rate", "/min", 60.0)).collect();
    for n in [3, 4] {
        packets[n - 1] = scalar("d1", n as u64, "grip-strength", "kg", 40.0);
        packets[n - 1]["stream"] = json!("heart-rate");
    }
    client.ingest(&packets).expect(202);
    std::fs::remove_file(&row).unwrap();
    let without = first.restart_after_kill();
    let client = without.client_again(&client);
    client.link_device("d1", "p1").expect(201);
    client.settle();
    let list = client.get("/api/v1/quarantine?kind=packet&state=held").expect(200).json();
    let all = list["items"].as_array().unwrap();
    assert_eq!(all.len(), 2, "{list}");
    assert!(all.iter().any(|held| held["packets"]["first_sequence"] == 3), "{list}");
    assert_eq!(all[0]["packets"]["device"], "d1", "{list}");
    let refusal = client.post(&path(&all[0], "/redrive"), &json!({})).expect(409).json();
    assert_eq!(refusal["type"], "urn:afferent:problem:not-redriven", "{refusal}");

    std::fs::write(&row, ROW).unwrap();
    let with = without.restart_after_kill();
    let client = with.client_again(&client);
    client.settle();
    let of_row = || {
        let found = client.search("Observation?patient=p1&_count=200");
        found.iter().filter(|observation| own_code(observation) == "grip-strength").count()
    };
    assert_eq!(of_row(), 0, "the pipeline is past them");
    client.post(&path(&all[0], "/redrive"), &json!({})).expect(200);
    for held in all {
        // The other packet of the stream could be read with it.
        let taken = client.get(&path(held, "")).expect(200).json();
        assert_eq!(taken["state"], "redriven", "{taken}");
        client.post(&path(held, "/redrive"), &json!({})).expect(409);
    }
    assert_eq!(of_row(), 2);
    let alerts = client.get("/api/v1/alerts").expect(200).json();
    assert_eq!(alerts["items"][0]["kind"], "packet-unreadable", "{alerts}");
    assert_eq!((alerts["items"].as_array().unwrap().len(), &alerts["items"][0]["occurrences"]), (1, &json!(2)));
}

#[test]
fn a_resource_that_is_not_valid_is_taken_up_again_when_its_row_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let row = directory.path().join("signal/grip-strength.toml");
    std::fs::create_dir(directory.path().join("signal")).unwrap();
    let profile =
        "[profile]\n\"us-core-6.1.0\" = \"http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate\"\n";
    std::fs::write(&row, format!("{ROW}{profile}")).unwrap();
    let first = Server::with_registry(directory.path());
    let client = first.client();
    client.link_device("d1", "p1").expect(201);
    let rates: Vec<Value> = (1..=5).map(|n| scalar("d1", n, "heart-rate", "/min", 60.0)).collect();
    let grips: Vec<Value> = (1..=3).map(|n| scalar("d1", n, "grip-strength", "kg", 40.0)).collect();
    client.ingest(&[rates, grips].concat()).expect(202);
    client.settle();
    let count = |client: &crate::support::Client, code: &str| {
        let found = client.search("Observation?patient=p1&_count=200");
        found.iter().filter(|observation| own_code(observation) == code).count()
    };
    assert_eq!((count(&client, "heart-rate"), count(&client, "grip-strength")), (5, 0));
    let list = client.get("/api/v1/quarantine?kind=projection&state=held").expect(200).json();
    let all = list["items"].as_array().unwrap().clone();
    assert_eq!(all.len(), 3, "{list}");
    assert_eq!(all[0]["packets"]["stream"], "grip-strength", "{list}");
    let content = client.get(&path(&all[0], "/content")).expect(200).json();
    let issue = &content["outcome"]["issue"][0];
    assert_eq!(
        (&content["outcome"]["resourceType"], &issue["severity"]),
        (&json!("OperationOutcome"), &json!("error"))
    );
    assert_eq!(content["content"]["resourceType"], "Observation");
    let refusal = client.post(&path(&all[0], "/redrive"), &json!({})).expect(409).json();
    assert_eq!(refusal["type"], "urn:afferent:problem:not-redriven", "{refusal}");
    let alerts = client.get("/api/v1/alerts?state=open").expect(200).json();
    assert_eq!(
        (&alerts["items"][0]["kind"], &alerts["items"][0]["occurrences"]),
        (&json!("resource-invalid"), &json!(3))
    );
    let metrics = client.get("/metrics").expect(200).text();
    for line in
        ["afferent_resources_held_total 3", "afferent_quarantine_held 3", "afferent_alerts_open{severity=\"error\"} 1"]
    {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    std::fs::write(&row, ROW).unwrap();
    let second = first.restart_after_kill();
    let client = second.client_again(&client);
    client.settle();
    assert_eq!(count(&client, "grip-strength"), 0, "the pipeline is past them");
    client.post(&path(&all[0], "/redrive"), &json!({})).expect(200);
    assert_eq!((count(&client, "heart-rate"), count(&client, "grip-strength")), (5, 3));
    let list = client.get("/api/v1/quarantine?state=held").expect(200).json();
    assert_eq!(list["items"], json!([]), "what came with it is settled too: {list}");
}

#[test]
fn another_packet_of_the_same_number_is_held_until_somebody_gives_it_up() {
    let server = Server::shared();
    let client = server.tenant();
    let packet = |value: f64| scalar("d1", 1, "heart-rate", "/min", value);
    client.ingest(&[packet(60.0)]).expect(202);
    for _ in 0..2 {
        client.ingest(&[packet(99.0)]).expect(409);
    }
    let found = client.get("/api/v1/quarantine").expect(200).json()["items"][0].clone();
    assert_eq!((&found["kind"], &found["state"]), (&json!("packet"), &json!("held")), "{found}");
    let content = client.get(&path(&found, "/content")).expect(200).json();
    assert_eq!(content["content"]["samples"]["values"], json!([99]), "{content}");
    client.post(&path(&found, "/redrive"), &json!({})).expect(409);
    client.post(&path(&found, "/discard"), &json!({})).expect(422);
    let given_up = client.post(&path(&found, "/discard"), &json!({"reason": "sent by a test"})).expect(200).json();
    assert_eq!(given_up["state"], "discarded", "{given_up}");
    assert_eq!(given_up["discarded_because"], "sent by a test");
    client.post(&path(&found, "/discard"), &json!({"reason": "again"})).expect(409);
    // Sent once more, it stays given up.
    client.ingest(&[packet(99.0)]).expect(409);
    let list = client.get("/api/v1/quarantine?state=held").expect(200).json();
    assert_eq!(list["items"], json!([]), "{list}");

    let alert = client.get("/api/v1/alerts?state=open").expect(200).json()["items"][0].clone();
    assert_eq!((&alert["kind"], &alert["occurrences"]), (&json!("packet-conflict"), &json!(1)), "{alert}");
    let own = format!("/api/v1/alerts/{}", alert["id"].as_str().unwrap());
    let sent = eventually("the alert in the log", || {
        let alert = client.get(&own).expect(200).json();
        (alert["sent"][0]["state"] == "sent").then_some(alert)
    });
    assert_eq!(sent["sent"][0]["channel"], "log", "{sent}");
    let seen = client.post(&format!("{own}/acknowledge"), &json!({})).expect(200).json();
    assert_eq!(seen["state"], "acknowledged", "{seen}");
    let stranger = server.tenant();
    for path in [path(&found, ""), path(&found, "/content"), own] {
        stranger.get(&path).expect(404);
    }
}
