//! What only PostgreSQL has: several processes on one database, and a database that goes away.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::database::{self, Cluster};
use crate::support::{Client, Ecg, Random, Server, eventually, everything, scalar};

const DEVICES: usize = 4;
const SECONDS: u32 = 7 * 60;
/// Seconds of recording in one request.
const BATCH: usize = 6;

/// A chest strap's electrocardiogram each, and an oximeter's values: batches of every device in turn.
fn batches() -> Vec<Vec<Value>> {
    let of_device = |n: usize| {
        let packets = Ecg::new(SECONDS).packets(&device(n));
        let batches = packets.chunks(BATCH).enumerate().map(|(number, packets)| {
            let mut batch = packets.to_vec();
            let mut oximetry = scalar(&device(n), number as u64, "spo2", "%", 94.0 + (number % 5) as f64);
            for member in ["device_time", "firmware"] {
                oximetry[member] = packets[0][member].clone();
            }
            batch.push(oximetry);
            batch
        });
        batches.collect::<Vec<_>>()
    };
    let all: Vec<_> = (0..DEVICES).map(of_device).collect();
    (0..all[0].len()).flat_map(|n| all.iter().map(move |batches| batches[n].clone())).collect()
}

fn device(number: usize) -> String {
    format!("strap-{number}")
}

fn prepare(client: &Client) {
    (0..DEVICES).for_each(|n| drop(client.link_device(&device(n), &format!("p{n}")).expect(201)));
}

/// What one undisturbed server makes of it, on a file.
fn undisturbed(batches: &[Vec<Value>]) -> BTreeMap<String, String> {
    let server = Server::on_file();
    let client = server.client();
    prepare(&client);
    batches.iter().for_each(|batch| client.ingest_all(batch));
    client.settle();
    everything(&client)
}

#[track_caller]
fn assert_same(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
    assert!(expected.len() > 100, "only {} resources", expected.len());
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "resources lost or new");
    for (reference, resource) in expected {
        assert_eq!(&found[reference], resource, "{reference}");
    }
}

/// All packets are in the journal, once.
#[track_caller]
fn assert_journal(url: &str, batches: &[Vec<Value>]) {
    let packets: usize = batches.iter().map(Vec::len).sum();
    let journaled = database::number(url, "SELECT COUNT(*) FROM journal");
    assert_eq!(usize::try_from(journaled).unwrap(), packets);
}

/// The number a server counts under this name.
fn counter(client: &Client, name: &str) -> u64 {
    let metrics = client.get("/metrics").expect(200).text();
    let line = metrics.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name} in {metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
fn two_processes_share_the_streams_and_do_nothing_twice() {
    let url = database::fresh().expect("AFFERENT_TEST_POSTGRES");
    let batches = batches();
    let (a, b) = (Server::on(&url), Server::on(&url));
    let client = a.client();
    prepare(&client);
    let clients = [client.clone(), b.client_again(&client)];
    // The first packets make the streams; then each process gets its share of them.
    let (first, rest) = batches.split_at(DEVICES);
    first.iter().for_each(|batch| clients[0].ingest_all(batch));
    eventually("the streams to be shared out", || {
        let fewest = "SELECT COALESCE(MIN(n), 0) FROM (SELECT COUNT(l.stream) AS n FROM process p \
            LEFT JOIN stream_lease l ON l.process = p.id GROUP BY p.id) AS x";
        (database::number(&url, fewest) == i64::try_from(DEVICES).unwrap()).then_some(())
    });
    clients[0].settle();
    for (number, batch) in rest.iter().enumerate() {
        clients[number / DEVICES % 2].ingest_all(batch);
    }
    clients[1].settle();
    assert_same(&undisturbed(&batches), &everything(&clients[1]));
    assert_journal(&url, &batches);
    let sum = |name: &str| clients.iter().map(|client| counter(client, name)).collect::<Vec<_>>();
    let created = sum("afferent_resources_created_total");
    let unchanged: u64 = sum("afferent_resources_unchanged_total").iter().sum();
    println!("created {created:?}, computed again {unchanged}");
    assert!(created.iter().all(|n| *n > 50), "one of them did it all: {created:?}");
    // Devices and the organization come with every stream, and the first windows of streams that changed hands.
    assert!(unchanged < created.iter().sum::<u64>() / 5, "{unchanged} resources of {created:?} were computed twice");
}

#[test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
fn killing_one_of_two_processes_under_load_changes_nothing() {
    let url = database::fresh().expect("AFFERENT_TEST_POSTGRES");
    let batches = batches();
    let mut servers = [Server::on(&url), Server::on(&url)];
    let key = servers[0].client();
    prepare(&key);
    let mut random = Random::new(20_261_121);
    let mut acknowledged = 0;
    for (number, batch) in batches.iter().enumerate() {
        let target = number / DEVICES % 2;
        if number % 40 == 20 {
            // Either the one that is sent to or the other.
            let victim = random.below(2) as usize;
            let client = servers[target].client_again(&key);
            let after = Duration::from_micros(random.below(20_000));
            std::thread::scope(|scope| {
                let victim = &servers[victim];
                scope.spawn(move || {
                    std::thread::sleep(after);
                    victim.kill();
                });
                if client.try_ingest(batch).is_ok_and(|reply| reply.status == 202) {
                    acknowledged += 1;
                }
            });
            // The other goes on alone; the dead one's streams are its own soon.
            servers[1 - victim].client_again(&key).ingest_all(batch);
            if random.below(2) == 0 {
                let survivor = servers[1 - victim].client_again(&key);
                survivor.settle();
            }
            servers[victim] = servers[victim].restart_after_kill();
        } else {
            servers[target].client_again(&key).ingest_all(batch);
            acknowledged += 1;
        }
    }
    println!("{acknowledged} of {} batches acknowledged at once", batches.len());
    let client = servers[0].client_again(&key);
    client.settle();
    assert_same(&undisturbed(&batches), &everything(&client));
    assert_journal(&url, &batches);
    for batch in batches.iter().rev().take(DEVICES) {
        let ack = servers[1].client_again(&key).ingest(batch).expect(202).json();
        assert_eq!(ack["duplicates"], batch.len(), "{ack}");
        assert!(ack["streams"].as_array().unwrap().iter().all(|stream| stream["gaps"] == json!([])), "{ack}");
    }
}

#[test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
fn a_database_that_goes_away_and_comes_back_costs_nothing_but_time() {
    let cluster = Cluster::start();
    let url = database::fresh_on(&cluster.url);
    let servers = [Server::on(&url), Server::on(&url)];
    let client = servers[0].client();
    prepare(&client);
    let clients = [client.clone(), servers[1].client_again(&client)];
    let batches = batches();
    let mut refused = 0;
    for (number, batch) in batches.iter().enumerate() {
        let client = &clients[number / DEVICES % 2];
        match number % 100 {
            // Back at once.
            30 => {
                cluster.crash();
                cluster.start_again();
            }
            // Away for some requests.
            70 => {
                cluster.crash();
                let reply = client.ingest(batch);
                assert_eq!(reply.status, 503, "{}", reply.text());
                assert!(reply.retry_after.is_some_and(|seconds| seconds < 10), "{reply:?}");
                assert_eq!(client.get("/readyz").status, 503);
                assert_eq!(client.get("/healthz").status, 200);
                cluster.start_again();
            }
            _ => {}
        }
        eventually("the database to be back", || {
            let reply = client.ingest(batch);
            refused += usize::from(reply.status == 503);
            match reply.status {
                202 => Some(()),
                429 | 503 => None,
                _ => panic!("{}", reply.text()),
            }
        });
    }
    println!("{refused} requests were refused");
    client.settle();
    let found = everything(&client);
    for server in &servers {
        assert!(server.is_alive() && !server.log().contains("panicked"), "{}", server.log());
    }
    assert_same(&undisturbed(&batches), &found);
    assert_journal(&url, &batches);
}
