//! At least once, in order, without a gap: whatever fails.

use std::time::{Duration, Instant};

use serde_json::json;

use super::listener::{Answer, Listener, numbers};
use super::{OWN, active, arrives, beat, becomes, extend, to_topic};
use crate::support::{Server, eventually, scalar};

/// First of each number, in the order they came.
fn in_order(found: &[i64]) -> Vec<i64> {
    let mut seen = std::collections::BTreeSet::new();
    found.iter().copied().filter(|number| seen.insert(*number)).collect()
}

#[test]
fn what_fails_is_sent_again_in_order_and_nothing_overtakes_it() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &[], &listener.url, "id-only");
    extend(
        &mut subscription,
        "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-max-count",
        "valuePositiveInt",
        json!(1),
    );
    active(&client, &subscription);
    listener.answer(&[Answer::Status(500), Answer::Status(302)]);
    for n in 0..5 {
        beat(&client, &format!("o{n}"), "p1", 60);
    }
    assert_eq!(arrives(&listener, 5), [1, 2, 3, 4, 5]);
}

#[test]
fn after_enough_failures_it_is_in_error_and_nothing_is_lost() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &[], &listener.url, "id-only");
    extend(&mut subscription, &format!("{OWN}subscription-max-attempts"), "valuePositiveInt", json!(2));
    let id = active(&client, &subscription);
    listener.answer(&[Answer::Status(500), Answer::Status(500)]);
    beat(&client, "o1", "p1", 60);
    let failed = becomes(&client, &id, "error");
    assert!(failed["error"].as_str().unwrap().contains("500"));
    beat(&client, "o2", "p1", 60);
    beat(&client, "o3", "p1", 60);
    let mut again = failed;
    again["status"] = json!("requested");
    client.put(&format!("/fhir/R4/Subscription/{id}"), &again).expect(200);
    assert_eq!(arrives(&listener, 3), [1, 2, 3]);
}

#[test]
fn a_slow_endpoint_is_waited_for_by_itself_alone() {
    let server = Server::shared();
    let client = server.tenant();
    let (slow, fast) = (Listener::start(), Listener::start());
    active(&client, &to_topic("observation", &[], &slow.url, "id-only"));
    active(&client, &to_topic("observation", &[], &fast.url, "id-only"));
    slow.answer(&[Answer::Late(5000)]);
    beat(&client, "o0", "p1", 60);
    eventually("the slow one to be asked", || (!slow.numbers().is_empty()).then_some(()));
    let begin = Instant::now();
    for n in 1..20 {
        beat(&client, &format!("o{n}"), "p1", 60);
    }
    arrives(&fast, 20);
    // The slow one still waits for its first answer.
    assert!(slow.numbers().len() < 20 || begin.elapsed() > Duration::from_secs(4));
    assert_eq!(arrives(&slow, 20), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_server_that_is_killed_loses_nothing() {
    let mut server = Server::start();
    let mut client = server.client();
    let listener = Listener::start();
    let id = active(&client, &to_topic("observation", &[], &listener.url, "id-only"));
    for round in 0..3 {
        for n in 0..15 {
            beat(&client, &format!("o{round}-{n}"), "p1", 60);
        }
        server = server.restart_after_kill();
        client = server.client_again(&client);
    }
    let found = eventually("45 events", || Some(in_order(&listener.numbers())).filter(|numbers| numbers.len() >= 45));
    assert_eq!(found, (1..=45).collect::<Vec<_>>());
    assert_eq!(numbers(&client.fhir(&format!("Subscription/{id}/$events"))), found);
}

#[test]
fn what_devices_send_is_told_too_and_late_data_as_a_change() {
    let server = Server::shared();
    let client = server.tenant();
    let listener = Listener::start();
    client.link_device("d1", "p1").expect(201);
    active(&client, &to_topic("vital-sign", &["code=59408-5"], &listener.url, "full-resource"));
    let packets: Vec<_> = (1..=5).map(|n| scalar("d1", n, "spo2", "%", 97.0)).collect();
    client.ingest_all(&packets);
    client.settle();
    let stored = usize::try_from(client.observations()).unwrap();
    assert!(stored >= 5);
    let found = arrives(&listener, stored);
    assert_eq!(in_order(&found), (1..=i64::try_from(stored).unwrap()).collect::<Vec<_>>());
}

#[test]
fn who_lost_the_right_is_told_nothing_more() {
    let server = Server::start();
    let client = server.client();
    let created = server.admin(&["key", "create", "--sandbox", "--tenant", "default"]);
    let other = client.with_key(String::from_utf8(created.stdout).unwrap().trim());
    let keys = String::from_utf8(server.admin(&["key", "list"]).stdout).unwrap();
    let listener = Listener::start();
    let id = active(&other, &to_topic("observation", &[], &listener.url, "id-only"));
    beat(&client, "o1", "p1", 60);
    arrives(&listener, 1);
    // The newest key is the last in the list.
    let key = keys.lines().last().unwrap().split('\t').next().unwrap();
    assert!(server.admin(&["key", "revoke", key]).status.success());
    eventually("the key to be refused", || (other.get("/fhir/R4/Patient").status == 401).then_some(()));
    std::thread::sleep(Duration::from_millis(1200));
    beat(&client, "o2", "p1", 60);
    let off = becomes(&client, &id, "off");
    assert!(off["error"].as_str().unwrap().contains("taken back"), "{off}");
    beat(&client, "o3", "p1", 60);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(listener.numbers(), [1]);
}

#[test]
fn somebody_with_less_is_told_less() {
    let server = Server::start();
    let client = server.client();
    let key = |scope: &str| {
        let out = server.admin(&["key", "create", "--sandbox", "--tenant", "default", "--scope", scope]);
        client.with_key(String::from_utf8(out.stdout).unwrap().trim())
    };
    let listener = Listener::start();
    // No right to search what is asked for.
    let blind = key("system/Subscription.cruds system/Patient.rs");
    blind.post("/fhir/R4/Subscription", &to_topic("observation", &[], &listener.url, "id-only")).expect(403);
    // No right to write Subscriptions.
    let reader = key("system/*.rs");
    reader.post("/fhir/R4/Subscription", &to_topic("observation", &[], &listener.url, "id-only")).expect(403);
    // No right to what somebody else is told, by way of their Subscription.
    let mut socket = to_topic("observation", &[], "", "full-resource");
    socket["channel"]["type"] = json!("websocket");
    socket["channel"].as_object_mut().unwrap().remove("endpoint");
    let others = active(&client, &socket);
    let token = format!("/fhir/R4/Subscription/{others}/$get-ws-binding-token");
    blind.get(&token).expect(403);
    reader.get(&token).expect(200);
    let events = blind.fhir(&format!("Subscription/{others}/$events"));
    assert!(!events.to_string().contains("Observation/"), "{events}");
    // Some of them alone.
    let some = key("system/Subscription.cruds system/Observation.rs?category=laboratory");
    some.get(&token).expect(403);
    active(&some, &to_topic("observation", &[], &listener.url, "full-resource"));
    beat(&client, "o1", "p1", 60);
    let mut laboratory = super::heart_rate("o2", "p1", 60);
    laboratory["category"][0]["coding"][0]["code"] = json!("laboratory");
    laboratory["code"]["coding"][0]["code"] = json!("2345-7");
    client.put("/fhir/R4/Observation/o2", &laboratory).expect(201);
    assert_eq!(arrives(&listener, 1), [1]);
    let told = listener.told();
    assert!(told.iter().all(|told| !told.text.contains("Observation/o1")), "{told:?}");
    assert_eq!(told[1].json()["entry"][1]["resource"]["id"], "o2");
}
