//! Packets of a device nobody knows yet are taken, held, and flow once it is on a patient.

use crate::support::{Server, own_code, scalar};

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
