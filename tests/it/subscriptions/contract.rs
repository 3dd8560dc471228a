//! What the Backport demands of a server and Inferno asks for, by name (`../shared/facts/fhir-checklists.md`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::listener::{Answer, Listener, focuses, numbers, parameter};
use super::{
    BACKPORT, OWN, active, arrives, assert_valid, beat, becomes, extend, heart_rate, subscribe, to_criteria, to_topic,
    topic,
};
use crate::support::{Server, eventually};

#[test]
fn capability_statement_conformance() {
    let server = Server::shared();
    let client = server.tenant();
    let statement = client.fhir("metadata");
    let instantiates = statement["instantiates"].to_string();
    assert!(instantiates.contains("CapabilityStatement/backport-subscription-server-r4"), "{instantiates}");
    let all = statement["rest"][0]["resource"].as_array().unwrap();
    let row = all.iter().find(|row| row["type"] == "Subscription").unwrap();
    assert_eq!(row["supportedProfile"], json!([format!("{BACKPORT}backport-subscription")]));
    let topics = row["extension"].as_array().unwrap();
    let is_topic = |url: &str| topics.iter().any(|extension| extension["valueCanonical"] == url);
    for id in ["observation", "vital-sign", "derived-metric", "low-quality", "alert-raised", "episode-closed"] {
        assert!(is_topic(&topic(id)), "{id}");
    }
    let operations = row["operation"].to_string();
    for name in ["status", "events", "get-ws-binding-token"] {
        assert!(operations.contains(&format!("backport-subscription-{name}")), "{name}");
    }
    let codes: Vec<&str> = row["interaction"].as_array().unwrap().iter().map(|i| i["code"].as_str().unwrap()).collect();
    assert!(["read", "create", "update", "delete", "search-type"].iter().all(|code| codes.contains(code)));
}

#[test]
fn rest_hook_handshake_then_active_then_an_event_of_each_content() {
    let server = Server::shared();
    let client = server.tenant();
    for (content, has_focus, entries) in [("empty", false, 1), ("id-only", true, 1), ("full-resource", true, 2)] {
        let listener = Listener::start();
        let mut subscription = to_topic("vital-sign", &["patient=Patient/p1"], &listener.url, content);
        subscription["channel"]["header"] = json!(["Authorization: Bearer abc", "X-Custom: one"]);
        let id = active(&client, &subscription);
        let hello = listener.told();
        let handshake = hello[0].json();
        assert_eq!((hello.len(), hello[0].method.as_str()), (1, "POST"));
        assert_eq!(hello[0].headers["content-type"], "application/fhir+json");
        assert_eq!(
            (hello[0].headers["authorization"].as_str(), hello[0].headers["x-custom"].as_str()),
            ("Bearer abc", "one")
        );
        assert_eq!((&handshake["type"], parameter(&handshake, "type")), (&json!("history"), &json!("handshake")));
        assert_eq!(parameter(&handshake, "status"), "requested");
        assert_eq!(parameter(&handshake, "events-since-subscription-start"), "0");
        assert_eq!(parameter(&handshake, "topic"), &json!(topic("vital-sign")));

        beat(&client, &format!("of-{content}"), "p1", 60);
        beat(&client, &format!("other-{content}"), "p2", 60);
        assert_eq!(arrives(&listener, 1), [1]);
        let notification = listener.told()[1].json();
        assert_eq!(parameter(&notification, "type"), "event-notification");
        assert_eq!(parameter(&notification, "status"), "active");
        assert_eq!(parameter(&notification, "events-since-subscription-start"), "1");
        let reference = parameter(&notification, "subscription")["reference"].as_str().unwrap().to_owned();
        assert!(reference.ends_with(&format!("/fhir/R4/Subscription/{id}")) && reference.starts_with("http://"));
        assert_eq!(focuses(&notification).len(), usize::from(has_focus), "{notification}");
        let all = notification["entry"].as_array().unwrap();
        assert_eq!(all.len(), entries);
        assert_eq!(all[0]["request"]["method"], "GET");
        assert!(all[0]["request"]["url"].as_str().unwrap().ends_with(&format!("Subscription/{id}/$status")));
        if entries == 2 {
            assert_eq!(all[1]["resource"]["id"], format!("of-{content}"));
            assert_eq!(all[1]["request"], json!({"method": "POST", "url": "Observation"}));
            assert!(all[1]["fullUrl"].as_str().unwrap().ends_with(&format!("Observation/of-{content}")));
        }
        assert_valid("handshake", &listener.told()[0].text);
        assert_valid("event", &listener.told()[1].text);
        let answers = [("status", format!("{id}/$status")), ("events", format!("{id}/$events")), ("topic", id.clone())];
        for (what, path) in answers {
            assert_valid(what, &client.fhir(&format!("Subscription/{path}")).to_string());
        }
        client.delete(&format!("/fhir/R4/Subscription/{id}")).expect(204);
    }
}

#[test]
fn a_handshake_that_fails_is_an_error_and_nothing_starts_by_itself() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    listener.answer(&[Answer::Status(503)]);
    let id = subscribe(&client, &to_topic("observation", &[], &listener.url, "id-only"));
    let failed = becomes(&client, &id, "error");
    assert!(failed["error"].as_str().unwrap().contains("503"), "{failed}");
    // Events are counted all the same, and $status answers.
    beat(&client, "o1", "p1", 60);
    let status = eventually("the event to be counted", || {
        let status = client.fhir(&format!("Subscription/{id}/$status"));
        (parameter(&status, "events-since-subscription-start") == "1").then_some(status)
    });
    assert_eq!((parameter(&status, "status"), status["type"].as_str()), (&json!("error"), Some("searchset")));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(client.fhir(&format!("Subscription/{id}"))["status"], "error");
    assert!(listener.told().is_empty());
    // The client asks anew, and gets what it missed.
    let mut again = client.fhir(&format!("Subscription/{id}"));
    again["status"] = json!("requested");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &again).expect(200);
    becomes(&client, &id, "active");
    assert_eq!(arrives(&listener, 1), [1]);
    // A client can stop it as well.
    let mut off = client.fhir(&format!("Subscription/{id}"));
    off["status"] = json!("off");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &off).expect(200);
    beat(&client, "o2", "p1", 60);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(listener.numbers(), [1]);
}

#[test]
fn status_of_type_and_instance() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    let one = active(&client, &to_topic("observation", &[], &listener.url, "empty"));
    let two = active(&client, &to_topic("vital-sign", &[], &listener.url, "empty"));
    let ids = |bundle: &Value| {
        let all = bundle["entry"].as_array().cloned().unwrap_or_default();
        let mut ids: Vec<String> = all
            .iter()
            .map(|entry| json!({"entry": [entry]}))
            .map(|one| {
                parameter(&one, "subscription")["reference"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
            })
            .collect();
        ids.sort();
        ids
    };
    assert_valid("status", &client.fhir("Subscription/$status").to_string());
    let mut both = vec![one.clone(), two.clone()];
    both.sort();
    assert_eq!(ids(&client.fhir("Subscription/$status")), both);
    assert_eq!(ids(&client.fhir(&format!("Subscription/$status?id={one}"))), std::slice::from_ref(&one));
    assert_eq!(ids(&client.fhir(&format!("Subscription/$status?id={one}&id={two}"))), both);
    assert!(ids(&client.fhir("Subscription/$status?status=off")).is_empty());
    assert_eq!(ids(&client.fhir("Subscription/$status?status=active")), both);
    let body = json!({"resourceType": "Parameters", "parameter": [{"name": "id", "valueId": one}]});
    assert_eq!(ids(&client.post("/fhir/R4/Subscription/$status", &body).expect(200).json()), [one]);
    client.get("/fhir/R4/Subscription/$status?status=asleep").expect(400);
    client.get("/fhir/R4/Subscription/nobody/$status").expect(404);
}

#[test]
fn events_are_those_of_the_log() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    let id = active(&client, &to_topic("observation", &["code=http://loinc.org|8867-4"], &listener.url, "id-only"));
    for n in 0..5 {
        beat(&client, "o1", "p1", 60 + n);
    }
    arrives(&listener, 5);
    let events = |query: &str| client.fhir(&format!("Subscription/{id}/$events{query}"));
    let all = events("");
    assert_eq!((all["type"].as_str(), numbers(&all)), (Some("history"), vec![1, 2, 3, 4, 5]));
    assert_eq!(parameter(&all, "type"), "query-event");
    assert_eq!(numbers(&events("?eventsSinceNumber=2&eventsUntilNumber=3")), [2, 3]);
    assert_eq!(focuses(&events("?eventsSinceNumber=5")), ["Observation/o1"]);
    let whole = events("?eventsSinceNumber=2&eventsUntilNumber=2&content=full-resource");
    // The version it was then, not what it is now.
    assert_eq!(whole["entry"][1]["resource"]["valueQuantity"]["value"], 61);
    assert!(focuses(&events("?content=empty")).is_empty());
    client.get(&format!("/fhir/R4/Subscription/{id}/$events?content=all")).expect(400);
    client.get(&format!("/fhir/R4/Subscription/{id}/$events?eventsSinceNumber=x")).expect(400);
}

#[test]
fn r4_criteria_put_the_resource_or_post_nothing() {
    let server = Server::shared();
    let client = server.tenant();
    let (whole, bare) = (Listener::start(), Listener::start());
    let id = active(
        &client,
        &to_criteria(
            "Observation?code=8867-4&patient=Patient/p1&value-quantity=gt100",
            &whole.url,
            Some("application/fhir+json"),
        ),
    );
    active(&client, &to_criteria("Observation?patient=p1", &bare.url, None));
    assert_valid("criteria", &client.fhir(&format!("Subscription/{id}")).to_string());
    assert_valid("events", &client.fhir(&format!("Subscription/{id}/$events")).to_string());
    assert!(whole.told().is_empty(), "R4 has no handshake");
    beat(&client, "slow", "p1", 60);
    beat(&client, "fast", "p1", 120);
    beat(&client, "others", "p2", 130);
    let told = eventually("the resource", || Some(whole.told()).filter(|told| !told.is_empty()));
    assert_eq!((told[0].method.as_str(), told[0].path.as_str()), ("PUT", "/hook/Observation/fast"));
    assert_eq!(told[0].json()["valueQuantity"]["value"], 120);
    assert_valid("resource", &told[0].text);
    let told = eventually("both pings", || Some(bare.told()).filter(|told| told.len() == 2));
    assert!(told.iter().all(|told| told.method == "POST" && told.path == "/hook" && told.text.is_empty()));
    assert_eq!(whole.told().len(), 1);
}

#[test]
fn notifications_are_signed_and_the_secret_is_not_shown() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let server = Server::start();
    let client = server.tenant();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &[], &listener.url, "id-only");
    extend(&mut subscription, &format!("{OWN}subscription-secret"), "valueString", json!(SECRET));
    let id = active(&client, &subscription);
    let signed = |told: &super::listener::Told| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(&SECRET[6..]).unwrap());
        let text = format!("{}.{}.{}", told.headers["webhook-id"], told.headers["webhook-timestamp"], told.text);
        let expected = format!("v1,{}", STANDARD.encode(hmac::sign(&key, text.as_bytes())));
        assert_eq!(told.headers["webhook-signature"], expected);
    };
    signed(&listener.told()[0]);
    let shown = client.get(&format!("/fhir/R4/Subscription/{id}")).text();
    assert!(!shown.contains(SECRET) && shown.contains("masked"), "{shown}");
    // Written back as it was read, it is signed as before.
    client.put(&format!("/fhir/R4/Subscription/{id}"), &serde_json::from_str(&shown).unwrap()).expect(200);
    becomes(&client, &id, "active");
    beat(&client, "o1", "p1", 60);
    arrives(&listener, 1);
    listener.told().iter().for_each(signed);
    assert!(!server.log().contains(SECRET) && !server.log().contains(&listener.url));
}

#[test]
fn batches_and_heartbeats() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &[], &listener.url, "id-only");
    extend(&mut subscription, &format!("{BACKPORT}backport-max-count"), "valuePositiveInt", json!(3));
    extend(&mut subscription, &format!("{BACKPORT}backport-heartbeat-period"), "valueUnsignedInt", json!(1));
    active(&client, &subscription);
    let entries: Vec<Value> = (0..10)
        .map(|n| json!({"resource": heart_rate(&format!("o{n}"), "p1", 60), "request": {"method": "PUT", "url": format!("Observation/o{n}")}}))
        .collect();
    client.post("/fhir/R4", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})).expect(200);
    assert_eq!(arrives(&listener, 10), (1..=10).collect::<Vec<_>>());
    assert!(listener.told().iter().all(|told| numbers(&told.json()).len() <= 3));
    let beats = || listener.told().iter().filter(|told| parameter(&told.json(), "type") == "heartbeat").count();
    eventually("two heartbeats", || (beats() >= 2).then_some(()));
    let told = listener.told();
    assert_valid("heartbeat", &told.last().unwrap().text);
    assert_eq!(parameter(&told.last().unwrap().json(), "type"), "heartbeat");
}

#[test]
fn a_topic_of_what_comes_to_be_is_told_once() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    active(&client, &to_topic("alert-raised", &["patient=p1"], &listener.url, "id-only"));
    let flag = |status: &str, text: &str| {
        json!({"resourceType": "Flag", "id": "f1", "status": status,
        "code": {"text": text}, "subject": {"reference": "Patient/p1"}})
    };
    for (status, text) in [("inactive", "a"), ("active", "a"), ("active", "b"), ("inactive", "b"), ("active", "b")] {
        let reply = client.put("/fhir/R4/Flag/f1", &flag(status, text));
        assert!(reply.status < 300, "{}", reply.text());
    }
    assert_eq!(arrives(&listener, 2), [1, 2]);
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(listener.numbers(), [1, 2]);
}
