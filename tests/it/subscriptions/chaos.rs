//! Events to an endpoint that is down, slow, answers 500 and hangs up, from servers that are killed; on PostgreSQL another
//! takes over. At the end each event was sent at least once, in order, without a gap, and `$events` says the same.
//!
//! `tests/subscriptions/chaos N` runs it with N events; without, it is short.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::listener::{Listener, numbers};
use super::{BACKPORT, OWN, active, becomes, extend, heart_rate, to_topic};
use crate::support::{Client, Random, Server, database, eventually};

/// Resources in a Bundle.
const AT_ONCE: usize = 50;

fn events() -> usize {
    std::env::var("AFFERENT_CHAOS_EVENTS").map_or(1500, |count| count.parse().expect("AFFERENT_CHAOS_EVENTS"))
}

/// Writes `AT_ONCE` versions; what was written before its answer was lost is written once all the same.
fn write(client: &Client, round: usize) -> Result<(), reqwest::Error> {
    let entry = |n: usize| {
        let id = format!("o{}", n + (round % 4) * AT_ONCE);
        let rate = 40 + u32::try_from(round).unwrap();
        json!({"resource": heart_rate(&id, "p1", rate), "request": {"method": "PUT", "url": format!("Observation/{id}")}})
    };
    let entries: Vec<Value> = (0..AT_ONCE).map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let reply = client.try_post("/fhir/R4", &bundle)?;
    assert_eq!(reply.status, 200, "{}", reply.text());
    Ok(())
}

#[test]
fn each_event_arrives_at_least_once_in_order_and_without_a_gap() {
    let rounds = events().div_ceil(AT_ONCE);
    let expected = i64::try_from(rounds * AT_ONCE).unwrap();
    let mut server = Server::start();
    let mut client = server.client();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &["patient=p1"], &listener.url, "id-only");
    extend(&mut subscription, &format!("{OWN}subscription-max-attempts"), "valuePositiveInt", json!(18));
    extend(&mut subscription, &format!("{BACKPORT}backport-max-count"), "valuePositiveInt", json!(10));
    let id = active(&client, &subscription);
    let mut random = Random::new(20_260_118);
    let mut kills = 0;
    listener.shaky(5);
    let begin = Instant::now();
    for round in 0..rounds {
        while write(&client, round).is_err() {
            server = server.restart_after_kill();
            client = server.client_again(&client);
        }
        if round % 10 == 9 {
            std::thread::sleep(Duration::from_millis(random.below(200)));
            server = server.restart_after_kill();
            client = server.client_again(&client);
            kills += 1;
        }
    }
    let status = || client.fhir(&format!("Subscription/{id}"))["status"].as_str().unwrap().to_owned();
    let (mut last, mut seen) = (0, Instant::now());
    loop {
        let found: BTreeSet<i64> = listener.numbers().into_iter().collect();
        if i64::try_from(found.len()).unwrap() >= expected {
            break;
        }
        if found.len() != last {
            (last, seen) = (found.len(), Instant::now());
        }
        assert!(seen.elapsed() < Duration::from_secs(120), "{} of {expected}, {}", found.len(), status());
        std::thread::sleep(Duration::from_millis(50));
    }
    // A repetition is of what came last: nothing comes before what is below it.
    let mut next = 1;
    for number in listener.numbers() {
        assert!(number <= next, "{number} came before {next}");
        next = next.max(number + 1);
    }
    assert_eq!(next - 1, expected);
    let mut log = Vec::new();
    while log.len() < usize::try_from(expected).unwrap() {
        let from = log.len() + 1;
        let page = numbers(&client.fhir(&format!("Subscription/{id}/$events?eventsSinceNumber={from}&content=empty")));
        assert!(!page.is_empty(), "the log ends at {from}");
        log.extend(page);
    }
    assert_eq!(log, (1..=expected).collect::<Vec<_>>());
    let (requests, faults) = (listener.told().len(), listener.faults());
    println!("{expected} events in {requests} notifications, {faults} faults, {kills} kills, {:?}", begin.elapsed());
}

#[test]
fn another_server_takes_over() {
    let Some(database) = database::fresh() else {
        return println!("skipped: several servers share PostgreSQL alone");
    };
    let (first, second) = (Server::on(&database), Server::on(&database));
    let one = first.client();
    let other = second.client_again(&one);
    let listener = Listener::start();
    let id = active(&one, &to_topic("observation", &["patient=p1"], &listener.url, "id-only"));
    for round in 0..4 {
        write(if round % 2 == 0 { &one } else { &other }, round).unwrap();
    }
    first.kill();
    for round in 4..8 {
        write(&other, round).unwrap();
    }
    let expected: Vec<i64> = (1..=i64::try_from(8 * AT_ONCE).unwrap()).collect();
    eventually("all of both", || {
        let found: BTreeSet<i64> = listener.numbers().into_iter().collect();
        (found.into_iter().collect::<Vec<_>>() == expected).then_some(())
    });
    becomes(&other, &id, "active");
}
