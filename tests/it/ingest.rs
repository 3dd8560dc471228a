//! `POST /ingest/raw-packet`: what is taken, what is refused, and that nothing of what is refused is kept.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use ciborium::Value as Cbor;
use serde_json::{Value, json};

use crate::support::{Client, Reply, Server, quantity, scalar, time};

/// A device on a patient, in a tenant of its own.
struct Bench {
    client: Client,
    _server: Arc<Server>,
}

impl Bench {
    fn new() -> Self {
        let server = Server::shared();
        let client = server.tenant();
        client.link_device("d1", "p1").expect(201);
        Self { client, _server: server }
    }

    fn post(&self, packets: &[Value]) -> Reply {
        self.client.ingest(packets)
    }

    /// Posts a good packet and `bad` after it in one batch.
    #[track_caller]
    fn refuses(&self, bad: &Value, element: &str) {
        let problem = problem(&self.post(&[heart_rate(1, 60.0), bad.clone()]), 422, "invalid-packet");
        assert_eq!(problem["packet"], 1, "{problem}");
        assert_eq!(problem["element"], element, "{problem}");
        self.is_untouched();
    }

    /// Nothing was stored: no measurement came out, and the sequence numbers are still free for other content.
    #[track_caller]
    fn is_untouched(&self) {
        self.client.settle();
        assert_eq!(self.client.observations(), 0);
        let ack = self.post(&[heart_rate(1, 71.0), heart_rate(2, 72.0)]).expect(202).json();
        assert_eq!(ack["accepted"], 2, "{ack}");
        assert_eq!(ack["duplicates"], 0, "{ack}");
        assert_eq!(ack["streams"], json!([{"device": "d1", "stream": "heart-rate", "contiguous": 2, "gaps": []}]));
        self.client.settle();
        assert_eq!(self.client.observations(), 2);
    }
}

fn heart_rate(sequence: u64, value: f64) -> Value {
    scalar("d1", sequence, "heart-rate", "/min", value)
}

fn changed(pointer: &str, value: Value) -> Value {
    let mut packet = heart_rate(2, 60.0);
    *packet.pointer_mut(pointer).unwrap() = value;
    packet
}

/// The problem details of an answer.
#[track_caller]
fn problem(reply: &Reply, status: u16, kind: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.content_type, "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["type"], format!("urn:afferent:problem:{kind}"), "{problem}");
    assert_eq!(problem["status"], status);
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{problem}");
    problem
}

#[test]
fn an_empty_body_is_refused() {
    let bench = Bench::new();
    for body in ["", " \n ", "[]"] {
        problem(&bench.client.ingest_raw("application/json", body), 400, "empty");
    }
    problem(&bench.client.ingest_raw("application/x-ndjson", "\n\n"), 400, "empty");
    problem(&bench.client.ingest_raw("application/cbor", ""), 400, "empty");
    bench.is_untouched();
}

#[test]
fn ten_megabytes_of_nesting_are_refused() {
    let bench = Bench::new();
    for unit in ["[", "{\"device\":", "[{\"vendor\":"] {
        let reply = bench.client.ingest_raw("application/json", unit.repeat((10 << 20) / unit.len()));
        assert!(matches!(reply.status, 400 | 422), "{}", reply.text());
    }
    problem(&bench.client.ingest_raw("application/cbor", vec![0x81; 10 << 20]), 400, "malformed");
    bench.is_untouched();
}

#[test]
fn invalid_cbor_is_refused() {
    let bench = Bench::new();
    for body in [
        &b"\xff\xff"[..],
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xa1\x61",
    ] {
        problem(&bench.client.ingest_raw("application/cbor", body), 400, "malformed");
    }
    let mut twice = cbor(&Cbor::Map(vec![(Cbor::Text("device".into()), Cbor::Text("d1".into()))]));
    twice.push(0);
    problem(&bench.client.ingest_raw("application/cbor", twice), 400, "malformed");
    bench.is_untouched();
}

#[test]
fn samples_that_are_no_numbers_are_refused() {
    let bench = Bench::new();
    for word in ["NaN", "Infinity", "1e999", "\"60\""] {
        let bad = serde_json::to_string(&heart_rate(2, 60.5)).unwrap().replace("60.5", word);
        let reply = bench.client.ingest_raw("application/json", format!("[{},{bad}]", heart_rate(1, 60.0)));
        assert!(matches!(reply.status, 400 | 422), "{word}: {}", reply.text());
        let reply = bench.client.ingest_raw("application/x-ndjson", format!("{}\n{bad}\n", heart_rate(1, 60.0)));
        assert_eq!(problem(&reply, 422, "invalid-packet")["packet"], 1);
    }
    let nan = cbor(&ecg_second(Cbor::Array(vec![Cbor::Float(f64::NAN)])));
    problem(&bench.client.ingest_raw("application/cbor", nan), 400, "malformed");
    bench.is_untouched();
}

#[test]
fn packets_from_1970_and_from_2100_are_refused() {
    Bench::new().refuses(&changed("/device_time", json!("1970-01-01T00:00:01Z")), "device_time");
    Bench::new().refuses(&changed("/device_time", json!("2100-01-01T00:00:00Z")), "device_time");
    Bench::new().refuses(&changed("/device_time", json!("2026-01-18T14:00:00")), "device_time");
}

#[test]
fn what_the_registry_does_not_know_is_refused() {
    Bench::new().refuses(&changed("/samples/signal", json!("heart-rat")), "samples.signal");
    Bench::new().refuses(&changed("/samples/unit", json!("mV")), "samples.unit");
    Bench::new().refuses(&changed("/samples/values/0", json!(351)), "samples.values[0]");
    Bench::new().refuses(&changed("/samples/values/0", json!(null)), "samples.values[0]");
}

#[test]
fn a_packet_of_another_form_is_refused() {
    let bench = Bench::new();
    for (pointer, value) in
        [("/device", json!("d 1")), ("/sequence", json!(-1)), ("/samples", json!({"signal": "spo2"}))]
    {
        let reply = bench.post(&[heart_rate(1, 60.0), changed(pointer, value)]);
        problem(&reply, 422, "invalid-packet");
    }
    let mut unknown = heart_rate(2, 60.0);
    unknown["patient"] = json!("p1");
    problem(&bench.post(&[heart_rate(1, 60.0), unknown]), 422, "invalid-packet");
    bench.is_untouched();
}

#[test]
fn more_packets_than_a_batch_may_have_are_refused() {
    let bench = Bench::new();
    let packets: Vec<Value> = (1..=10_001).map(|sequence| heart_rate(sequence, 60.0)).collect();
    let problem = problem(&bench.post(&packets), 413, "too-many-packets");
    assert_eq!((problem["found"].as_u64(), problem["limit"].as_u64()), (Some(10_001), Some(10_000)));
    bench.is_untouched();
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let bench = Bench::new();
    let reply = bench.client.ingest_raw("application/json", vec![b' '; 17 << 20]);
    problem(&reply, 413, "too-large");
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1 << 20], b"\r\n".to_vec()].concat();
    let answer = raw(&bench.client, "transfer-encoding: chunked\r\n", &chunk.repeat(17));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    bench.is_untouched();
}

#[test]
fn a_client_that_stops_in_the_body_leaves_nothing() {
    let bench = Bench::new();
    let body = serde_json::to_vec(&[heart_rate(1, 60.0), heart_rate(2, 61.0)]).unwrap();
    for length in [1, body.len() / 2, body.len() - 1] {
        let header = format!("content-length: {}\r\n", body.len());
        let answer = raw(&bench.client, &header, &body[..length]);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    bench.is_untouched();
}

/// Sends a request by hand, stops sending, and gives what comes back.
fn raw(client: &Client, headers: &str, body: &[u8]) -> String {
    let mut socket = TcpStream::connect(&client.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /ingest/raw-packet HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{headers}\r\n",
        client.address, client.key
    );
    socket.write_all(head.as_bytes()).unwrap();
    // The server may hang up on a body it does not want.
    let _ = socket.write_all(body).and_then(|()| socket.shutdown(Shutdown::Write));
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn only_a_key_that_may_ingest_may_ingest() {
    let bench = Bench::new();
    let body = serde_json::to_vec(&[heart_rate(1, 60.0)]).unwrap();
    let wrong = format!("sk_sandbox_{}", "0".repeat(64));
    for key in ["", "nonsense", &wrong] {
        let reply = bench.client.with_key(key).ingest_raw("application/json", body.clone());
        problem(&reply, 401, "unauthorized");
    }
    bench.is_untouched();
}

#[test]
fn a_content_type_that_is_not_known_is_refused() {
    let bench = Bench::new();
    let body = serde_json::to_vec(&[heart_rate(1, 60.0)]).unwrap();
    for content_type in ["text/plain", "application/xml", ""] {
        let reply = bench.client.ingest_raw(content_type, body.clone());
        problem(&reply, 415, "unsupported-media-type");
    }
    bench.is_untouched();
}

#[test]
fn duplicates_are_counted_and_change_nothing() {
    let bench = Bench::new();
    bench.post(&[heart_rate(1, 60.0)]).expect(202);
    let ack = bench.post(&[heart_rate(1, 60.0), heart_rate(2, 61.0), heart_rate(2, 61.0)]).expect(202).json();
    assert_eq!((ack["accepted"].as_u64(), ack["duplicates"].as_u64()), (Some(1), Some(2)), "{ack}");
    bench.client.settle();
    let found = bench.client.search("Observation");
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|observation| observation["meta"]["versionId"] == "1"), "{found:#?}");
}

#[test]
fn other_content_under_a_taken_number_is_a_conflict() {
    let bench = Bench::new();
    bench.post(&[heart_rate(1, 60.0)]).expect(202);
    let problem = problem(&bench.post(&[heart_rate(1, 99.0), heart_rate(2, 61.0)]), 409, "sequence-conflict");
    assert_eq!(problem["conflicts"], json!([{"device": "d1", "stream": "heart-rate", "sequence": 1}]));
    assert_eq!(problem["accepted"], 1, "{problem}");
    bench.client.settle();
    let found = bench.client.search("Observation");
    let mut values: Vec<f64> = found.iter().map(|observation| quantity(observation).0).collect();
    values.sort_by(f64::total_cmp);
    assert_eq!(values, [60.0, 61.0]);
    let metrics = bench.client.get("/metrics").expect(200).text();
    let counter = metrics.lines().find(|line| line.starts_with("afferent_packets_conflicting_total")).unwrap();
    assert!(!counter.ends_with(" 0"), "{counter}");
}

#[test]
fn the_acknowledgement_names_the_gaps() {
    let bench = Bench::new();
    let packets: Vec<Value> = [1, 2, 5, 6, 9].map(|sequence| heart_rate(sequence, 60.0)).into();
    let ack = bench.post(&packets).expect(202).json();
    assert_eq!(ack["streams"][0]["contiguous"], 2, "{ack}");
    assert_eq!(ack["streams"][0]["gaps"], json!([[3, 4], [7, 8]]), "{ack}");
    let ack = bench.post(&[heart_rate(4, 60.0), heart_rate(3, 60.0)]).expect(202).json();
    assert_eq!(ack["streams"][0]["contiguous"], 6, "{ack}");
    assert_eq!(ack["streams"][0]["gaps"], json!([[7, 8]]), "{ack}");
}

#[test]
fn ndjson_takes_a_packet_a_line() {
    let bench = Bench::new();
    let body = format!("{}\n\n{}\n", heart_rate(1, 60.0), heart_rate(2, 61.0));
    let ack = bench.client.ingest_raw("application/x-ndjson", body).expect(202).json();
    assert_eq!(ack["accepted"], 2, "{ack}");
}

#[test]
fn a_typed_array_is_the_same_packet_as_its_json() {
    let bench = Bench::new();
    let counts: Vec<i16> = (0..250).map(|n| n * 3 - 300).collect();
    let bytes = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
    let body = cbor(&ecg_second(Cbor::Tag(77, Box::new(Cbor::Bytes(bytes)))));
    assert!(body.len() < 680, "a second of ECG takes {} bytes", body.len());
    let ack = bench.client.ingest_raw("application/cbor", body).expect(202).json();
    assert_eq!(ack["accepted"], 1, "{ack}");
    let values: Vec<f64> = counts.iter().map(|count| f64::from(*count) * 5.0 / 1000.0).collect();
    let same = json!({"device": "d1", "stream": "ecg", "sequence": 1, "device_time": time(0),
        "samples": {"signal": "ecg", "rate_hz": 250, "unit": "mV", "values": values}});
    let ack = bench.post(&[same]).expect(202).json();
    assert_eq!(ack["duplicates"], 1, "{ack}");
}

fn cbor(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

fn map(members: Vec<(&str, Cbor)>) -> Cbor {
    Cbor::Map(members.into_iter().map(|(name, value)| (Cbor::Text(name.to_owned()), value)).collect())
}

fn ecg_second(values: Cbor) -> Cbor {
    let text = |text: &str| Cbor::Text(text.to_owned());
    let (rate, scale) = (Cbor::Integer(250.into()), Cbor::Float(0.005));
    let samples =
        vec![("signal", text("ecg")), ("rate_hz", rate), ("unit", text("mV")), ("scale", scale), ("values", values)];
    let packet = vec![
        ("device", text("d1")),
        ("stream", text("ecg")),
        ("sequence", Cbor::Integer(1.into())),
        ("device_time", Cbor::Text(time(0))),
        ("samples", map(samples)),
    ];
    map(packet)
}
