//! A server that keeps what it is sent, with faults on order: what the sending commands are tested against.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocketUpgrade};
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::ingest::Ledger;
use crate::packet::{Format, Limits, RawPacket, parse_batch};
use crate::time::{Clock, SystemClock};

/// What goes wrong with a request, by its number from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    /// 429, try again at once.
    Busy,
    /// The packets are stored, but the connection ends within the answer.
    LostAnswer,
    /// 503 from here on.
    Down,
}

#[derive(Default)]
pub(super) struct Fake {
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) requests: usize,
    pub(super) devices: BTreeMap<String, Value>,
    pub(super) packets: BTreeMap<(String, String), BTreeMap<u64, RawPacket>>,
    pub(super) lag: u64,
}

pub(super) type Shared = Arc<Mutex<Fake>>;

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
    let (ack, conflict) = store(&mut fake, format, &body);
    if fake.faults.get(&number) == Some(&Fault::LostAnswer) {
        let broken = futures_util::stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("cut"))]);
        return (StatusCode::ACCEPTED, Body::from_stream(broken)).into_response();
    }
    (if conflict { StatusCode::CONFLICT } else { StatusCode::ACCEPTED }, Json(ack)).into_response()
}

/// Keeps what is new; the acknowledgement, and whether numbers were taken.
fn store(fake: &mut Fake, format: Format, body: &[u8]) -> (Value, bool) {
    let (mut accepted, mut duplicates, mut streams, mut conflicts) = (0, 0, BTreeMap::new(), Vec::new());
    for packet in parse_batch(format, body, Limits::default()).unwrap() {
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
    let streams: Vec<Value> = streams.into_values().collect();
    let conflict = !conflicts.is_empty();
    (json!({"streams": streams, "accepted": accepted, "duplicates": duplicates, "conflicts": conflicts}), conflict)
}

async fn stream(State(fake): State<Shared>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    assert_eq!(headers["authorization"], "Bearer sk_sandbox_x");
    upgrade.on_upgrade(async move |mut socket| {
        while let Some(Ok(message)) = socket.recv().await {
            let (format, body) = match &message {
                Message::Text(text) => (Format::Json, text.as_bytes()),
                Message::Binary(bytes) => (Format::Cbor, bytes.as_ref()),
                _ => continue,
            };
            let (ack, _) = store(&mut fake.lock().unwrap(), format, body);
            socket.send(Message::Text(ack.to_string().into())).await.unwrap();
        }
    })
}

/// One heart rate per patient, of the first second of its first packet.
async fn observations(State(fake): State<Shared>, RawQuery(query): RawQuery) -> Json<Value> {
    let fake = fake.lock().unwrap();
    let query = query.unwrap();
    let of =
        |device: &String| query.contains(&format!("patient={}&", fake.devices[device]["patient"].as_str().unwrap()));
    let streams = fake.packets.iter().filter(|((device, _), _)| of(device));
    let entries = streams.filter_map(|(_, packets)| packets.first_key_value()).map(|(_, packet)| {
        let end = crate::time::Instant(packet.device_time.0).plus(1_000_000).to_fhir();
        let updated = SystemClock.now().to_fhir();
        json!({"resource": {"effectiveDateTime": end, "meta": {"lastUpdated": updated}, "valueQuantity": {"value": 72}}})
    });
    Json(json!({"entry": entries.collect::<Vec<Value>>()}))
}

async fn link(State(fake): State<Shared>, Path(device): Path<String>, Json(body): Json<Value>) -> StatusCode {
    fake.lock().unwrap().devices.insert(device, body);
    StatusCode::CREATED
}

async fn lag(State(fake): State<Shared>) -> Json<Value> {
    let mut fake = fake.lock().unwrap();
    fake.lag = fake.lag.saturating_sub(1);
    Json(json!({"pending": fake.lag}))
}

/// A server with these faults, and its address.
pub(super) async fn server(faults: &[(usize, Fault)]) -> (Shared, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let fake = Shared::new(Mutex::new(Fake { faults: faults.iter().copied().collect(), lag: 3, ..Fake::default() }));
    let router = Router::new()
        .route("/ingest/raw-packet", post(take))
        .route("/ingest/stream", get(stream))
        .route("/fhir/R4/Observation", get(observations))
        .route("/api/v1/devices/{device}", put(link))
        .route("/api/v1/ingest/lag", get(lag))
        .with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (fake, address)
}

/// Packets it has.
pub(super) fn stored(fake: &Shared) -> usize {
    fake.lock().unwrap().packets.values().map(BTreeMap::len).sum()
}
