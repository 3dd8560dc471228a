//! Packets in: cap the size, authenticate, check, append to the journal, acknowledge. Nothing is processed before it is
//! durable, and nothing is acknowledged before either.

mod feed;
mod http;
mod ledger;
mod websocket;
mod writer;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

pub use feed::{Feed, Feeder, Fresh, feed};
pub use ledger::{Ledger, StreamState};
pub use writer::{Accepted, Backlog, Journal, JournalError, Submission};

use crate::auth::Auth;
use crate::packet::{Limits, RawPacket};
use crate::registry::Registry;
use crate::telemetry::Telemetry;
use crate::time::{Clock, DeviceTime, Instant, MICROS};

/// What ingest handlers need.
#[derive(Clone, Debug)]
pub struct IngestState {
    /// Who may send.
    pub auth: Auth,
    /// Where packets go.
    pub journal: Journal,
    /// What signals there are.
    pub registry: Arc<Registry>,
    /// What is taken.
    pub config: IngestConfig,
    /// Counters.
    pub telemetry: Telemetry,
    /// What time it is.
    pub clock: SharedClock,
}

/// A clock that can be shown.
#[derive(Clone)]
pub struct SharedClock(pub Arc<dyn Clock>);

impl std::fmt::Debug for SharedClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedClock")
    }
}

/// Limits of ingest.
#[derive(Debug, Clone, Copy)]
pub struct IngestConfig {
    /// Bytes in a body or a WebSocket message.
    pub body_bytes: usize,
    /// Packets and values.
    pub limits: Limits,
}

impl Default for IngestConfig {
    fn default() -> Self {
        Self { body_bytes: 16 << 20, limits: Limits::default() }
    }
}

/// Routes of `/ingest`.
pub fn router(state: IngestState) -> Router {
    let limit = state.config.body_bytes;
    Router::new()
        .route("/ingest/raw-packet", post(http::raw_packet))
        .route("/ingest/stream", get(websocket::stream))
        .layer(DefaultBodyLimit::max(limit))
        .with_state(state)
}

/// No device was made before this.
const EARLIEST: &str = "2000-01-01T00:00:00Z";
/// A device's clock may be ahead of ours by this much: a day covers every time zone mistake.
const AHEAD: i64 = 86_400 * MICROS;

/// Whether a packet can be taken: what it holds against the registry, and its time against plausibility.
fn check(state: &IngestState, packet: &RawPacket) -> Result<(), crate::packet::PacketError> {
    use crate::packet::PacketError;
    let earliest = Instant::parse(EARLIEST).map_or(0, |t| t.0);
    let latest = state.clock.0.now().plus(AHEAD);
    let DeviceTime(at) = packet.device_time;
    if at < earliest || at > latest.0 {
        let problem = format!("must lie between {EARLIEST} and {latest}");
        return Err(PacketError::at("device_time", problem));
    }
    if i64::try_from(packet.sequence).is_err() {
        return Err(PacketError::at("sequence", "must be below 2^63"));
    }
    crate::device::accepts(packet, &state.registry)
}
