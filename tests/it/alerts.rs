//! Rules that raise Flags: from a device's samples to whoever is told.

use std::collections::BTreeMap;

use afferent::synthetic::Heart;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Client, Random, Server, eventually, has_code, standing, time};

const HZ: i64 = 250;
const SECONDS: i64 = 330;
/// While the atria fibrillate, in seconds.
const FIBRILLATION: std::ops::Range<f64> = 70.0..190.0;

/// A second of an electrocardiogram a packet.
pub(crate) fn packets(device: &str) -> Vec<Value> {
    let heart = Heart::fibrillating(|_| 75.0, FIBRILLATION, SECONDS as f64);
    let packet = |second: i64| {
        let value = |i: i64| (heart.ecg(second as f64 + i as f64 / HZ as f64) * 1e3).round() / 1e3;
        let values: Vec<f64> = (0..HZ).map(value).collect();
        json!({
            "device": device, "stream": "ecg", "sequence": second, "device_time": time(second * 1_000_000),
            "samples": {"signal": "ecg", "rate_hz": HZ, "unit": "mV", "values": values},
        })
    };
    (0..SECONDS).map(packet).collect()
}

/// The one Flag of a patient about fibrillation.
#[track_caller]
fn flag(client: &Client, patient: &str) -> Value {
    let mut flags = client.search(&format!("Flag?patient={patient}"));
    flags.retain(|flag| has_code(&flag["code"], "alert-atrial-fibrillation"));
    assert_eq!(flags.len(), 1, "{flags:?}");
    flags.remove(0)
}

#[test]
fn a_flag_says_what_why_and_by_which_rule() {
    let server = Server::shared();
    let client = server.tenant();
    client.link_device("chest-1", "p1").expect(201);
    let packets = packets("chest-1");
    let (during, after) = packets.split_at(170);
    client.ingest_all(during);
    client.settle();
    let raised = flag(&client, "p1");
    assert_eq!((&raised["status"], &raised["period"]["end"]), (&json!("active"), &Value::Null));
    assert!(has_code(&raised["code"], "49436004"));
    let parts = raised["extension"].as_array().unwrap();
    let detail = parts.iter().find(|e| e["url"] == "http://hl7.org/fhir/StructureDefinition/flag-detail").unwrap();
    // The picture is there already, though the minute it is of may not be over.
    let document = client.fhir(detail["valueReference"]["reference"].as_str().unwrap());
    let start = raised["period"]["start"].as_str().unwrap();
    let shown = &document["context"]["period"];
    assert!(shown["start"].as_str().unwrap() >= start, "{shown} is before {start}");
    let attachment = document["content"][0]["attachment"]["url"].as_str().unwrap();
    let picture = client.get_with(&format!("/fhir/R4/{attachment}"), "accept", "image/png").expect(200);
    assert!(picture.body.starts_with(b"\x89PNG"));
    // Which version of which rule raised it.
    let rule = client.fhir(raised["author"]["reference"].as_str().unwrap());
    assert_eq!(
        (&rule["deviceName"][0]["name"], &rule["version"][0]["value"]),
        (&json!("Atrial fibrillation"), &json!("1.0.0"))
    );
    let why = client.search(&format!("Provenance?target=Flag/{}", raised["id"].as_str().unwrap()));
    assert_eq!(why.len(), 1, "{why:?}");
    assert_eq!(why[0]["target"][1]["reference"], detail["valueReference"]["reference"]);
    assert!(why[0]["entity"][0]["extension"].to_string().contains("sha256"));

    client.ingest_all(after);
    client.settle();
    let over = flag(&client, "p1");
    assert_eq!(
        (&over["status"], &over["id"], &over["extension"]),
        (&json!("inactive"), &raised["id"], &raised["extension"])
    );
    assert!(over["period"]["end"].as_str().unwrap() > start);
    let why = client.search(&format!("Provenance?target=Flag/{}&_sort=recorded", raised["id"].as_str().unwrap()));
    let activities: Vec<_> = why.iter().map(|one| one["activity"]["coding"][0]["code"].as_str().unwrap()).collect();
    assert_eq!(activities, ["CREATE", "UPDATE"]);
}

/// What stands for a patient once packets have come in an order, Flags with it.
fn outcome(sent: &[Value]) -> BTreeMap<String, Value> {
    let server = Server::start();
    let client = server.client();
    client.link_device("chest-1", "p1").expect(201);
    sent.chunks(30).for_each(|batch| client.ingest_all(batch));
    client.settle();
    standing(&client)
}

#[test]
fn late_packets_end_in_the_same_flags() {
    let mut in_order = packets("chest-1");
    in_order.last_mut().unwrap()["end_of_stream"] = json!(true);
    let expected = outcome(&in_order);
    assert!(expected.iter().any(|(reference, flag)| reference.starts_with("Flag/") && flag["status"] == "inactive"));
    let mut random = Random::new(9);
    for _ in 0..2 {
        let mut sent = in_order.clone();
        let late = usize::try_from(random.below(60)).unwrap();
        // A minute and a half of it, fibrillation begins in it, waits in a buffer; the rest is a little out of order.
        let buffered: Vec<Value> = sent.drain(60 + late..150 + late).collect();
        sent.chunks_mut(12).skip(1).for_each(|few| random.shuffle(few));
        sent.extend(buffered);
        let found = outcome(&sent);
        let names = |all: &BTreeMap<String, Value>| all.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        expected.iter().for_each(|(reference, resource)| assert_eq!(&found[reference], resource));
    }
}

/// What a strap tells of the heart rate every half minute.
fn rates(rates: &[u8]) -> Vec<Value> {
    let packet = |(n, rate): (i64, &u8)| {
        json!({
            "device": "chest-1", "stream": "hr", "sequence": n, "device_time": time(n * 30_000_000),
            "gatt": {"characteristic": "2a37", "value": STANDARD.encode([0, *rate])},
        })
    };
    (0..).zip(rates).map(packet).collect()
}

#[test]
fn what_a_late_packet_disproves_is_taken_back() {
    let server = Server::shared();
    let client = server.tenant();
    client.link_device("chest-1", "p1").expect(201);
    let mut packets = rates(&[140, 140, 140, 95, 140, 140, 140]);
    let late = packets.remove(3);
    client.ingest_all(&packets);
    client.settle();
    let flags = || client.search("Flag?patient=p1");
    let active = eventually("a Flag", || flags().pop());
    assert!(has_code(&active["code"], "alert-tachycardia") && active["status"] == "active", "{active}");
    client.ingest_all(&[late]);
    client.settle();
    let error = eventually("it to be taken back", || flags().into_iter().find(|flag| flag["status"] != "active"));
    assert_eq!((flags().len(), &error["id"], &error["status"]), (1, &active["id"], &json!("entered-in-error")));
    // What stands again is raised again.
    client.ingest_all(&rates(&[140; 12])[7..]);
    client.settle();
    let statuses = || flags().iter().map(|flag| flag["status"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    eventually("another Flag", || (statuses().len() == 2 && statuses().contains(&"active".to_owned())).then_some(()));
}
