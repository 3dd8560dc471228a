//! One connection that is kept: HTTP keep-alive or a WebSocket.

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::super::client::{Ack, Server, bytes_of};
use super::super::encode::{cbor_array, json_array};
use super::Transport;
use super::device::Packet;
use crate::time::{self, Clock, SystemClock};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection.
pub(super) struct Connection {
    kind: Kind,
    json: bool,
}

enum Kind {
    Http(Server),
    Websocket(Box<Socket>),
}

/// What came of one request or message.
pub(super) struct Sent {
    /// Device and second of each packet.
    pub(super) packets: Vec<(u32, u32)>,
    /// Bytes of them.
    pub(super) bytes: usize,
    /// When it was first sent.
    pub(super) at: time::Instant,
    /// From when it was due to when it was acknowledged.
    pub(super) latency_ms: f64,
    /// Attempts beyond the first.
    pub(super) retries: u64,
    /// Per packet the stream's highest contiguous number, or why there is none.
    pub(super) answer: Result<Vec<Option<u64>>, String>,
}

impl Connection {
    pub(super) async fn open(transport: Transport, server: &Server, json: bool) -> anyhow::Result<Self> {
        let kind = match transport {
            // A client of its own has connections of its own.
            Transport::Http => {
                let server = server.apart()?;
                server.pending().await?;
                Kind::Http(server)
            }
            Transport::Websocket => Kind::Websocket(Box::new(socket(server).await?)),
        };
        Ok(Self { kind, json })
    }

    /// Sends packets and waits until they are durable.
    pub(super) async fn send(&mut self, packets: Vec<Packet>, due: Instant) -> Sent {
        let names: Vec<(u32, u32)> = packets.iter().map(|p| (p.device, p.second)).collect();
        let mut bodies: Vec<Vec<u8>> = packets.into_iter().map(|p| p.body).collect();
        let body = match bodies.pop() {
            Some(only) if bodies.is_empty() => only,
            last => {
                bodies.extend(last);
                if self.json { json_array(&bodies) } else { cbor_array(&bodies) }
            }
        };
        let bytes = body.len();
        let at = SystemClock.now();
        let (acks, retries) = match &mut self.kind {
            Kind::Http(server) => post(server, self.json, body).await,
            Kind::Websocket(socket) => (message(socket, self.json, body).await, 0),
        };
        let latency_ms = due.elapsed().as_secs_f64() * 1000.0;
        let answer = acks.map(|ack| by_device(&names, &ack)).map_err(|error| format!("{error:#}"));
        Sent { packets: names, bytes, at, latency_ms, retries, answer }
    }
}

/// The answer's number for each device: streams come by device name, which ends in the device's number and the run.
fn by_device(names: &[(u32, u32)], ack: &Ack) -> Vec<Option<u64>> {
    let number = |name: &str| name.split('-').nth(1).and_then(|n| n.parse::<u32>().ok());
    let of = |device: u32| ack.streams.iter().find(|s| number(&s.device) == Some(device + 1)).map(|s| s.contiguous);
    names.iter().map(|(device, _)| of(*device)).collect()
}

async fn post(server: &Server, json: bool, body: Vec<u8>) -> (anyhow::Result<Ack>, u64) {
    let content_type = if json { "application/json" } else { "application/cbor" };
    let body = bytes_of(body);
    let mut patience = server.patience();
    let mut retries = 0;
    loop {
        match server.ingest_once(content_type, body.clone()).await {
            Ok(ack) => return (Ok(ack), retries),
            Err(attempt) => {
                if let Err(error) = patience.bear(attempt).await {
                    return (Err(error.into()), retries);
                }
                retries += 1;
            }
        }
    }
}

async fn message(socket: &mut Socket, json: bool, body: Vec<u8>) -> anyhow::Result<Ack> {
    let message = if json { Message::text(String::from_utf8(body)?) } else { Message::binary(body) };
    socket.send(message).await?;
    loop {
        match socket.next().await.context("the server closed the WebSocket")?? {
            Message::Text(text) => {
                let value: serde_json::Value = serde_json::from_str(text.as_str())?;
                if let Some(detail) = value["problem"]["detail"].as_str() {
                    bail!("{detail}");
                }
                return Ok(serde_json::from_value(value)?);
            }
            Message::Close(_) => bail!("the server closed the WebSocket"),
            _ => {}
        }
    }
}

async fn socket(server: &Server) -> anyhow::Result<Socket> {
    let Some(rest) = server.base().strip_prefix("http://") else {
        bail!("WebSockets over TLS are not supported here; use --transport http");
    };
    let mut request = format!("ws://{rest}/ingest/stream").into_client_request()?;
    request.headers_mut().insert("authorization", format!("Bearer {}", server.key()).parse()?);
    let (socket, _) = tokio_tungstenite::connect_async(request).await.context("no WebSocket")?;
    Ok(socket)
}
