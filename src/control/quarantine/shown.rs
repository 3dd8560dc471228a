//! What is shown of what was held back.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::control::body::Time;
use crate::control::{ControlState, unavailable};
use crate::id::{DeviceKey, HeldId, StreamName};
use crate::problem::Problem;
use crate::store::{Held, HeldKind, HeldState};

/// Something that was held back.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct HeldAnswer {
    pub(super) id: HeldId,
    kind: HeldKind,
    state: HeldState,
    /// What it is about.
    about: String,
    /// Why it was held back.
    reason: String,
    /// SHA-256 of the content, in hex.
    sha256: String,
    /// Since when.
    pub(super) held: Time,
    /// The packets it is, or came of.
    #[serde(skip_serializing_if = "Option::is_none")]
    packets: Option<PacketsAnswer>,
    /// When it was taken up or discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled: Option<Time>,
    /// Public id of the key or client that did it; `server` where it came right by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    settled_by: Option<String>,
    /// Why it was discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded_because: Option<String>,
}

/// Packets of a stream.
#[derive(Debug, Serialize, ToSchema)]
struct PacketsAnswer {
    device: DeviceKey,
    stream: StreamName,
    first_sequence: u64,
    last_sequence: u64,
}

/// What is held back itself.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct ContentAnswer {
    /// OperationOutcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Value>,
    /// The packet, resource or Bundle.
    pub(super) content: Value,
}

pub(super) async fn answer(state: &ControlState, held: Held) -> Result<HeldAnswer, Problem> {
    let packets = match held.packets {
        Some(packets) => {
            let key = state.store.stream_key(packets.stream).await.map_err(|e| unavailable(&e))?;
            let (first_sequence, last_sequence) = (packets.first, packets.last);
            Some(PacketsAnswer { device: key.device, stream: key.name, first_sequence, last_sequence })
        }
        None => None,
    };
    let (settled, settled_by, discarded_because) = match held.settled {
        Some(settled) => (Some(Time(settled.at)), Some(settled.by), settled.note),
        None => (None, None, None),
    };
    Ok(HeldAnswer {
        id: held.id,
        kind: held.kind,
        state: held.state,
        about: held.about,
        reason: held.reason,
        sha256: hex::encode(held.sha256),
        held: Time(held.held),
        packets,
        settled,
        settled_by,
        discarded_because,
    })
}
