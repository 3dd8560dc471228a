//! The raw packet: what a device sends, as the wire contract defines it.
//!
//! A packet has one canonical form, RFC 8785 JSON without `signature`. That form is what the journal keeps and what the
//! packet's SHA-256 is taken over, so that the same packet sent as JSON and as CBOR, or with its keys in another order, is
//! one packet, and anyone can recompute the hash that a Provenance names.

mod cbor;
mod parse;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use parse::{BatchError, Format, Limits, parse_batch, parse_one};

use crate::id::{DeviceKey, EpisodeId, SignalCode, StreamName};
use crate::time::DeviceTime;

/// One packet of a device's stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawPacket {
    /// The device.
    pub device: DeviceKey,
    /// Its stream.
    pub stream: StreamName,
    /// Number in the stream; one more with every packet.
    pub sequence: u64,
    /// The device's time of the first sample.
    #[serde(with = "rfc3339")]
    pub device_time: DeviceTime,
    /// The recording session it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub episode: Option<EpisodeId>,
    /// Firmware version of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Version of the software that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdk: Option<String>,
    /// Samples in a known signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<Samples>,
    /// A GATT notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gatt: Option<Gatt>,
    /// A vendor's JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<Vendor>,
    /// The stream ends here: windows still open are closed with what they have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_of_stream: bool,
    /// HMAC-SHA256 or detached JWS over the canonical form.
    #[serde(default, skip_serializing)]
    pub signature: Option<String>,
}

/// Values of one signal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// The row in `registry/signal`.
    pub signal: SignalCode,
    /// Samples a second; needed for more than one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_hz: Option<f64>,
    /// UCUM unit, one the row accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The values; `null` where a waveform has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Option<f64>>,
    /// Values of a panel by component code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub components: BTreeMap<String, f64>,
    /// What `values` count in, applied on reading and gone from the canonical form.
    #[serde(default, skip_serializing)]
    pub scale: Option<f64>,
    /// The lead or channel, such as `MLII`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lead: Option<String>,
}

/// A GATT notification or indication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gatt {
    /// UUID: four hex digits for an assigned number, or in full.
    pub characteristic: String,
    /// The bytes, base64.
    pub value: String,
}

/// A vendor's own JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vendor {
    /// Schema name and version, a row in `registry/device`.
    pub schema: String,
    /// As the vendor sends it.
    pub payload: serde_json::Value,
}

/// What is wrong with a packet, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {problem}")]
pub struct PacketError {
    /// Path of the element, such as `samples.values[17]`.
    pub element: String,
    /// What is wrong with it.
    pub problem: String,
}

impl PacketError {
    /// A problem with an element.
    pub fn at(element: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { element: element.into(), problem: problem.into() }
    }
}

/// A packet in canonical form with its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// RFC 8785 JSON.
    pub json: Vec<u8>,
    /// SHA-256 of it.
    pub sha256: [u8; 32],
}

impl RawPacket {
    /// The canonical form.
    ///
    /// # Errors
    /// A number that JSON cannot hold; [`parse_one`] refuses those before.
    pub fn canonical(&self) -> Result<Canonical, PacketError> {
        let json = serde_json_canonicalizer::to_vec(self)
            .map_err(|error| PacketError::at("packet", format!("has no canonical form: {error}")))?;
        let sha256 = Sha256::digest(&json).into();
        Ok(Canonical { json, sha256 })
    }

    /// Reads a packet back from the journal.
    ///
    /// # Errors
    /// The bytes are not a packet this version can read.
    pub fn from_canonical(json: &[u8]) -> Result<Self, PacketError> {
        parse::from_json(json)
    }
}

/// RFC 3339 text for [`DeviceTime`].
mod rfc3339 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::time::DeviceTime;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
    pub(super) fn serialize<S: Serializer>(time: &DeviceTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DeviceTime, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        DeviceTime::parse(&text).map_err(D::Error::custom)
    }
}
