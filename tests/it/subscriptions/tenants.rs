//! Two tenants with the same ids: neither is told of, sees or changes what is the other's.

use serde_json::json;

use super::listener::Listener;
use super::{active, arrives, beat, to_topic};
use crate::support::{Client, Random, Server};

fn put_subscription(client: &Client, listener: &Listener) {
    let mut subscription = to_topic("observation", &["patient=p1"], &listener.url, "full-resource");
    subscription["id"] = json!("s1");
    client.put("/fhir/R4/Subscription/s1", &subscription).expect(201);
    super::becomes(client, "s1", "active");
}

#[test]
fn whatever_one_writes_the_other_is_not_told() {
    let server = Server::shared();
    let clients = [server.tenant(), server.tenant()];
    let listeners = [Listener::start(), Listener::start()];
    for (client, listener) in clients.iter().zip(&listeners) {
        put_subscription(client, listener);
    }
    let mut random = Random::new(7);
    let mut counts = [0_usize; 2];
    for step in 0..60 {
        let which = usize::try_from(random.below(2)).unwrap();
        // The rate tells whose it is; each writes a version of its own.
        let rate = 1000 * (u32::try_from(which).unwrap() + 1) + step;
        beat(&clients[which], &format!("o{}", random.below(5)), "p1", rate);
        counts[which] += 1;
    }
    for ((listener, count), own) in listeners.iter().zip(counts).zip(["1", "2"]) {
        let found = arrives(listener, count);
        assert_eq!(found, (1..=i64::try_from(count).unwrap()).collect::<Vec<_>>());
        for told in listener.told() {
            for entry in told.json()["entry"].as_array().unwrap().iter().skip(1) {
                let rate = entry["resource"]["valueQuantity"]["value"].to_string();
                assert!(rate.starts_with(own), "{rate}");
            }
        }
    }
    // Neither sees or stops the other's, by whatever route.
    clients[0].delete("/fhir/R4/Subscription/s1").expect(204);
    for path in ["$status", "$events", "$get-ws-binding-token"] {
        clients[0].get(&format!("/fhir/R4/Subscription/s1/{path}")).expect(404);
    }
    assert_eq!(clients[0].fhir("Subscription/$status")["total"], 0);
    assert_eq!(clients[1].fhir("Subscription/$status")["total"], 1);
    beat(&clients[1], "last", "p1", 2999);
    arrives(&listeners[1], counts[1] + 1);
    assert_eq!(listeners[0].numbers().len(), counts[0]);
    let mine = active(&clients[0], &to_topic("observation", &[], &listeners[0].url, "empty"));
    clients[1].get(&format!("/fhir/R4/Subscription/{mine}/$events")).expect(404);
}
