//! How many samples a packet has, and how long they take.

use crate::packet::{RawPacket, Samples};
use crate::time::MICROS;

/// How long a packet's samples take, in microseconds. A single value has a moment of its own.
pub(super) fn length(packet: &RawPacket) -> i64 {
    let rate = packet.samples.as_ref().and_then(|samples| samples.rate_hz).filter(|rate| *rate > 0.0);
    rate.map_or(1, |rate| (count(packet) as f64 * MICROS as f64 / rate).round() as i64).max(1)
}

/// How many samples a packet has.
pub(super) fn count(packet: &RawPacket) -> u64 {
    match &packet.samples {
        Some(Samples { values, components, .. }) if components.is_empty() => values.len() as u64,
        _ => u64::from(packet.samples.is_some() || packet.gatt.is_some() || packet.vendor.is_some()),
    }
}
