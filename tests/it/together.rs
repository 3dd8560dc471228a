//! What two sensors on one patient give together, in whatever order their packets come.

use afferent::synthetic::Heart;
use serde_json::{Value, json};

use crate::support::{Client, Server, everything, own_code, quantity, time, without_versions};

const SECONDS: usize = 190;

/// A second a packet of `value` at `rate_hz`.
fn packets(device: &str, signal: &str, unit: &str, rate_hz: usize, value: impl Fn(f64) -> f64) -> Vec<Value> {
    let packet = |second: usize| {
        let values: Vec<f64> = (0..rate_hz)
            .map(|i| value(second as f64 + i as f64 / rate_hz as f64))
            .map(|v| (v * 1e4).round() / 1e4)
            .collect();
        json!({
            "device": device, "stream": signal, "sequence": second,
            "device_time": time(i64::try_from(second).unwrap() * 1_000_000),
            "samples": {"signal": signal, "rate_hz": rate_hz, "unit": unit, "values": values},
        })
    };
    (0..SECONDS).map(packet).collect()
}

fn patch_and_clip() -> (Vec<Value>, Vec<Value>) {
    let heart = Heart::new(|t| 64.0 + t / 30.0, SECONDS as f64 + 2.0);
    let ecg = packets("patch-1", "ecg", "mV", 250, |t| heart.ecg(t));
    let ppg = packets("clip-1", "ppg", "1", 100, |t| 2.0 + heart.ppg(t));
    (ecg, ppg)
}

fn server_with(first: &[Value], second: &[Value]) -> (Server, Client) {
    let server = Server::start();
    let client = server.client();
    client.link_device("patch-1", "p1").expect(201);
    client.link_device("clip-1", "p1").expect(201);
    for part in [first, second] {
        part.chunks(20).for_each(|batch| client.ingest_all(batch));
        client.settle();
    }
    (server, client)
}

#[test]
fn an_ecg_patch_and_a_finger_clip_give_pulse_arrival_times_with_both_in_their_lineage() {
    let (ecg, ppg) = patch_and_clip();
    let (_server, client) = server_with(&ecg, &ppg);
    let found = client.search("Observation?patient=p1&code=pulse-arrival-time&_sort=date");
    assert_eq!(found.len(), 3, "{found:?}");
    for observation in &found {
        let (value, unit) = quantity(observation);
        // From the R peak to the foot is 250 ms in this heart; the steepest upstroke comes 50 ms into the pulse wave.
        assert!(unit == "ms" && (value - 300.0).abs() < 15.0, "{value} {unit}");
        let sources: Vec<Value> = observation["derivedFrom"]
            .as_array()
            .unwrap()
            .iter()
            .map(|source| client.fhir(source["reference"].as_str().unwrap()))
            .collect();
        assert_eq!(sources.iter().map(own_code).collect::<Vec<_>>(), ["rr-interval", "pulse-interval"]);
        let id = observation["id"].as_str().unwrap();
        let lineage = client.search(&format!("Provenance?target=Observation/{id}"));
        let ranges: Vec<&Value> =
            lineage[0]["entity"].as_array().unwrap().iter().filter(|e| e["role"] == "source").collect();
        assert_eq!((lineage.len(), ranges.len()), (1, 2), "{lineage:?}");
        let authors =
            lineage[0]["agent"].as_array().unwrap().iter().filter(|a| a["type"]["coding"][0]["code"] == "author");
        assert_eq!(authors.count(), 2);
    }
}

#[test]
fn it_does_not_matter_which_sensor_comes_first() {
    let (ecg, ppg) = patch_and_clip();
    let (_a, one) = server_with(&ecg, &ppg);
    let (_b, other) = server_with(&ppg, &ecg);
    assert_eq!(without_versions(everything(&one)), without_versions(everything(&other)));
}

#[test]
fn two_patients_do_not_meet() {
    let (ecg, ppg) = patch_and_clip();
    let server = Server::start();
    let client = server.client();
    client.link_device("patch-1", "p1").expect(201);
    client.link_device("clip-1", "p2").expect(201);
    for part in [&ecg, &ppg] {
        part.chunks(20).for_each(|batch| client.ingest_all(batch));
    }
    client.settle();
    assert!(client.search("Observation?code=pulse-arrival-time").is_empty());
    assert!(!client.search("Observation?patient=p2&code=pulse-rate").is_empty());
}
