//! The order in which packets arrive does not matter to what comes out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Ecg, Random, Server, everything, without_versions};

const SECONDS: u32 = 660;
/// Packets in one request.
const BATCH: usize = 20;

fn packets() -> Vec<Value> {
    Ecg::new(SECONDS).packets("chest-1")
}

/// What a server holds after packets came in this order.
fn outcome(packets: &[Value]) -> BTreeMap<String, String> {
    let server = Server::start();
    let client = server.client();
    client.link_device("chest-1", "p1").expect(201);
    packets.chunks(BATCH).for_each(|batch| client.ingest_all(batch));
    client.settle();
    everything(&client)
}

#[test]
fn packets_a_little_out_of_order_end_in_the_same_resources() {
    let in_order = packets();
    let mut shuffled = in_order.clone();
    let mut random = Random::new(4);
    // The first packet stays first: it says where the stream starts.
    shuffled[1..].chunks_mut(15).for_each(|few| random.shuffle(few));
    assert_ne!(shuffled, in_order);
    assert_same(&outcome(&in_order), &outcome(&shuffled));
}

#[test]
fn packets_that_come_very_late_end_in_the_same_resources() {
    let in_order = packets();
    let mut late = in_order.clone();
    for (from, to) in [(70, 200), (130, 500), (290, 640), (5, 655)] {
        let packet = late.remove(from);
        late.insert(to, packet);
    }
    assert_ne!(late, in_order);
    let (expected, found) = (without_versions(outcome(&in_order)), without_versions(outcome(&late)));
    assert_same(&expected, &found);
}

/// Everything a sender with a poor link does, at random: packets take other ways, come twice, wait in a buffer.
fn troubled(in_order: &[Value], random: &mut Random) -> Vec<Value> {
    let mut sent: Vec<(u64, Value)> = Vec::new();
    let (most_delayed, repeated) = ([1, 40, 400, 3_000][random.below(4) as usize], random.below(40));
    let (from, until) = (random.below(600), 600 + random.below(2_400));
    for (place, packet) in (0_u64..).zip(in_order) {
        // A buffer of up to 40 minutes is flushed when the link is back.
        let leaves = if (from..until).contains(&place) { until } else { place };
        sent.push((leaves + random.below(most_delayed), packet.clone()));
        if random.below(100) < repeated {
            sent.push((leaves + random.below(most_delayed), packet.clone()));
        }
    }
    sent.sort_by_key(|(leaves, _)| *leaves);
    sent.into_iter().map(|(_, packet)| packet).collect()
}

#[test]
fn any_order_any_delay_and_any_repetition_end_in_the_same_resources() {
    let in_order = Ecg::new(3_000).packets("chest-1");
    let expected = without_versions(outcome(&in_order));
    for seed in 1..=5 {
        let sent = troubled(&in_order, &mut Random::new(seed));
        println!("seed {seed}: {} packets for {}", sent.len(), in_order.len());
        assert_same(&expected, &without_versions(outcome(&sent)));
    }
}

#[test]
fn what_late_packets_changed_is_amended_and_says_why() {
    let mut in_time = packets();
    let late = in_time.remove(70);
    let server = Server::start();
    let client = server.client();
    client.link_device("chest-1", "p1").expect(201);
    in_time.chunks(BATCH).for_each(|batch| client.ingest_all(batch));
    client.settle();
    client.ingest_all(&[late]);
    client.settle();
    let all = everything(&client);
    let parsed = |kind: &str| -> Vec<Value> {
        let of_kind = all.iter().filter(|(reference, _)| reference.starts_with(kind));
        of_kind.map(|(_, text)| serde_json::from_str(text).unwrap()).collect()
    };
    let amended: Vec<Value> = parsed("Observation/").into_iter().filter(|o| o["status"] == "amended").collect();
    let reasons: Vec<Value> = parsed("Provenance/").into_iter().filter(|p| p["reason"] != Value::Null).collect();
    assert!(amended.iter().any(|o| o["code"].to_string().contains("8867-4")), "{amended:?}");
    assert!(amended.len() < parsed("Observation/").len() / 2, "only what the packet is behind");
    for observation in &amended {
        let reference = format!("Observation/{}", observation["id"].as_str().unwrap());
        let why = reasons.iter().find(|p| p["target"].to_string().contains(&reference));
        let why = why.unwrap_or_else(|| panic!("nothing says why {reference} was amended"));
        assert_eq!(why["reason"][0]["coding"][0]["code"], "packets");
        assert_eq!(why["activity"]["coding"][0]["code"], "UPDATE");
    }
}

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(expected: &BTreeMap<String, T>, found: &BTreeMap<String, T>) {
    assert!(expected.len() > 60, "only {} resources", expected.len());
    let names = |all: &BTreeMap<String, T>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found));
    let different: Vec<_> = expected.keys().filter(|reference| expected[*reference] != found[*reference]).collect();
    let Some(first) = different.last() else { return };
    panic!("{different:?}; the last of them\n was {:?}\n now {:?}", expected[*first], found[*first]);
}
