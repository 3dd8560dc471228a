//! Several sensors that measure the same: one of them counts, whichever comes first, and the record says why.

use afferent::synthetic::Heart;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Client, Random, Server, own_code, standing, time};

const SECONDS: usize = 190;

/// A chest patch: a second of ECG a packet, with noise of so many millivolts from `noisy_from` seconds on.
fn patch(device: &str, noise_mv: f64, noisy_from: usize) -> Vec<Value> {
    let heart = Heart::new(|t| 64.0 + t / 30.0, SECONDS as f64 + 2.0);
    let mut random = Random::new(7);
    let mut packet = |second: usize| {
        let noise = if second < noisy_from { 0.0 } else { noise_mv };
        let mut value = |i: usize| {
            let uniform = random.below(2_000_001) as f64 / 1e6 - 1.0;
            let value = heart.ecg(second as f64 + i as f64 / 250.0) + noise * uniform;
            (value * 1e4).round() / 1e4
        };
        let values: Vec<f64> = (0..250).map(&mut value).collect();
        json!({
            "device": device, "stream": "ecg", "sequence": second,
            "device_time": time(i64::try_from(second).unwrap() * 1_000_000),
            "samples": {"signal": "ecg", "rate_hz": 250, "unit": "mV", "values": values},
        })
    };
    (0..SECONDS).map(&mut packet).collect()
}

/// A strap that tells its rate every second of a stretch, `offset_ms` after it.
fn strap(device: &str, rate: u8, seconds: std::ops::Range<i64>, offset_ms: i64) -> Vec<Value> {
    let packet = |second: i64| {
        json!({
            "device": device, "stream": "hr", "sequence": second, "device_time": time(second * 1_000_000 + offset_ms * 1000),
            "gatt": {"characteristic": "2a37", "value": STANDARD.encode([0, rate])},
        })
    };
    seconds.map(packet).collect()
}

/// A server with an episode of `p1` whose profile names these sources of heart rate, and these devices in it.
fn ward(sources: &Value, devices: &[&str]) -> (Server, Client) {
    let server = Server::start();
    let client = server.client();
    let spec = json!({"signals": [{"signal": "heart-rate", "sources": sources}]});
    client.put("/api/v1/programs/heart", &json!({"title": "Heart rhythm"})).expect(201);
    client.put("/api/v1/programs/heart/profiles/ward/versions/1", &json!({"spec": spec})).expect(201);
    let enrolment = json!({"program": "heart", "profile": {"id": "ward", "version": 1}, "patient": "p1"});
    client.put("/api/v1/enrolments/n1", &enrolment).expect(201);
    let body = json!({"enrolment": "n1", "start": time(0), "devices": devices});
    client.put("/api/v1/episodes/e1", &body).expect(201);
    (server, client)
}

fn send(client: &Client, packets: &[Value]) {
    packets.chunks(20).for_each(|batch| client.ingest_all(batch));
    client.settle();
}

/// Heart rates that stand, in order of time.
fn rates(client: &Client, patient: &str) -> Vec<Value> {
    let mut found = client.search(&format!("Observation?patient={patient}&code=http://loinc.org|8867-4&_sort=date"));
    found.retain(|o| o["status"] != "entered-in-error" && own_code(o) == "heart-rate");
    found
}

fn provenance(client: &Client, observation: &Value) -> Value {
    let found = client.search(&format!("Provenance?target=Observation/{}", observation["id"].as_str().unwrap()));
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap()
}

/// Whose value it is, and who was passed over for what reason.
fn sources(provenance: &Value) -> (String, Vec<(String, String)>) {
    let part = |extension: &Value, name: &str, value: &str| {
        let parts = extension["extension"].as_array().unwrap();
        let found = parts.iter().find(|part| part["url"] == name).map(|part| part[value].as_str().unwrap().to_owned());
        found.unwrap_or_else(|| panic!("no {name} in {extension}"))
    };
    let used = part(&provenance["entity"][0]["extension"][0], "device", "valueString");
    let notes = provenance["extension"].as_array().cloned().unwrap_or_default();
    let note = |note: &Value| {
        let device = note["extension"].as_array().unwrap().iter().find(|p| p["url"] == "device").unwrap();
        (device["valueReference"]["reference"].as_str().unwrap().to_owned(), part(note, "reason", "valueCode"))
    };
    (used, notes.iter().map(note).collect())
}

#[test]
fn of_two_patches_the_one_the_profile_names_first_gives_the_heart_rate() {
    let (_server, client) = ward(&json!([{"device": "patch-2"}]), &["patch-1", "patch-2"]);
    send(&client, &patch("patch-1", 0.0, 0));
    let first = rates(&client, "p1");
    assert_eq!(first.len(), 3);
    assert!(first.iter().all(|rate| sources(&provenance(&client, rate)) == ("patch-1".to_owned(), Vec::new())));
    send(&client, &patch("patch-2", 0.0, 0));
    let both = rates(&client, "p1");
    let ids = |rates: &[Value]| rates.iter().map(|rate| rate["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&both), ids(&first), "the same Observations");
    for rate in &both {
        let lineage = provenance(&client, rate);
        let (used, passed_over) = sources(&lineage);
        assert_eq!((used.as_str(), passed_over.len(), passed_over[0].1.as_str()), ("patch-2", 1, "profile"));
        let device = client.fhir(&passed_over[0].0);
        assert!(device["identifier"].as_array().unwrap().iter().any(|i| i["value"] == "patch-1"), "{device}");
        assert_eq!(lineage["reason"][0]["coding"][0]["code"], "source");
    }
    // What only one of them can tell stays with it.
    let intervals = client.search("Observation?patient=p1&code=rr-interval");
    assert_eq!(intervals.len(), 6);
}

#[test]
fn the_better_signal_counts_whatever_the_profile_wants_and_whoever_comes_first() {
    let devices = ["patch-1", "patch-2"];
    let wanted = json!([{"device": "patch-1"}]);
    let [poor, good] = [patch("patch-1", 0.6, 60), patch("patch-2", 0.0, 0)];
    let (_one, one) = ward(&wanted, &devices);
    send(&one, &poor);
    send(&one, &good);
    let used: Vec<_> = rates(&one, "p1").iter().map(|rate| sources(&provenance(&one, rate))).collect();
    let told: Vec<(&str, &str)> = used.iter().map(|(used, passed)| (used.as_str(), passed[0].1.as_str())).collect();
    assert_eq!(told, [("patch-1", "profile"), ("patch-2", "quality"), ("patch-2", "quality")]);

    let (_other, other) = ward(&wanted, &devices);
    send(&other, &good);
    send(&other, &poor);
    assert_eq!(standing(&one), standing(&other));

    let (_mixed, mixed) = ward(&wanted, &devices);
    let mut all: Vec<Value> = poor.into_iter().chain(good).collect();
    Random::new(3).shuffle(&mut all);
    send(&mixed, &all);
    assert_eq!(standing(&one), standing(&mixed));
}

#[test]
fn a_source_that_turns_out_to_be_another_patients_leaves_the_next_best() {
    let server = Server::start();
    let client = server.client();
    client.link_device("patch-1", "p1").expect(201);
    client.link_device("patch-2", "p1").expect(201);
    // About as good: the name decides.
    send(&client, &patch("patch-1", 0.0, 0));
    send(&client, &patch("patch-2", 0.0, 0));
    let used = |patient: &str| -> Vec<_> {
        rates(&client, patient).iter().map(|rate| sources(&provenance(&client, rate))).collect()
    };
    assert!(used("p1").iter().all(|(used, passed)| used == "patch-1" && passed.len() == 1));
    client.put("/api/v1/devices/patch-1/associations", &json!({"associations": [{"patient": "p2"}]})).expect(200);
    crate::support::eventually("the correction", || {
        (used("p2").len() == 3 && used("p1").iter().all(|(used, _)| used == "patch-2")).then_some(())
    });
    client.settle();
    assert_eq!(used("p1"), vec![("patch-2".to_owned(), Vec::new()); 3]);
    assert_eq!(used("p2"), vec![("patch-1".to_owned(), Vec::new()); 3]);
    assert!(rates(&client, "p1").iter().all(|rate| rate["status"] == "amended"));
}

#[test]
fn readings_of_a_second_strap_count_only_where_the_first_is_silent() {
    let devices = ["strap-1", "strap-2"];
    // The one that is wanted is silent for two minutes.
    let wanted: Vec<Value> = [strap("strap-2", 72, 0..30, 250), strap("strap-2", 72, 150..180, 250)].concat();
    let other = strap("strap-1", 61, 0..180, 0);
    let order = json!([{"device": "strap-2"}]);
    let told = |client: &Client| {
        let found = rates(client, "p1");
        let count = |rate: f64| found.iter().filter(|o| o["valueQuantity"]["value"].as_f64() == Some(rate)).count();
        assert_eq!(count(72.0) + count(61.0), found.len());
        (count(72.0), count(61.0))
    };
    let renumbered = |mut packets: Vec<Value>| {
        packets.iter_mut().enumerate().for_each(|(i, packet)| packet["sequence"] = json!(i));
        packets
    };
    let wanted = renumbered(wanted);

    let (_one, one) = ward(&order, &devices);
    for device in devices {
        one.put(&format!("/api/v1/devices/{device}"), &json!({"model": "gatt-heart-rate"}));
    }
    send(&one, &other);
    assert_eq!(told(&one), (0, 180));
    send(&one, &wanted);
    // From 59.25 s (30 s after the last of the first stretch) to 120.25 s (30 s before the first of the second).
    assert_eq!(told(&one), (60, 61));

    let (_other, turned) = ward(&order, &devices);
    for device in devices {
        turned.put(&format!("/api/v1/devices/{device}"), &json!({"model": "gatt-heart-rate"}));
    }
    send(&turned, &wanted);
    send(&turned, &other);
    assert_eq!(told(&turned), (60, 61));
    assert_eq!(standing(&one), standing(&turned));
}
