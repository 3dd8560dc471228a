//! What Inferno demands to be refused (`subscription_rejection` of the Backport's kit), one by one: unsupported topic, filter,
//! channel type, endpoint, payload type, channel with payload, content level. Each is a 4xx that names the element, and
//! nothing is stored.

use serde_json::{Value, json};

use super::{BACKPORT, OWN, extend, heart_rate, to_criteria, to_topic};
use crate::support::{Client, Server};

const ENDPOINT: &str = "http://127.0.0.1:9/hook";

#[track_caller]
fn refused(client: &Client, subscription: &Value, element: &str) {
    let reply = client.post("/fhir/R4/Subscription", subscription);
    assert!((400..500).contains(&reply.status), "{}: {}", reply.status, reply.text());
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let text = outcome.to_string();
    assert!(text.contains(element), "{element} is not named in {text}");
    assert_eq!(client.fhir("Subscription?_summary=count")["total"], 0, "{subscription}");
}

fn changed(change: impl FnOnce(&mut Value)) -> Value {
    let mut subscription = to_topic("observation", &["patient=p1"], ENDPOINT, "id-only");
    change(&mut subscription);
    subscription
}

#[test]
fn unsupported_subscription_topic() {
    let server = Server::shared();
    let client = server.tenant();
    refused(&client, &changed(|s| s["criteria"] = json!("http://example.org/topics/none")), "Subscription.criteria");
}

#[test]
fn unsupported_subscription_filter() {
    let server = Server::shared();
    let client = server.tenant();
    for filter in
        ["favourite=blue", "Encounter?patient=p1", "date=2026", "patient.name=x", "Observation?", "_sort=date"]
    {
        let subscription = to_topic("observation", &[filter], ENDPOINT, "id-only");
        refused(&client, &subscription, "backport-filter-criteria");
    }
}

#[test]
fn unsupported_subscription_channel_type() {
    let server = Server::shared();
    let client = server.tenant();
    refused(&client, &changed(|s| s["channel"]["type"] = json!("sms")), "Subscription.channel.type");
    let custom = json!({"extension": [{"url": format!("{BACKPORT}backport-channel-type"),
        "valueCoding": {"system": "http://example.org/channels", "code": "zulip"}}]});
    refused(&client, &changed(|s| s["channel"]["_type"] = custom), "Subscription.channel.type");
}

#[test]
fn unsupported_subscription_channel_endpoint() {
    let server = Server::shared();
    let client = server.tenant();
    // Not a URL, another network, the metadata of a cloud, a password, another scheme; and plain http but to this machine.
    for endpoint in [
        "",
        "not a url",
        "http://10.0.0.1/hook",
        "http://169.254.169.254/latest",
        "https://[fd00::1]/hook",
        "https://user:secret@example.org/hook",
        "ftp://127.0.0.1/hook",
        "http://example.org/hook",
    ] {
        refused(&client, &changed(|s| s["channel"]["endpoint"] = json!(endpoint)), "Subscription.channel");
    }
}

#[test]
fn unsupported_subscription_payload_type() {
    let server = Server::shared();
    let client = server.tenant();
    for payload in ["application/fhir+xml", "text/csv"] {
        refused(&client, &changed(|s| s["channel"]["payload"] = json!(payload)), "Subscription.channel.payload");
    }
}

#[test]
fn unsupported_subscription_channel_payload_combo() {
    let client = Server::with_environment(&[
        ("AFFERENT_ALERTS_SMTP", "smtp://127.0.0.1:9"),
        ("AFFERENT_ALERTS_FROM", "a@example.org"),
    ]);
    let client = client.tenant();
    let mail = |s: &mut Value| {
        s["channel"]["type"] = json!("email");
        s["channel"]["endpoint"] = json!("mailto:desk@example.org");
    };
    refused(&client, &changed(mail), "Subscription.channel.payload");
}

#[test]
fn unsupported_subscription_content_level() {
    let server = Server::shared();
    let client = server.tenant();
    refused(&client, &to_topic("observation", &[], ENDPOINT, "everything"), "Subscription.channel.payload");
}

#[test]
fn criteria_that_cannot_be_told_of_one_resource_are_refused_by_name() {
    let server = Server::shared();
    let client = server.tenant();
    for criteria in [
        "Observation?date=ge2026",
        "Observation?patient.name=x",
        "Observation?_has:Provenance:target:agent=x",
        "Observation?colour=blue",
        "Observation?_count=5",
        "Nothing?code=x",
        "Subscription?status=active",
        "CodeSystem?url=x",
    ] {
        refused(&client, &to_criteria(criteria, ENDPOINT, None), "Subscription.criteria");
    }
}

#[test]
fn what_else_a_channel_cannot_do_is_refused_by_name() {
    let server = Server::shared();
    let client = server.tenant();
    refused(
        &client,
        &changed(|s| s["channel"]["header"] = json!(["Host: elsewhere"])),
        "Subscription.channel.header[0]",
    );
    refused(&client, &changed(|s| s["channel"]["header"] = json!(["no colon"])), "Subscription.channel.header[0]");
    refused(&client, &changed(|s| s["end"] = json!("2020-01-01T00:00:00Z")), "Subscription.end");
    refused(
        &client,
        &changed(|s| extend(s, &format!("{OWN}subscription-secret"), "valueString", json!("weak"))),
        "secret",
    );
    let attempts = |s: &mut Value| extend(s, &format!("{OWN}subscription-max-attempts"), "valuePositiveInt", json!(99));
    refused(&client, &changed(attempts), "subscription-max-attempts");
    // In a transaction as well, and nothing of it is stored.
    let entry = |resource: Value| json!({"resource": resource, "request": {"method": "POST", "url": "Subscription"}});
    let observation =
        json!({"resource": heart_rate("o1", "p1", 60), "request": {"method": "PUT", "url": "Observation/o1"}});
    let bad = changed(|s| s["criteria"] = json!("http://example.org/none"));
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [observation, entry(bad)]});
    let reply = client.post("/fhir/R4", &bundle);
    assert!(reply.status == 400 && reply.text().contains("Bundle.entry[1]"), "{}", reply.text());
    assert_eq!(client.observations(), 0);
}
