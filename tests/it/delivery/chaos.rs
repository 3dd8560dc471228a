//! Episodes to a receiver that fails at random and is killed, from a server that is killed: at the end all is there once.
//!
//! `tests/delivery/chaos N` runs it with N episodes; without, it is short.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::receiver::Receiver;
use super::{close, connect, enrol, open, operations};
use crate::support::{Client, Random, Server, scalar};

/// Values in an episode, and the one in so many episodes that has a value the receiver refuses.
const VALUES: u64 = 4;
const REFUSED: usize = 20;

fn episodes() -> usize {
    std::env::var("AFFERENT_CHAOS_EPISODES").map_or(40, |count| count.parse().expect("AFFERENT_CHAOS_EPISODES"))
}

fn patient(number: usize) -> String {
    format!("p{}", number % (episodes() / 2).max(1))
}

#[test]
fn all_is_there_once_and_every_refusal_in_quarantine() {
    let (receiver, mut server) = (Receiver::start(), Server::start());
    receiver.with(|store| {
        store.fault_chance = 20;
        store.refuses = Some("\"value\":42".to_owned());
    });
    let mut client = server.client();
    connect(&client, &receiver, "medplum_demo");
    let patients: BTreeSet<String> = (0..episodes()).map(patient).collect();
    enrol(&client, "on_episode_end", &patients.into_iter().collect::<Vec<_>>());
    let mut random = Random::new(20_260_118);
    let (mut kills, mut receiver_kills) = (0, 0);
    let begin = Instant::now();
    for number in 0..episodes() {
        episode(&client, number);
        if number % 20 == 19 {
            std::thread::sleep(Duration::from_millis(random.below(400)));
            server = server.restart_after_kill();
            client = server.client_again(&client);
            kills += 1;
        }
        if number % 20 == 9 {
            receiver.kill();
            std::thread::sleep(Duration::from_millis(random.below(300)));
            receiver.restart();
            receiver_kills += 1;
        }
    }
    client.settle();
    // The receiver is still as shaky as before; it only has to be done at some time.
    let mut seen = Instant::now();
    let mut last = 0;
    while succeeded(&client) + operations(&client, "failed").len() < episodes() {
        let now = receiver.with(|store| store.resources.len());
        if now != last {
            (last, seen) = (now, Instant::now());
        }
        assert!(seen.elapsed() < Duration::from_secs(300), "nothing moves: {:?}", operations(&client, "in_progress"));
        std::thread::sleep(Duration::from_millis(200));
    }
    let refused = (0..episodes()).filter(|number| number % REFUSED == 3).count();
    let expected = episodes() * usize::try_from(VALUES).unwrap() - refused;
    let observations = receiver.all("Observation");
    assert_eq!(observations.len(), expected, "lost or twice");
    let names: BTreeSet<String> = receiver.with(|store| store.arrivals.iter().cloned().collect());
    assert_eq!(names.len(), receiver.with(|store| store.resources.len()), "twice");
    let provenances = receiver.all("Provenance").len();
    assert!(provenances >= episodes(), "{provenances}");
    let held = held(&client);
    assert_eq!(held, refused, "refusals in quarantine");
    assert_eq!(operations(&client, "failed").len(), refused);
    assert_in_order(&receiver, &client);
    let requests = receiver.with(|store| store.requests);
    println!(
        "chaos | {} episodes | {} resources, each once | {refused} refused, {held} in quarantine | {kills} kills of the \
         server, {receiver_kills} of the receiver, {requests} requests | {:.0} s",
        episodes(),
        receiver.with(|store| store.resources.len()),
        begin.elapsed().as_secs_f64()
    );
}

fn succeeded(client: &Client) -> usize {
    operations(client, "succeeded").len()
}

/// An episode of a device of its own with a few values, one after the other in the patient's time.
fn episode(client: &Client, number: usize) {
    let (name, device) = (format!("e{number}"), format!("strap-{number}"));
    open(client, &name, &patient(number), &[device.as_str()]);
    let values: Vec<Value> = (0..VALUES)
        .map(|n| {
            let is_refused = number % REFUSED == 3 && n == 1;
            let rate = if is_refused { 42.0 } else { 60.0 + (number % 10) as f64 };
            scalar(&device, n, "heart-rate", "/min", rate)
        })
        .collect();
    client.ingest_all(&values);
    close(client, &name, 60);
}

fn held(client: &Client) -> usize {
    let page = client.get("/api/v1/quarantine?kind=delivery&state=held&count=1000").expect(200).json();
    page["items"].as_array().unwrap().len()
}

/// What was sent of a patient came in the order of the patient's operations.
fn assert_in_order(receiver: &Receiver, client: &Client) {
    let order: BTreeMap<String, usize> = receiver.with(|store| {
        store
            .arrivals
            .iter()
            .enumerate()
            .map(|(place, name)| (name.rsplit('|').next().unwrap().to_owned(), place))
            .collect()
    });
    let mut all = operations(client, "succeeded");
    all.sort_by_key(|operation| operation["id"].as_i64());
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    let mut compared = 0;
    for operation in all {
        let episode = operation["episode"].as_str().unwrap();
        let number: usize = episode[1..].parse().unwrap();
        let device = client
            .get(&format!("/fhir/R4/Observation?device:Device.identifier=strap-{number}&_count=50"))
            .expect(200)
            .json();
        let entries = device["entry"].as_array().cloned().unwrap_or_default();
        let places: Vec<usize> =
            entries.iter().filter_map(|entry| order.get(entry["resource"]["id"].as_str()?).copied()).collect();
        let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) else { continue };
        if let Some(before) = newest.insert(patient(number), *last) {
            assert!(before < *first, "{episode} came before an earlier one of its patient");
            compared += 1;
        }
    }
    assert!(compared > 0, "nothing was compared");
}
