//! `kill -9` anywhere in a replay, restart, resume: the same resources as without, none lost, none twice.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Ecg, Random, Server, everything, scalar};

const SECONDS: u32 = 20 * 60;
const KILLS: usize = 24;
/// Seconds of recording in one request.
const BATCH: usize = 5;

#[test]
fn killed_and_resumed_is_the_same_as_uninterrupted() {
    let batches = batches();
    let expected = uninterrupted(&batches);
    let found = interrupted(&batches);
    assert!(expected.len() > 150, "only {} resources", expected.len());
    let names = expected.keys().collect::<BTreeSet<_>>();
    assert_eq!(found.keys().collect::<BTreeSet<_>>(), names, "resources lost or new");
    for (reference, resource) in &expected {
        assert_eq!(&found[reference], resource, "{reference}");
    }
}

/// A chest strap's electrocardiogram with an oximeter's value every fifth second.
fn batches() -> Vec<Vec<Value>> {
    let ecg = Ecg::new(SECONDS).packets("chest-1");
    let batches = ecg.chunks(BATCH).enumerate().map(|(number, packets)| {
        let mut batch = packets.to_vec();
        let mut oximetry = scalar("finger-1", number as u64, "spo2", "%", 94.0 + (number % 5) as f64);
        oximetry["device_time"] = packets[0]["device_time"].clone();
        batch.push(oximetry);
        batch
    });
    batches.collect()
}

fn prepare(client: &Client) {
    client.link_device("chest-1", "p1").expect(201);
    client.link_device("finger-1", "p1").expect(201);
}

fn uninterrupted(batches: &[Vec<Value>]) -> std::collections::BTreeMap<String, String> {
    let server = Server::start();
    let client = server.client();
    prepare(&client);
    batches.iter().for_each(|batch| client.ingest_all(batch));
    client.settle();
    everything(&client)
}

fn interrupted(batches: &[Vec<Value>]) -> std::collections::BTreeMap<String, String> {
    let mut random = Random::new(20_260_118);
    let kills = kill_points(&mut random, batches.len());
    let mut server = Server::start();
    let mut client = server.client();
    prepare(&client);
    for (number, batch) in batches.iter().enumerate() {
        if kills.contains(&number) {
            kill_during(&server, &client, batch, Duration::from_micros(random.below(12_000)));
            server = server.restart_after_kill();
            client = server.client_again(&client);
        }
        // What was acknowledged before the kill is counted as a duplicate now, what was not is stored now.
        client.ingest_all(batch);
    }
    // Twice more while only the pipeline is at work.
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(random.below(40)));
        server = server.restart_after_kill();
        client = server.client_again(&client);
    }
    client.settle();
    let last = batches.last().unwrap();
    let ack = client.ingest(last).expect(202).json();
    assert_eq!(ack["duplicates"], last.len(), "{ack}");
    assert!(ack["streams"].as_array().unwrap().iter().all(|stream| stream["gaps"] == json!([])), "{ack}");
    everything(&client)
}

fn kill_points(random: &mut Random, batches: usize) -> BTreeSet<usize> {
    let mut points = BTreeSet::new();
    while points.len() < KILLS - 2 {
        points.insert(usize::try_from(random.below(batches as u64)).unwrap());
    }
    points
}

/// Sends a batch and kills the server while it is at it.
fn kill_during(server: &Server, client: &Client, batch: &[Value], after: Duration) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(after);
            server.kill();
        });
        // Whether an answer comes is open; that it was true is what the end of the test shows.
        let _ = client.try_ingest(batch);
    });
}
