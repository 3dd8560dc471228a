//! Events to an endpoint that answers 404, 429, 500 and 503, is slow, and refuses connections for a while, from servers that are
//! killed again and again; on PostgreSQL there are two, each of which takes over from the other. At the end each event was sent
//! at least once, in order, without a gap, and `$events` says the same.
//!
//! `tests/subscriptions/chaos N` runs it with N events; without, it is short.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::listener::{self, Listener};
use super::{BACKPORT, OWN, active, becomes, extend, heart_rate, to_topic};
use crate::support::{Client, Random, Server, database, eventually};

/// Resources in a Bundle.
const AT_ONCE: usize = 50;
/// Events in a notification.
const TOLD_AT_ONCE: usize = 25;

fn count() -> usize {
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

/// The servers, and who talks to each.
struct Servers(Vec<(Server, Client)>);

impl Servers {
    fn start() -> Self {
        let servers = match database::fresh() {
            Some(shared) => vec![Server::on(&shared), Server::on(&shared)],
            None => vec![Server::start()],
        };
        let first = servers[0].client();
        Self(servers.into_iter().map(|server| (server.client_again(&first), server)).map(|(c, s)| (s, c)).collect())
    }

    fn client(&self, place: usize) -> &Client {
        &self.0[place % self.0.len()].1
    }

    fn kill_and_start(&mut self, place: usize) {
        let count = self.0.len();
        let (server, client) = &mut self.0[place % count];
        *server = server.restart_after_kill();
        *client = server.client_again(client);
    }
}

#[test]
fn each_event_arrives_at_least_once_in_order_and_without_a_gap() {
    let rounds = count().div_ceil(AT_ONCE);
    let expected = rounds * AT_ONCE;
    let mut servers = Servers::start();
    let listener = Listener::start();
    let mut subscription = to_topic("observation", &["patient=p1"], &listener.url, "id-only");
    extend(&mut subscription, &format!("{OWN}subscription-max-attempts"), "valuePositiveInt", json!(18));
    extend(&mut subscription, &format!("{BACKPORT}backport-max-count"), "valuePositiveInt", json!(TOLD_AT_ONCE));
    let id = active(servers.client(0), &subscription);
    let mut random = Random::new(20_260_118);
    let (mut kills, mut closed) = (0, 0);
    listener.shaky(10);
    let begin = Instant::now();
    for round in 0..rounds {
        while write(servers.client(round), round).is_err() {
            servers.kill_and_start(round);
        }
        match round % 20 {
            7 => {
                listener.close();
                closed += 1;
            }
            // The kill of round 9 finds it closed.
            11 => listener.open(),
            _ => {}
        }
        if round % 10 == 9 {
            std::thread::sleep(Duration::from_millis(random.below(200)));
            servers.kill_and_start(kills);
            kills += 1;
        }
    }
    listener.open();
    let written = begin.elapsed();
    let status = || servers.client(0).fhir(&format!("Subscription/{id}"))["status"].clone();
    let (mut last, mut seen) = (0, Instant::now());
    loop {
        let found: BTreeSet<i64> = listener.numbers().into_iter().collect();
        if found.len() >= expected {
            break;
        }
        if found.len() != last {
            (last, seen) = (found.len(), Instant::now());
        }
        assert!(seen.elapsed() < Duration::from_secs(120), "{} of {expected}, {}", found.len(), status());
        std::thread::sleep(Duration::from_millis(500));
    }
    let arrived = begin.elapsed();
    // A repetition is of what came last: nothing comes before what is below it.
    let mut told = Vec::with_capacity(expected);
    for event in listener.events() {
        let next = i64::try_from(told.len()).unwrap() + 1;
        assert!(event.0 <= next, "{} came before {next}", event.0);
        if event.0 == next {
            told.push(event);
        } else {
            assert_eq!(told[usize::try_from(event.0).unwrap() - 1], event, "a repetition says the same");
        }
    }
    assert_eq!(told.len(), expected);
    let mut log = Vec::with_capacity(expected);
    while log.len() < expected {
        let from = log.len() + 1;
        let path = format!("Subscription/{id}/$events?eventsSinceNumber={from}&content=id-only");
        let page = listener::events(&servers.client(0).fhir(&path));
        assert!(!page.is_empty(), "the log ends at {from}");
        log.extend(page);
    }
    assert!(log == told, "$events says something else than was sent");
    println!(
        "{expected} events in {} notifications, {} faults, {closed} times closed, {kills} kills of {} servers: written in \
         {written:?}, arrived after {arrived:?}, compared after {:?}",
        listener.count(),
        listener.faults(),
        servers.0.len(),
        begin.elapsed()
    );
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
