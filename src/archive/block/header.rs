//! What stands in front of a block, in the clear.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Draft, Packet};
use crate::id::{DeviceKey, StreamName, TenantId};

/// 32 bytes, written as 64 hex digits: the name of a block, a digest, a salt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The SHA-256 of bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// Lower-case only: one value, one text.
impl TryFrom<String> for Hash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| "not 64 hex digits")?;
        let hash = Self(bytes);
        if hash.to_string() == text { Ok(hash) } else { Err("not in lower case") }
    }
}

/// The packets a block has of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRange {
    /// The stream.
    pub name: StreamName,
    /// Lowest sequence number.
    pub first: u64,
    /// Highest sequence number.
    pub last: u64,
    /// How many; fewer than the range has where some were lost or came at another time.
    pub packets: u64,
}

/// What stands in front of a block. Everything in it is authenticated by the seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Number in the device's chain, from 1 on.
    pub number: u64,
    /// Name of the block before it; none for the first.
    pub previous: Option<Hash>,
    /// Id of the data key.
    pub key: String,
    /// Salt of the block's own keys.
    pub salt: Hash,
    /// First and last position in the journal; the device has no others between.
    pub positions: (i64, i64),
    /// Earliest and latest time a packet came, microseconds since 1970.
    pub received_us: (i64, i64),
    /// Packets.
    pub packets: u64,
    /// The streams, in the order of their first packet.
    pub streams: Vec<StreamRange>,
    /// Bytes before compression.
    pub size: u64,
    /// HMAC-SHA256 over the packets' SHA-256 in order, under the block's digest key.
    pub digest: Hash,
}

impl Header {
    /// The header of these packets; `None` where there are none or they are out of order.
    pub(super) fn of(draft: Draft, packets: &[Packet], size: u64, digest: Hash) -> Option<Self> {
        let (first, last) = (packets.first()?, packets.last()?);
        if !packets.is_sorted_by(|a, b| a.position < b.position) {
            return None;
        }
        let received = packets.iter().map(|p| p.received.0);
        Some(Self {
            tenant: draft.chain.tenant,
            device: draft.chain.device,
            number: draft.number,
            previous: draft.previous,
            key: draft.key,
            salt: Hash(draft.salt),
            positions: (first.position, last.position),
            received_us: (received.clone().min()?, received.max()?),
            packets: packets.len() as u64,
            streams: streams(packets),
            size,
            digest,
        })
    }
}

/// The streams of packets, in the order of their first packet.
pub(super) fn streams(packets: &[Packet]) -> Vec<StreamRange> {
    let mut streams: Vec<StreamRange> = Vec::new();
    for packet in packets {
        let sequence = packet.sequence;
        if let Some(range) = streams.iter_mut().find(|range| range.name == packet.stream) {
            range.first = range.first.min(sequence);
            range.last = range.last.max(sequence);
            range.packets += 1;
        } else {
            streams.push(StreamRange { name: packet.stream.clone(), first: sequence, last: sequence, packets: 1 });
        }
    }
    streams
}
