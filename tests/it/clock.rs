//! Devices whose clocks are wrong: corrected where nobody keeps the clock, told where somebody should.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Client, Server, has_code, quantity};

const FREE: &str = "format_version = 1\nmodel = \"strap\"\ndisplay = \"Strap\"\nclock = \"free\"\n";

/// A server that knows a model with a clock nobody keeps.
fn server() -> (tempfile::TempDir, Server) {
    let rows = tempfile::tempdir().unwrap();
    fs::create_dir(rows.path().join("device")).unwrap();
    fs::write(rows.path().join("device/strap.toml"), FREE).unwrap();
    let server = Server::with_registry(rows.path());
    (rows, server)
}

/// A saturation a second, by a clock that says `from` at first.
fn packets(from: &str, count: i64) -> Vec<Value> {
    let from: jiff::Timestamp = from.parse().unwrap();
    let packet = |n: i64| {
        let at = from + jiff::SignedDuration::from_secs(n);
        json!({"device": "strap-1", "stream": "spo2", "sequence": n, "device_time": at.to_string(),
            "samples": {"signal": "spo2", "unit": "%", "values": [90 + n % 10]}})
    };
    (0..count).map(packet).collect()
}

fn spo2(client: &Client) -> Vec<Value> {
    client.search("Observation?patient=p1&code=spo2&_sort=date&_count=200")
}

fn effective(observation: &Value) -> jiff::Timestamp {
    observation["effectiveDateTime"].as_str().unwrap().parse().unwrap()
}

#[test]
fn a_clock_nobody_keeps_is_mapped_to_the_servers_and_that_is_told() {
    let (_rows, server) = server();
    let client = server.client();
    client.put("/api/v1/devices/strap-1", &json!({"model": "strap", "patient": "p1"})).expect(201);
    // A strap that was switched off says 2019; what it kept comes in pieces, the newest packet a moment old.
    let before = jiff::Timestamp::now();
    packets("2019-01-01T00:00:00Z", 100).chunks(7).for_each(|piece| client.ingest_all(piece));
    client.settle();
    let after = jiff::Timestamp::now();
    let found = spo2(&client);
    assert_eq!(found.len(), 100);
    let newest = effective(found.last().unwrap());
    let slack = jiff::SignedDuration::from_secs(2);
    assert!(before - slack < newest && newest < after + slack, "{newest} is not within {before} and {after}");
    let all: Vec<jiff::Timestamp> = found.iter().map(effective).collect();
    assert!(all.windows(2).all(|pair| (pair[1].duration_since(pair[0]).as_millis() - 1000).abs() <= 1), "{all:?}");
    assert!(found.iter().all(|o| o["status"] == "final" || o["status"] == "amended"));

    let clocks = client.search("Observation?code=urn:iso:std:iso:11073:10101|68226");
    assert_eq!(clocks.len(), 1, "{clocks:?}");
    assert_eq!(clocks[0]["valueDateTime"], "2019-01-01T00:00:00.000Z");
    assert_eq!(clocks[0]["effectiveDateTime"], found[0]["effectiveDateTime"]);
    let lineage = client.search(&format!("Provenance?target=Observation/{}", found[99]["id"].as_str().unwrap()));
    let parts = lineage[0]["entity"][0]["extension"][0]["extension"].as_array().unwrap();
    let offset = parts.iter().find(|part| part["url"] == "clock-offset").unwrap()["valueDecimal"].as_f64().unwrap();
    let shown: jiff::Timestamp = "2019-01-01T00:01:39Z".parse().unwrap();
    assert!((newest.duration_since(shown).as_secs_f64() - offset).abs() < 0.002, "{offset}");
    assert_eq!(quantity(found.last().unwrap()).0, 99.0);
}

#[test]
fn a_clock_somebody_keeps_is_taken_as_it_is_and_said_to_be_off() {
    let server = Server::shared();
    let client = server.tenant();
    client.put("/api/v1/devices/strap-1", &json!({"patient": "p1"})).expect(201);
    let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(10);
    client.ingest_all(&packets(&ahead.to_string(), 100));
    client.settle();
    let found = spo2(&client);
    assert_eq!(found.len(), 100);
    assert!(effective(&found[0]).duration_since(ahead).as_millis().abs() <= 1, "nothing is added");
    let skew = |o: &Value| {
        let extensions = o["extension"].as_array().unwrap();
        let url = "https://afferent.dev/fhir/StructureDefinition/clock-skew";
        extensions.iter().find(|e| e["url"] == url).map(|e| e["valueDecimal"].as_f64().unwrap())
    };
    for observation in &found {
        let off = skew(observation).unwrap_or_else(|| panic!("{observation:#}"));
        assert!((off + 600.0).abs() < 130.0, "{off}");
        assert!(has_code(&observation["code"], "59408-5"));
    }
}
