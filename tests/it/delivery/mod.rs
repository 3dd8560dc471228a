//! Exports delivered: to a receiver of the project's own, and to Medplum's code where that is beside the repository.

mod chaos;
mod contract;
mod demo;
mod listener;
mod medplum;
mod oauth;
mod process;
mod receiver;
mod shaky;

use serde_json::{Value, json};

use crate::support::{Client, Ecg, eventually, time};
use receiver::{CLIENT, Receiver, SECRET};

/// An OAuth provider, a Medplum project and an export `ehr` to it.
fn connect(client: &Client, receiver: &Receiver, binding: &str) {
    give_tokens(client, &receiver.url());
    export(client, &receiver.base(), binding);
}

/// An OAuth provider at this URL; gives its id.
fn give_tokens(client: &Client, url: &str) -> &'static str {
    let token_url = format!("{url}/oauth2/token");
    let provider = json!({"name": "Receiver", "token_url": token_url, "client_id": CLIENT, "client_secret": SECRET});
    client.put("/api/v1/oauth-providers/receiver", &provider).expect(201);
    "receiver"
}

/// A Medplum project and an export `ehr` to it.
fn export(client: &Client, base: &str, binding: &str) {
    let config = json!({"base_url": base, "oauth_provider_id": "receiver", "binding_mode": binding});
    client.put("/api/v1/fhir-medplum-configs/project", &config).expect(201);
    let export = json!({"kind": "fhir_medplum", "target_ref": "project"});
    client.put("/api/v1/data-exports/ehr", &export).expect(201);
}

/// A program whose episodes are exported on a trigger, and a patient in it for each of these names.
fn enrol(client: &Client, trigger: &str, patients: &[String]) {
    let spec = json!({"signals": [{"signal": "heart-rate"}], "exports": [{"name": "all", "trigger": trigger, "target": "ehr"}]});
    client.put("/api/v1/programs/heart", &json!({"title": "Heart rhythm at home"})).expect(201);
    client.put("/api/v1/programs/heart/profiles/ward/versions/1", &json!({"spec": spec})).expect(201);
    for patient in patients {
        let enrolment = json!({"program": "heart", "profile": {"id": "ward", "version": 1}, "patient": patient});
        client.put(&format!("/api/v1/enrolments/n-{patient}"), &enrolment).expect(201);
    }
}

fn open(client: &Client, episode: &str, patient: &str, devices: &[&str]) {
    let body = json!({"enrolment": format!("n-{patient}"), "start": time(0), "devices": devices});
    client.put(&format!("/api/v1/episodes/{episode}"), &body).expect(201);
}

fn close(client: &Client, episode: &str, seconds: i64) {
    client.post(&format!("/api/v1/episodes/{episode}/close"), &json!({"at": time(seconds * 1_000_000)})).expect(200);
}

/// Operations in a state.
fn operations(client: &Client, state: &str) -> Vec<Value> {
    let mut found = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.get(&format!("/api/v1/operations?count=1000&state={state}{after}")).expect(200).json();
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return found,
        }
    }
}

/// Waits until so many operations have come to their end, and nothing is due.
#[track_caller]
fn delivered(client: &Client, operations_at_least: usize) {
    eventually("all to be delivered", || {
        let left = operations(client, "pending").len() + operations(client, "in_progress").len();
        let over = operations(client, "succeeded").len() + operations(client, "failed").len();
        (left == 0 && over >= operations_at_least).then_some(())
    });
}

/// An electrocardiogram of five minutes and a bit, on a patient, in an episode that ends.
fn record(client: &Client, patient: &str) {
    open(client, "e1", patient, &["chest-1"]);
    let mut packets = Ecg::new(330).packets("chest-1");
    packets.iter_mut().for_each(|packet| drop(packet.as_object_mut().unwrap().remove("end_of_stream")));
    client.ingest_all(&packets);
    client.settle();
    close(client, "e1", 330);
}
