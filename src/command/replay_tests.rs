use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::ingest::Ledger;
use crate::packet::{Format, Limits, parse_batch};

/// What goes wrong with a request, by its number from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    /// 429, try again at once.
    Busy,
    /// The packets are stored, but the connection ends within the answer.
    LostAnswer,
    /// 503 from here on.
    Down,
}

#[derive(Default)]
struct Fake {
    faults: BTreeMap<usize, Fault>,
    requests: usize,
    devices: BTreeMap<String, Value>,
    packets: BTreeMap<(String, String), BTreeMap<u64, RawPacket>>,
    lag: u64,
}

type Shared = Arc<Mutex<Fake>>;

async fn take(State(fake): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut fake = fake.lock().unwrap();
    assert_eq!(headers["authorization"], "Bearer sk_sandbox_x");
    let number = fake.requests;
    fake.requests += 1;
    let down = fake.faults.iter().any(|(from, fault)| *fault == Fault::Down && number >= *from);
    if down {
        return (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "0")], "").into_response();
    }
    if fake.faults.get(&number) == Some(&Fault::Busy) {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0.01")], "").into_response();
    }
    let format = if headers["content-type"] == "application/cbor" { Format::Cbor } else { Format::Json };
    let (mut accepted, mut duplicates, mut streams, mut conflicts) = (0, 0, BTreeMap::new(), Vec::new());
    for packet in parse_batch(format, &body, Limits::default()).unwrap() {
        let key = (packet.device.to_string(), packet.stream.to_string());
        let stored = fake.packets.entry(key.clone()).or_default();
        match stored.get(&packet.sequence) {
            None => {
                accepted += 1;
                stored.insert(packet.sequence, packet);
            }
            Some(known) if *known == packet => duplicates += 1,
            Some(_) => conflicts.push(json!({"device": key.0, "stream": key.1, "sequence": packet.sequence})),
        }
        let mut ledger = Ledger::default();
        stored.keys().for_each(|number| ledger.insert(*number));
        let state = ledger.state().unwrap();
        let ack = json!({"device": key.0, "stream": key.1, "contiguous": state.contiguous, "gaps": state.gaps});
        streams.insert(key, ack);
    }
    if fake.faults.get(&number) == Some(&Fault::LostAnswer) {
        let broken = futures_util::stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("cut"))]);
        return (StatusCode::ACCEPTED, Body::from_stream(broken)).into_response();
    }
    let streams: Vec<Value> = streams.into_values().collect();
    let ack = json!({"streams": streams, "accepted": accepted, "duplicates": duplicates, "conflicts": conflicts});
    let status = if conflicts.is_empty() { StatusCode::ACCEPTED } else { StatusCode::CONFLICT };
    (status, Json(ack)).into_response()
}

async fn link(State(fake): State<Shared>, UrlPath(device): UrlPath<String>, Json(body): Json<Value>) -> StatusCode {
    fake.lock().unwrap().devices.insert(device, body);
    StatusCode::CREATED
}

async fn lag(State(fake): State<Shared>) -> Json<Value> {
    let mut fake = fake.lock().unwrap();
    fake.lag = fake.lag.saturating_sub(1);
    Json(json!({"pending": fake.lag}))
}

/// A server with these faults, and its address.
async fn server(faults: &[(usize, Fault)]) -> (Shared, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fake = Shared::new(Mutex::new(Fake { faults: faults.iter().copied().collect(), lag: 3, ..Fake::default() }));
    let router = Router::new()
        .route("/ingest/raw-packet", post(take))
        .route("/api/v1/devices/{device}", put(link))
        .route("/api/v1/ingest/lag", get(lag))
        .with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (fake, address)
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

/// A record of 10 s in a folder of its own, and the arguments to replay it.
fn record(to: &str, more: &[&str]) -> (tempfile::TempDir, Args) {
    let folder = tempfile::tempdir().unwrap();
    let dat: Vec<u8> = (0..1000_i16).flat_map(i16::to_le_bytes).collect();
    std::fs::write(folder.path().join("r1.hea"), "r1 1 100 1000\nr1.dat 16 200/mV 16 0 0 0 0 ECG\n").unwrap();
    std::fs::write(folder.path().join("r1.dat"), dat).unwrap();
    let path = folder.path().join("r1").display().to_string();
    let state = folder.path().join("state").display().to_string();
    let fixed = ["replay", &path, "--to", to, "--key", "sk_sandbox_x", "--state", &state, "--speed", "max"];
    let args = Line::try_parse_from(fixed.iter().copied().chain(more.iter().copied())).unwrap().args;
    (folder, args)
}

fn stored(fake: &Shared) -> usize {
    fake.lock().unwrap().packets.values().map(BTreeMap::len).sum()
}

#[tokio::test]
async fn every_packet_arrives_once_whatever_the_server_does() {
    let (fake, to) = server(&[(1, Fault::Busy), (3, Fault::LostAnswer), (4, Fault::Busy)]).await;
    let (_folder, args) = record(&to, &["--batch", "3"]);
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.packets, summary.accepted, summary.duplicates), (10, 7, 3), "one answer was lost");
    assert!(summary.queryable && stored(&fake) == 10 && fake.lock().unwrap().lag == 0);
    assert_eq!(fake.lock().unwrap().devices["wfdb-r1"], json!({"model": "wfdb-recording", "patient": "r1"}));
    assert!(!args.state.exists());

    let again = replay(&args).await.unwrap();
    assert_eq!((again.packets, again.accepted, again.duplicates), (10, 0, 10));
}

#[tokio::test]
async fn an_interrupted_replay_goes_on_where_it_stopped() {
    let (fake, to) = server(&[(2, Fault::Down)]).await;
    let (_folder, args) = record(&to, &["--batch", "3", "--timeout", "0.1"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("stopped after 6 packets; the same command goes on from there"), "{error}");
    assert!(error.contains("503"), "{error}");
    assert!(args.state.exists());

    fake.lock().unwrap().faults.clear();
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.resumed, summary.packets, summary.duplicates), (6, 4, 0));
    assert_eq!(stored(&fake), 10);
    assert!(!args.state.exists());
}

#[tokio::test]
async fn a_server_that_forgot_everything_gets_everything() {
    let (fake, to) = server(&[(2, Fault::Down)]).await;
    let (_folder, args) = record(&to, &["--batch", "3", "--timeout", "0.1"]);
    replay(&args).await.unwrap_err();
    *fake.lock().unwrap() = Fake::default();
    let summary = replay(&args).await.unwrap();
    assert_eq!((summary.resumed, summary.packets), (1, 9), "the first packet was the question how far it is");
    assert_eq!(stored(&fake), 10);
}

#[tokio::test]
async fn nobody_there_is_an_error_with_the_reason() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_folder, args) = record("http://127.0.0.1:1", &["--timeout", "0.2"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("the device could not be registered: no answer for 0 s"), "{error}");
}

#[tokio::test]
async fn another_recording_under_the_same_numbers_is_a_conflict() {
    let (fake, to) = server(&[]).await;
    let (_folder, args) = record(&to, &[]);
    replay(&args).await.unwrap();
    let (_folder, args) = record(&to, &["--start", "2026-02-01T00:00:00Z"]);
    let error = format!("{:#}", replay(&args).await.unwrap_err());
    assert!(error.contains("choose another --device"), "{error}");
    assert!(error.contains("wfdb-r1 ecg 0, wfdb-r1 ecg 1, wfdb-r1 ecg 2 and 7 more"), "{error}");
    assert_eq!(stored(&fake), 10);
}

#[tokio::test]
async fn cbor_and_json_give_the_same_packets() {
    let (fake, to) = server(&[]).await;
    let (_folder, args) = record(&to, &["--cbor", "--device", "d", "--patient", "p", "--wait", "false"]);
    let summary = replay(&args).await.unwrap();
    assert!(!summary.queryable);
    let (_folder, args) = record(&to, &["--device", "d", "--patient", "p"]);
    assert_eq!(replay(&args).await.unwrap().duplicates, 10);
    assert_eq!(fake.lock().unwrap().devices["d"]["patient"], "p");
}

#[tokio::test]
async fn packet_files_are_paced_by_their_own_times() {
    let (fake, to) = server(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.ndjson");
    let line = |n: i32| {
        format!(
            r#"{{"device":"d","stream":"hr","sequence":{n},"device_time":"2026-01-18T14:32:1{n}Z","samples":{{"signal":"heart-rate","unit":"/min","values":[60]}}}}"#
        )
    };
    std::fs::write(&path, (0..3).map(line).collect::<Vec<_>>().join("\n")).unwrap();
    let state = folder.path().join("state");
    let words = ["replay", path.to_str().unwrap(), "--to", &to, "--key", "sk_sandbox_x", "--speed", "20"];
    let mut args = Line::try_parse_from(words).unwrap().args;
    args.state = state;
    let began = Instant::now();
    let summary = replay(&args).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(100), "2 s at twenty times the speed");
    assert_eq!((summary.accepted, fake.lock().unwrap().requests), (3, 3));
    assert!(fake.lock().unwrap().devices.is_empty(), "its devices are the server's to know");
}

#[test]
fn arguments_are_checked() {
    for (more, expected) in [
        (&["--speed", "0"][..], "must be a positive number or `max`"),
        (&["--batch", "0"], "0 is not in 1..=10000"),
        (&["--start", "today"], "RFC 3339"),
    ] {
        let words = ["replay", "x", "--to", "http://x", "--key", "k"];
        let error = Line::try_parse_from(words.iter().chain(more)).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
