//! What every database must do, beside searching: journal, checkpoints and, where processes share it, leases.

mod association;
mod checkpoint;
mod journal;
mod lease;
mod program;
mod speed;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Checkpoint, Commit, KnownClock, Lease, NewEntry, StreamId, StreamKey, Together};
use crate::id::{DeviceKey, StreamName};
use crate::store::fixture::{observation, tenant};
use crate::time::{DeviceTime, Instant};

fn key(device: &str, name: &str) -> StreamKey {
    let (device, name) = (DeviceKey::new(device).unwrap(), StreamName::new(name).unwrap());
    StreamKey { tenant: tenant("a"), device, name }
}

fn entry(stream: StreamId, sequence: u64, packet: &[u8]) -> NewEntry {
    let sha256 = Sha256::digest(packet).into();
    NewEntry {
        stream,
        sequence,
        received: Instant(sequence.cast_signed()),
        device: DeviceTime(0),
        sha256,
        packet: packet.to_vec(),
    }
}

/// Nothing comes of several streams together.
const ALONE: Together<'static> = &|_, _| Vec::new();

/// One Observation, and the state after the packet before `sequence`.
fn commit(lease: Lease, sequence: u64, value: &str) -> Commit {
    let event = Instant(1_768_744_800_000_000 + sequence.cast_signed() * 60_000_000);
    let id = format!("o{}-{sequence}", lease.stream);
    let state = value.as_bytes().to_vec();
    Commit {
        tenant: tenant("a"),
        resources: vec![observation(&id, "p1", &event.to_fhir(), value)],
        contributions: Vec::new(),
        episodes: BTreeSet::new(),
        clock: KnownClock::default(),
        checkpoint: Checkpoint {
            stream: lease.stream,
            event,
            sequence,
            position: sequence.cast_signed(),
            newest: event,
            revision: 1,
            state,
        },
        lease,
    }
}
