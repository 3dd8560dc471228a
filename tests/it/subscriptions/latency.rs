//! How long it takes from a change to its notification. Prints, and asserts nothing about time.
//!
//! `cargo test --release --test it -- --ignored subscriptions::latency --nocapture`

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::listener::{Listener, focuses};
use super::{active, arrives, heart_rate, to_topic};
use crate::support::Server;

/// Events a second, seconds, and changes in one Bundle.
const RATE: usize = 1000;
const SECONDS: usize = 10;
const AT_ONCE: usize = 50;

#[test]
#[ignore = "prints times"]
fn from_a_change_to_its_notification() {
    let server = Server::start();
    let client = server.client();
    let listener = Listener::start();
    active(&client, &to_topic("observation", &["patient=p1"], &listener.url, "id-only"));
    let begin = Instant::now();
    let mut written = BTreeMap::new();
    for round in 0..RATE * SECONDS / AT_ONCE {
        let due = begin + Duration::from_secs_f64((round * AT_ONCE) as f64 / RATE as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let ids: Vec<String> = (0..AT_ONCE).map(|n| format!("o{round}-{n}")).collect();
        let entry = |id: &String| json!({"resource": heart_rate(id, "p1", 60), "request": {"method": "PUT", "url": format!("Observation/{id}")}});
        let entries: Vec<Value> = ids.iter().map(entry).collect();
        client
            .post("/fhir/R4", &json!({"resourceType": "Bundle", "type": "transaction", "entry": entries}))
            .expect(200);
        let now = Instant::now();
        written.extend(ids.into_iter().map(|id| (format!("Observation/{id}"), now)));
    }
    let took = begin.elapsed();
    arrives(&listener, RATE * SECONDS);
    let mut waits: Vec<Duration> = Vec::new();
    for told in listener.told() {
        // Some are told before the answer to who wrote them has come.
        waits.extend(focuses(&told.json()).iter().map(|focus| told.at.saturating_duration_since(written[focus])));
    }
    waits.sort_unstable();
    let at = |share: usize| waits[(waits.len() - 1) * share / 100];
    println!(
        "{} changes in {took:.1?}: median {:.1?}, 95 % {:.1?}, 99 % {:.1?}, all {:.1?}",
        waits.len(),
        at(50),
        at(95),
        at(99),
        at(100)
    );
}
