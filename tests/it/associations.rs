//! Who wore a device when: told beforehand or corrected afterwards, the record ends up the same.

use serde_json::{Value, json};

use crate::support::{Client, Ecg, Server, eventually, standing, time};

const SECONDS: u32 = 400;

fn packets() -> Vec<Value> {
    Ecg::new(SECONDS).packets("patch-1")
}

fn ingest(client: &Client, packets: &[Value]) {
    packets.chunks(50).for_each(|batch| client.ingest_all(batch));
    client.settle();
}

/// From `a` to `b` after 150 seconds, to nobody at 250, back to `a` at 320.
fn history() -> Value {
    let at = |seconds: i64| time(seconds * 1_000_000);
    json!({"associations": [
        {"patient": "a", "until": at(150)},
        {"patient": "b", "from": at(150), "until": at(250)},
        {"patient": "a", "from": at(320)},
    ]})
}

#[track_caller]
fn set_history(client: &Client, history: &Value) {
    client.put("/api/v1/devices/patch-1/associations", history).expect(200);
}

#[test]
fn a_correction_leaves_the_record_that_would_have_been() {
    let packets = packets();
    let known_before = Server::start();
    let before = known_before.client();
    before.put("/api/v1/devices/patch-1", &json!({})).expect(201);
    set_history(&before, &history());
    ingest(&before, &packets);

    let corrected_after = Server::start();
    let after = corrected_after.client();
    after.link_device("patch-1", "c").expect(201);
    ingest(&after, &packets);
    assert!(!after.search("Observation?patient=c").is_empty());
    set_history(&after, &json!({"associations": [{"patient": "a"}]}));
    after.settle();
    set_history(&after, &history());
    after.settle();

    let (mut before, mut corrected) = (standing(&before), standing(&after));
    before.retain(|reference, _| reference != "Patient/c");
    corrected.retain(|reference, _| reference != "Patient/c");
    assert_eq!(corrected.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    assert_eq!(corrected, before);
    let of_c = after.search("Observation?patient=c");
    assert!(of_c.iter().all(|o| o["status"] == "entered-in-error"), "{of_c:?}");
    assert!(!before.is_empty() && before.keys().any(|r| r.starts_with("Observation/")));
}

#[test]
fn the_end_of_an_association_closes_windows_though_the_device_is_silent() {
    let server = Server::shared();
    let client = server.tenant();
    client.link_device("patch-1", "a").expect(201);
    ingest(&client, &packets()[..130]);
    let ecgs = |client: &Client| client.search("Observation?patient=a&code=ecg").len();
    assert_eq!(ecgs(&client), 2);
    // As if it had been taken off ten seconds later.
    set_history(&client, &json!({"associations": [{"patient": "a", "until": time(140_000_000)}]}));
    client.settle();
    eventually("the third window", || (ecgs(&client) == 3).then_some(()));
    // What it still had comes after all, and belongs to the window it closed.
    ingest(&client, &packets()[130..150]);
    eventually("the packets before the end", || {
        let window = client.search("Observation?patient=a&code=ecg&_sort=-date").remove(0);
        let lineage = client.search(&format!("Provenance?target=Observation/{}", window["id"].as_str().unwrap()));
        lineage[0].to_string().contains("Packets 120 to 139 of ").then_some(())
    });
    assert_eq!(client.search("Observation?code=ecg").len(), 3, "what came after the end waits");
}

#[test]
fn a_history_that_cannot_be_is_refused_whole() {
    let server = Server::shared();
    let client = server.tenant();
    let overlapping = json!({"associations": [{"patient": "a"}, {"patient": "b", "from": time(0)}]});
    assert_eq!(client.put("/api/v1/devices/patch-1/associations", &overlapping).status, 422);
    client.put("/api/v1/devices/patch-1/associations", &history()).expect(404);
    client.link_device("patch-1", "a").expect(201);
    let refused = client.put("/api/v1/devices/patch-1/associations", &overlapping).expect(422).json();
    assert_eq!(refused["element"], "associations[1].from", "{refused}");
    let kept = client.get("/api/v1/devices/patch-1/associations").expect(200).json();
    assert_eq!(kept, json!({"associations": [{"patient": "a"}]}));
}
