//! What every database must do, beside searching: journal, checkpoints and, where processes share it, leases.

mod association;
mod checkpoint;
mod delivery;
mod held;
mod journal;
mod judge;
mod lease;
mod program;
mod speed;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::{Checkpoint, Commit, Joint, KnownClock, Lease, NewEntry, Statement, Store, StreamId, StreamKey};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::resource::Resource;
use crate::store::fixture::{observation, resource, tenant};
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

/// Nothing comes of several streams together but a device, which has what all of them say of it.
struct Alone;
const ALONE: &dyn Joint = &Alone;

impl Joint for Alone {
    fn together(&self, _: &TenantId, _: &[Vec<u8>]) -> Vec<Resource> {
        Vec::new()
    }

    fn device(&self, _: &TenantId, statement: &Statement, all: &[Vec<u8>]) -> Resource {
        let said: Vec<_> = all.iter().map(|body| String::from_utf8_lossy(body)).collect();
        let body = format!(r#","status":"active","lotNumber":"{}""#, said.join("+"));
        resource("Device", statement.device.as_str(), &body)
    }
}

/// One Observation, and the state after the packet before `sequence`.
fn commit(store: &Store, lease: Lease, sequence: u64, value: &str) -> Commit {
    let event = Instant(1_768_744_800_000_000 + sequence.cast_signed() * 60_000_000);
    let id = format!("o{}-{sequence}", lease.stream);
    let state = value.as_bytes().to_vec();
    Commit {
        tenant: tenant("a"),
        drafts: vec![store.draft(&tenant("a"), observation(&id, "p1", &event.to_fhir(), value)).unwrap()],
        contributions: Vec::new(),
        claims: Vec::new(),
        raised: Vec::new(),
        withdrawn: Vec::new(),
        packets: None,
        episodes: BTreeSet::new(),
        statement: None,
        event,
        position: sequence.cast_signed(),
        revision: 1,
        clock: KnownClock::default(),
        checkpoint: Some(Checkpoint {
            stream: lease.stream,
            event,
            sequence,
            position: sequence.cast_signed(),
            newest: event,
            revision: 1,
            state,
        }),
        lease,
    }
}
