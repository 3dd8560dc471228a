//! Apps of one patient subscribe to what is that patient's, and see the Subscriptions of that patient's apps alone.

use serde_json::{Value, json};

use super::listener::Listener;
use super::{OWN, active, arrives, assert_valid, beat, becomes, to_criteria, to_topic};
use crate::support::{Client, Server};

const SCOPE: &str = "patient/Subscription.cruds patient/Observation.rs patient/Patient.rs patient/Device.rs";

/// The caller of one patient.
fn of(server: &Server, client: &Client, patient: &str) -> Client {
    let out =
        server.admin(&["key", "create", "--sandbox", "--tenant", "default", "--patient", patient, "--scope", SCOPE]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    client.with_key(String::from_utf8(out.stdout).unwrap().trim())
}

#[test]
fn criteria_must_name_the_patient() {
    let server = Server::start();
    let client = server.client();
    let one = of(&server, &client, "p1");
    let listener = Listener::start();
    let refused = |subscription: &Value, element: &str| {
        let reply = one.post("/fhir/R4/Subscription", subscription).expect(400);
        assert!(reply.text().contains(element), "{subscription}: {}", reply.text());
    };
    for filters in [&[][..], &["code=8867-4"], &["patient=p2"], &["patient=p1,p2"], &["patient:not=p1"]] {
        refused(&to_topic("vital-sign", filters, &listener.url, "id-only"), "backport-filter-criteria");
    }
    for criteria in
        ["Observation?code=8867-4", "Observation?patient=Patient/p2", "Patient?_id=p1,p2", "Device?status=active"]
    {
        refused(&to_criteria(criteria, &listener.url, None), "Subscription.criteria");
    }
    // What the scopes say nothing of, or what is nobody's, is not theirs to be told of.
    for criteria in ["Condition?patient=p1", "Flag?patient=p1"] {
        one.post("/fhir/R4/Subscription", &to_criteria(criteria, &listener.url, None)).expect(403);
    }
    assert_eq!(client.fhir("Subscription?_summary=count")["total"], 0);
    active(&one, &to_topic("vital-sign", &["code=8867-4", "patient=p1"], &listener.url, "id-only"));
    for criteria in
        ["Observation?subject=Patient/p1", "Observation?code=8867-4&patient=p1", "Patient?_id=p1", "Device?patient=p1"]
    {
        active(&one, &to_criteria(criteria, &listener.url, None));
    }
}

#[test]
fn of_two_patients_neither_is_told_of_or_sees_what_is_the_others() {
    let server = Server::start();
    let client = server.client();
    let (one, other) = (of(&server, &client, "p1"), of(&server, &client, "p2"));
    let listeners = [Listener::start(), Listener::start()];
    let mine = active(&one, &to_topic("vital-sign", &["patient=p1"], &listeners[0].url, "full-resource"));
    // Whose it is is not the client's to say.
    let mut claimed = to_topic("vital-sign", &["patient=p2"], &listeners[1].url, "full-resource");
    claimed["extension"] =
        json!([{"url": format!("{OWN}subscription-patient"), "valueReference": {"reference": "Patient/p1"}}]);
    let theirs = active(&other, &claimed);
    // What others asked for about a patient is not the patient's.
    let system = active(&client, &to_criteria("Observation?patient=p1", &listeners[0].url, None));
    for (rate, patient) in [(61, "p1"), (62, "p2"), (63, "p1"), (64, "p2"), (65, "p3")] {
        beat(&client, &format!("o{rate}"), patient, rate);
    }
    for (listener, patient) in listeners.iter().zip(["p1", "p2"]) {
        assert_eq!(arrives(listener, 2), [1, 2]);
        for told in listener.told() {
            for entry in told.json()["entry"].as_array().into_iter().flatten().skip(1) {
                assert_eq!(entry["resource"]["subject"]["reference"], format!("Patient/{patient}"));
            }
        }
    }
    let shown = one.fhir(&format!("Subscription/{mine}"));
    assert_eq!(shown["extension"][0]["valueReference"]["reference"], "Patient/p1");
    assert_valid("patient", &shown.to_string());
    assert_eq!(
        other.fhir(&format!("Subscription/{theirs}"))["extension"][0]["valueReference"]["reference"],
        "Patient/p2"
    );
    for (client, own) in [(&one, &mine), (&other, &theirs)] {
        assert_eq!(client.fhir("Subscription")["total"], 1);
        let all = client.fhir("Subscription/$status");
        assert!(all["total"] == 1 && all.to_string().contains(own.as_str()), "{all}");
        client.get(&format!("/fhir/R4/Subscription/{own}/$events")).expect(200);
    }
    assert_eq!(client.fhir("Subscription?patient=p1")["total"], 1);
    for id in [&mine, &system] {
        let path = format!("/fhir/R4/Subscription/{id}");
        for operation in ["", "/_history/1", "/$status", "/$events", "/$get-ws-binding-token"] {
            other.get(&format!("{path}{operation}")).expect(404);
        }
        other.get(&format!("/fhir/R4/Subscription/$status?id={id}")).expect(404);
        let mut taken = to_topic("vital-sign", &["patient=p2"], &listeners[1].url, "empty");
        taken["id"] = json!(id);
        other.put(&path, &taken).expect(403);
        assert!(other.delete(&path).status >= 400);
    }
    assert!(one.delete(&format!("/fhir/R4/Subscription/{system}")).status >= 400);
    // Changed, it is held to the same.
    let mut changed = shown;
    changed["_criteria"]["extension"][0]["valueString"] = json!("patient=p2");
    let reply = one.put(&format!("/fhir/R4/Subscription/{mine}"), &changed).expect(400);
    assert!(reply.text().contains("backport-filter-criteria"), "{}", reply.text());
    becomes(&one, &mine, "active");
    one.delete(&format!("/fhir/R4/Subscription/{mine}")).expect(204);
    assert_eq!(client.fhir("Subscription?patient=p1")["total"], 0);
}
