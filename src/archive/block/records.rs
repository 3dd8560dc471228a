//! The packets inside a block, before compression: one after the other, each as
//!
//! ```text
//! 4   index of the stream in the header's `streams`
//! 8   sequence number
//! 8   time of receipt, microseconds since 1970
//! 8   position in the journal
//! 4   length L of the packet
//! L   the packet: RFC 8785 JSON, as it was acknowledged
//! ```
//! with all numbers little-endian. A packet's SHA-256 is not stored: the header's digest vouches for it.

use super::header::{Hash, StreamRange, streams};
use crate::id::StreamName;
use crate::time::Instant;

/// A packet as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// Its stream.
    pub stream: StreamName,
    /// Number in the stream.
    pub sequence: u64,
    /// When it came.
    pub received: Instant,
    /// Place in the journal.
    pub position: i64,
    /// SHA-256 of `json`.
    pub sha256: Hash,
    /// RFC 8785 JSON.
    pub json: Vec<u8>,
}

pub(super) fn write(packets: &[Packet]) -> Vec<u8> {
    let streams = streams(packets);
    let mut bytes = Vec::with_capacity(packets.iter().map(|p| p.json.len() + 32).sum());
    for packet in packets {
        let index = streams.iter().position(|range| range.name == packet.stream).unwrap_or_default();
        bytes.extend_from_slice(&(index as u32).to_le_bytes());
        bytes.extend_from_slice(&packet.sequence.to_le_bytes());
        bytes.extend_from_slice(&packet.received.0.to_le_bytes());
        bytes.extend_from_slice(&packet.position.to_le_bytes());
        bytes.extend_from_slice(&(packet.json.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&packet.json);
    }
    bytes
}

/// The packets; `None` where the bytes do not end with one or name a stream the header does not.
pub(super) fn read(mut bytes: &[u8], streams: &[StreamRange]) -> Option<Vec<Packet>> {
    let mut packets = Vec::new();
    while !bytes.is_empty() {
        let stream = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let sequence = u64::from_le_bytes(take(&mut bytes)?);
        let received = Instant(i64::from_le_bytes(take(&mut bytes)?));
        let position = i64::from_le_bytes(take(&mut bytes)?);
        let length = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let (json, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        let stream = streams.get(stream)?.name.clone();
        packets.push(Packet { stream, sequence, received, position, sha256: Hash::of(json), json: json.to_vec() });
    }
    Some(packets)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}
