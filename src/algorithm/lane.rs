//! Windows of one length, open and closing, with what is known about each: packets, samples, quality.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::signal::{PacketRange, Quality};
use crate::time::{Instant, Interval, MICROS};

/// A packet as lineage names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketSeen {
    /// Its number in the stream.
    pub sequence: u64,
    /// SHA-256 of its canonical form.
    pub sha256: [u8; 32],
}

/// A window and what went into it so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    pub(super) interval: Interval,
    pub(super) packets: PacketRange,
    /// Samples that were there.
    pub(super) present: u64,
    quality_weight: f64,
    quality_sum: f64,
}

impl Window {
    fn new(interval: Interval, packet: &PacketSeen) -> Self {
        let packets = PacketRange::of(packet.sequence, &packet.sha256);
        Self { interval, packets, present: 0, quality_weight: 0.0, quality_sum: 0.0 }
    }

    /// Mean quality of the samples in it; unknown counts as good.
    pub(super) fn quality(&self) -> Quality {
        if self.quality_weight > 0.0 { Quality::new(self.quality_sum / self.quality_weight) } else { Quality::GOOD }
    }
}

/// Consecutive windows of one length, counted from 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Lane {
    pub(super) seconds: u32,
    open: VecDeque<Window>,
}

impl Lane {
    pub(super) fn new(seconds: u32) -> Self {
        Self { seconds, open: VecDeque::new() }
    }

    /// End of the window that holds `at`.
    pub(super) fn boundary_after(&self, at: Instant) -> Instant {
        Interval::aligned(at, self.micros()).end
    }

    /// Puts `present` samples of a packet into the window that holds `at`.
    pub(super) fn add(&mut self, at: Instant, packet: &PacketSeen, present: u64) {
        let window = self.window(at, packet);
        if window.packets.last != packet.sequence {
            window.packets.extend(packet.sequence, &packet.sha256);
        }
        window.present += present;
    }

    /// Weighs a quality index into the newest window.
    pub(super) fn add_quality(&mut self, index: f64, weight: f64) {
        if let Some(window) = self.open.back_mut() {
            window.quality_sum += index * weight;
            window.quality_weight += weight;
        }
    }

    /// End of the oldest window, if one is open.
    pub(super) fn oldest_end(&self) -> Option<Instant> {
        self.open.front().map(|w| w.interval.end)
    }

    /// Start of the oldest window, if one is open.
    pub(super) fn oldest_start(&self) -> Option<Instant> {
        self.open.front().map(|w| w.interval.start)
    }

    /// The packets of the open window that holds `at`.
    pub(super) fn packets_at(&self, at: Instant) -> Option<&PacketRange> {
        self.open.iter().find(|window| window.interval.contains(at)).map(|window| &window.packets)
    }

    /// Takes the oldest window out.
    pub(super) fn close(&mut self) -> Option<Window> {
        self.open.pop_front()
    }

    fn window(&mut self, at: Instant, packet: &PacketSeen) -> &mut Window {
        let interval = Interval::aligned(at, self.micros());
        // Time only moves forward here, so a window is either the newest one or new.
        if self.open.back().is_none_or(|w| w.interval.start < interval.start) {
            self.open.push_back(Window::new(interval, packet));
        }
        let newest = self.open.len() - 1;
        &mut self.open[newest]
    }

    fn micros(&self) -> i64 {
        i64::from(self.seconds) * MICROS
    }
}
