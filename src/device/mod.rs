//! Bytes to [`Frame`]: what a packet says, in the registry's signals and canonical units. Pure, no I/O, never a panic.
//!
//! The three contents of a packet (`samples`, `gatt`, `vendor`) end in the same four kinds of [`Reading`]. Everything that
//! is refused names its element, so that a sender can find it. [`accepts`] runs the same rules before a packet is
//! journaled: what it lets through, [`decode`] decodes.

mod assemble;
mod check;
pub mod gatt;
mod samples;
mod vendor;

#[cfg(test)]
mod tests;

pub use check::check;

use crate::id::SignalCode;
use crate::packet::{PacketError, RawPacket};
use crate::registry::Registry;
use crate::signal::{AbsentReason, Beat, Quality, SampleBlock};
use crate::time::Instant;

/// What one packet says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Frame {
    /// Its readings, in the order of the packet or of the device's row.
    pub readings: Vec<Reading>,
    /// The time the device wrote into the measurement itself, without zone; kept as a fact, never used as the time.
    pub stated_time: Option<jiff::civil::DateTime>,
    /// The device's own word on how good the reading is, where its format has one.
    pub quality: Option<Quality>,
}

/// One signal's part of a packet.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A waveform (kind `sampled-data`), canonical unit, NaN where a sample is missing.
    Samples(SampleBlock),
    /// A number (kind `quantity`).
    Scalar {
        /// The row in `registry/signal`.
        signal: SignalCode,
        /// When.
        at: Instant,
        /// The value in the canonical unit, or why there is none.
        value: Result<f64, AbsentReason>,
        /// Value and unit as they came, where a conversion changed them.
        original: Option<(f64, String)>,
    },
    /// Numbers that belong together (kind `panel`).
    Panel {
        /// The row in `registry/signal`.
        signal: SignalCode,
        /// When.
        at: Instant,
        /// Value by component code, in the component's unit.
        components: Vec<(String, Result<f64, AbsentReason>)>,
        /// Component, value and unit as they came, where a conversion changed them.
        originals: Vec<(String, f64, String)>,
    },
    /// Intervals from beat to beat (kind `intervals`), oldest first.
    Intervals {
        /// The row in `registry/signal`.
        signal: SignalCode,
        /// Time of the packet.
        at: Instant,
        /// The beats that end the intervals.
        beats: Vec<Beat>,
    },
}

impl Reading {
    /// The row it belongs to.
    pub fn signal(&self) -> &SignalCode {
        match self {
            Self::Samples(block) => &block.signal,
            Self::Scalar { signal, .. } | Self::Panel { signal, .. } | Self::Intervals { signal, .. } => signal,
        }
    }
}

/// The readings of a packet, at the device's own time.
///
/// # Errors
/// The first element the registry does not know or that cannot be.
pub fn decode(packet: &RawPacket, registry: &Registry) -> Result<Frame, PacketError> {
    decode_at(packet, registry, None, Instant(packet.device_time.0))
}

/// The readings of a packet whose `device_time` is `start` in server time, from a device of `model`.
///
/// # Errors
/// The first element the registry does not know or that cannot be.
pub fn decode_at(
    packet: &RawPacket,
    registry: &Registry,
    model: Option<&str>,
    start: Instant,
) -> Result<Frame, PacketError> {
    if let Some(samples) = &packet.samples {
        return Ok(Frame { readings: samples::decode(samples, registry, start)?, ..Frame::default() });
    }
    if let Some(notification) = &packet.gatt {
        return gatt::decode(notification, registry, model, start);
    }
    if let Some(content) = &packet.vendor {
        return vendor::decode(content, registry, model, start);
    }
    Ok(Frame::default())
}

/// Whether [`decode`] will take the packet; samples are checked in place, without copying them.
///
/// # Errors
/// The first element the registry does not know or that cannot be.
pub fn accepts(packet: &RawPacket, registry: &Registry) -> Result<(), PacketError> {
    match &packet.samples {
        Some(samples) => samples::check(samples, registry).map(drop),
        None => decode(packet, registry).map(drop),
    }
}
