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

#[track_caller]
fn assert_same<T: PartialEq + std::fmt::Debug>(expected: &BTreeMap<String, T>, found: &BTreeMap<String, T>) {
    assert!(expected.len() > 60, "only {} resources", expected.len());
    let names = |all: &BTreeMap<String, T>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(found));
    let different: Vec<_> = expected.keys().filter(|reference| expected[*reference] != found[*reference]).collect();
    let Some(first) = different.last() else { return };
    panic!("{different:?}; the last of them\n was {:?}\n now {:?}", expected[*first], found[*first]);
}
