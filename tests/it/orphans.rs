//! Packets of a device nobody knows yet are taken, held, and flow once it is on a patient.

use serde_json::{Value, json};

use crate::support::{Server, own_code, scalar, time};

#[test]
fn packets_wait_for_their_device() {
    let server = Server::shared();
    let client = server.tenant();
    let packets: Vec<_> = (1..=5).map(|n| scalar("stray-1", n, "spo2", "%", 95.0)).collect();
    let ack = client.ingest(&packets).expect(202).json();
    assert_eq!(ack["accepted"], 5, "{ack}");
    client.settle();
    assert_eq!(client.observations(), 0);

    client.link_device("stray-1", "p1").expect(201);
    client.settle();
    let found = client.search("Observation?patient=p1");
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|observation| own_code(observation) == "spo2"));

    client.ingest(&[scalar("stray-1", 6, "spo2", "%", 95.0)]).expect(202);
    client.settle();
    assert_eq!(client.search("Observation?patient=p1").len(), 6);
    client.link_device("stray-1", "p1").expect(200);
    client.settle();
    assert_eq!(client.search("Observation?patient=p1").len(), 6);
}

#[test]
fn what_waits_is_told_with_its_age() {
    let server = Server::start();
    let client = server.client();
    let of = |device: &str, numbers: std::ops::RangeInclusive<u64>| -> Vec<Value> {
        numbers.map(|n| scalar(device, n, "spo2", "%", 95.0)).collect()
    };
    client.ingest_all(&of("stray-4", 1..=7));
    client.link_device("worn-1", "p1").expect(201);
    client.ingest_all(&of("worn-1", 1..=10));
    let listed = || client.get("/api/v1/orphans").expect(200).json()["orphans"].as_array().unwrap().clone();
    let waits = |orphans: &[Value]| -> Vec<(String, i64)> {
        let one = |o: &Value| (o["device"].as_str().unwrap().to_owned(), o["packets"].as_i64().unwrap());
        orphans.iter().map(one).collect()
    };
    assert_eq!(waits(&listed()), [("stray-4".to_owned(), 7)]);
    assert!(listed()[0]["age_s"].as_i64().unwrap() < 600);
    assert!(client.get("/metrics").expect(200).text().contains("afferent_orphan_age_seconds "));
    // Taken off after the fifth packet: what comes after waits.
    let until = json!({"associations": [{"patient": "p1", "until": time(5_500_000)}]});
    client.put("/api/v1/devices/worn-1/associations", &until).expect(200);
    client.settle();
    assert_eq!(waits(&listed()), [("stray-4".to_owned(), 7), ("worn-1".to_owned(), 5)]);
    client.link_device("stray-4", "p1").expect(201);
    assert_eq!(waits(&listed()), [("worn-1".to_owned(), 5)]);
}

#[test]
fn orphans_survive_a_restart() {
    let server = Server::start();
    let client = server.client();
    client.ingest(&[scalar("stray-2", 1, "spo2", "%", 95.0)]).expect(202);
    let server = server.restart_after_kill();
    let client = server.client_again(&client);
    client.link_device("stray-2", "p1").expect(201);
    client.settle();
    assert_eq!(client.observations(), 1);
}

#[test]
fn what_waited_counts_as_pending_until_it_is_stored() {
    let server = Server::shared();
    let client = server.tenant();
    let packets: Vec<_> = (1..=400).map(|n| scalar("stray-3", n, "spo2", "%", 95.0)).collect();
    client.ingest_all(&packets);
    client.link_device("stray-3", "p1").expect(201);
    client.settle();
    assert_eq!(client.observations(), 400);
}
