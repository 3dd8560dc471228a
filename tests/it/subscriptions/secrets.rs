//! What nobody but the endpoint is to know is shown to nobody, and lies nowhere in the clear.

use serde_json::{Value, json};

use super::listener::Listener;
use super::{OWN, active, arrives, assert_valid, beat, becomes, extend, to_topic};
use crate::support::{Server, database};

const TOKEN: &str = "hook-token-8c1f";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn with_secrets(listener: &Listener) -> Value {
    let mut subscription = to_topic("observation", &["patient=p1"], &listener.url, "id-only");
    extend(&mut subscription, &format!("{OWN}subscription-secret"), "valueString", json!(SECRET));
    subscription["channel"]["header"] = json!([format!("Authorization: Bearer {TOKEN}"), format!("X-Key: {TOKEN}-2")]);
    subscription
}

#[test]
fn values_of_headers_are_shown_to_nobody() {
    let server = Server::start();
    let client = server.client();
    let listener = Listener::start();
    let created = client.post("/fhir/R4/Subscription", &with_secrets(&listener)).expect(201);
    assert!(!created.text().contains(TOKEN) && !created.text().contains(SECRET), "{}", created.text());
    let id = created.json()["id"].as_str().unwrap().to_owned();
    becomes(&client, &id, "active");
    beat(&client, "o1", "p1", 60);
    arrives(&listener, 1);
    for path in [
        format!("Subscription/{id}"),
        format!("Subscription/{id}/_history/1"),
        format!("Subscription/{id}/_history"),
        "Subscription/_history".to_owned(),
        "_history".to_owned(),
        format!("Subscription?url={}", listener.url),
        format!("Subscription/{id}?_format=xml"),
        "Subscription?_format=ndjson".to_owned(),
        format!("Subscription/{id}/$status"),
        format!("Subscription/{id}/$events"),
    ] {
        let text = client.get(&format!("/fhir/R4/{path}")).expect(200).text();
        assert!(!text.contains(TOKEN) && !text.contains(SECRET), "{path}: {text}");
    }
    let shown = client.fhir(&format!("Subscription/{id}"));
    assert_eq!(shown["channel"]["header"], json!(["Authorization: ***", "X-Key: ***"]));
    assert_valid("masked", &shown.to_string());
    for told in listener.told() {
        assert_eq!(told.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(told.headers["x-key"], format!("{TOKEN}-2"));
        assert!(!told.text.contains(TOKEN));
    }
    let clear = "SELECT COUNT(*) FROM subscription WHERE definition LIKE '%hook-token-8c1f%' OR sealed LIKE '%hook-token%' \
        OR sealed LIKE '%whsec%' OR secret IS NOT NULL OR is_sealed = 0 OR sealed IS NULL";
    assert_eq!(database::number(&server.url(), clear), 0);
    assert!(!server.log().contains(TOKEN));
}

#[test]
fn written_back_masked_a_value_stays_where_the_endpoint_does() {
    let mut server = Server::start();
    let mut client = server.client();
    let (listener, elsewhere) = (Listener::start(), Listener::start());
    let id = active(&client, &with_secrets(&listener));
    let path = format!("/fhir/R4/Subscription/{id}");
    let mut shown = client.fhir(&format!("Subscription/{id}"));
    shown["reason"] = json!("another");
    client.put(&path, &shown).expect(200);
    becomes(&client, &id, "active");
    // One is new, the other is what it was; so it is through a restart.
    shown["channel"]["header"] = json!(["Authorization: Bearer new", "X-Key: ***"]);
    client.put(&path, &shown).expect(200);
    becomes(&client, &id, "active");
    server = server.restart_after_kill();
    client = server.client_again(&client);
    beat(&client, "o1", "p1", 60);
    arrives(&listener, 1);
    let last = listener.told().pop().unwrap();
    assert_eq!(
        (last.headers["authorization"].as_str(), last.headers["x-key"].as_str()),
        ("Bearer new", "hook-token-8c1f-2")
    );
    assert!(last.headers.contains_key("webhook-signature"));
    // Nobody is told them by having them sent elsewhere, or knows whether there are any.
    let refused = |subscription: &Value, element: &str| {
        let reply = client.put(&path, subscription).expect(400);
        assert!(reply.text().contains(element), "{}", reply.text());
    };
    let mut moved = client.fhir(&format!("Subscription/{id}"));
    moved["channel"]["endpoint"] = json!(elsewhere.url);
    refused(&moved, "subscription-secret");
    moved["channel"].as_object_mut().unwrap().remove("extension");
    refused(&moved, "Subscription.channel.header[0]");
    moved["channel"]["header"] = json!(["Authorization: Bearer mine", "X-Key: ***"]);
    refused(&moved, "Subscription.channel.header[1]");
    let mut more = client.fhir(&format!("Subscription/{id}"));
    more["channel"]["header"] = json!(["X-Key: ***", "X-Key: ***"]);
    refused(&more, "Subscription.channel.header[1]");
    let mut new = with_secrets(&listener);
    new["channel"]["header"] = json!(["Authorization: ***"]);
    let reply = client.post("/fhir/R4/Subscription", &new).expect(400);
    assert!(reply.text().contains("Subscription.channel.header[0]"), "{}", reply.text());
    assert!(elsewhere.told().is_empty());
    // What was deleted is not kept.
    client.delete(&path).expect(204);
    refused(&client.fhir(&format!("Subscription/{id}/_history/2")), "masked");
    // Said again, all may be as it is wanted.
    moved["channel"]["header"] = json!(["Authorization: Bearer mine"]);
    client.put(&path, &moved).expect(201);
    becomes(&client, &id, "active");
    assert_eq!(elsewhere.told()[0].headers["authorization"], "Bearer mine");
}

#[test]
fn what_a_database_holds_already_is_sealed_when_the_server_starts() {
    let mut server = Server::start();
    let mut client = server.client();
    let listener = Listener::start();
    let id = active(&client, &with_secrets(&listener));
    server.kill();
    // As it was kept before.
    let before = "UPDATE subscription SET is_sealed = 0, sealed = NULL, secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', \
        definition = REPLACE(definition, '\"max_count\"', '\"headers\":[[\"authorization\",\"Bearer of-before\"]],\"max_count\"') \
        RETURNING 1";
    database::number(&server.url(), before);
    server = server.restart_after_kill();
    client = server.client_again(&client);
    beat(&client, "o1", "p1", 60);
    arrives(&listener, 1);
    let last = listener.told().pop().unwrap();
    assert_eq!(last.headers["authorization"], "Bearer of-before");
    assert!(last.headers.contains_key("webhook-signature") && !last.headers.contains_key("x-key"));
    let sealed = "SELECT COUNT(*) FROM subscription WHERE is_sealed = 1 AND secret IS NULL AND definition NOT LIKE '%of-before%' \
        AND sealed NOT LIKE '%of-before%'";
    assert_eq!(database::number(&server.url(), sealed), 1);
    client.delete(&format!("/fhir/R4/Subscription/{id}")).expect(204);
}
