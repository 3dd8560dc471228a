//! Device timestamps of packets to positions and times of samples.
//!
//! Samples are counted; their distance is the sampling period, never the difference of two timestamps, so that jittered
//! stamps do not put jitter into beat intervals. The stamps decide where the count lies in time: a jump ahead is samples
//! missing, a jump back is a clock that was set (the sequence number says the packet is the next one), and what is left
//! is followed slowly, which tracks a drifting clock.

use serde::{Deserialize, Serialize};

use crate::time::{DeviceTime, Instant, MICROS};

/// A stamp further off than this is a jump, not jitter.
const JUMP_US: f64 = 150_000.0;
/// Share of a stamp's error that is followed per packet.
const FOLLOW: f64 = 0.02;

/// Where samples lie in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    rate_hz: f64,
    /// Index of the next sample; missing samples are counted.
    next: u64,
    /// A sample index and its time in microseconds.
    anchor: (u64, f64),
    /// What has been added to the device's clock because it was set back.
    offset_us: f64,
}

/// Where a packet's samples go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Samples missing before it.
    pub missing: u64,
    /// Index of its first sample.
    pub start: u64,
}

impl Timeline {
    /// A stream that starts at `start`.
    pub fn new(start: DeviceTime, rate_hz: f64) -> Self {
        Self { rate_hz, next: 0, anchor: (0, start.0 as f64), offset_us: 0.0 }
    }

    /// Samples a second.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Index of the sample to come.
    pub fn next_index(&self) -> u64 {
        self.next
    }

    /// Places a packet of `count` samples stamped `stamp`, and moves on past it.
    pub fn place(&mut self, stamp: DeviceTime, count: usize) -> Placement {
        let expected = self.micros_of(self.next as f64);
        let error = stamp.0 as f64 + self.offset_us - expected;
        let period = MICROS as f64 / self.rate_hz;
        let mut missing = 0;
        if error <= -JUMP_US {
            self.offset_us -= error;
        } else if error >= JUMP_US {
            missing = (error / period).round() as u64;
            self.next += missing;
        } else if error.abs() > period / 2.0 {
            self.anchor = (self.next, expected + FOLLOW * error);
        }
        let start = self.next;
        self.next += count as u64;
        Placement { missing, start }
    }

    /// Time of the sample at `index`, which may lie between samples.
    pub fn time_of(&self, index: f64) -> Instant {
        Instant(self.micros_of(index).round() as i64)
    }

    /// Index of the first sample not before `at`.
    pub fn index_at(&self, at: Instant) -> u64 {
        let guess = self.anchor.0 as f64 + (at.0 as f64 - self.anchor.1) * self.rate_hz / MICROS as f64;
        let mut index = (guess.max(0.0).floor() as u64).saturating_sub(1);
        while self.time_of(index as f64) < at {
            index += 1;
        }
        index
    }

    fn micros_of(&self, index: f64) -> f64 {
        self.anchor.1 + (index - self.anchor.0 as f64) * MICROS as f64 / self.rate_hz
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_760_000_000 * MICROS;

    fn timeline(rate_hz: f64) -> Timeline {
        Timeline::new(DeviceTime(START), rate_hz)
    }

    #[test]
    fn jitter_moves_no_sample_by_more_than_a_fraction() {
        let mut timeline = timeline(250.0);
        for i in 0..1000_i64 {
            let jitter = if i % 2 == 0 { 20_000 } else { -20_000 };
            assert_eq!(timeline.place(DeviceTime(START + i * MICROS + jitter), 250).missing, 0);
        }
        let drift = timeline.time_of(timeline.next_index() as f64).0 - (START + 1000 * MICROS);
        assert!(drift.abs() < 2_000, "{drift} us");
    }

    #[test]
    fn a_jump_ahead_is_missing_samples_and_a_jump_back_a_clock_set() {
        let mut timeline = timeline(100.0);
        timeline.place(DeviceTime(START), 100);
        assert_eq!(timeline.place(DeviceTime(START + 3 * MICROS), 100), Placement { missing: 200, start: 300 });
        assert_eq!(timeline.place(DeviceTime(START - 3600 * MICROS), 100).missing, 0);
        assert_eq!(timeline.place(DeviceTime(START - 3599 * MICROS), 100), Placement { missing: 0, start: 500 });
        assert_eq!(timeline.time_of(600.0).0, START + 6 * MICROS);
    }

    #[test]
    fn a_drifting_clock_is_followed() {
        let mut timeline = timeline(250.0);
        for i in 0..3600_i64 {
            let stamp = START + i * MICROS + i * 50; // 50 ppm fast
            assert_eq!(timeline.place(DeviceTime(stamp), 250).missing, 0);
        }
        let error = timeline.time_of(timeline.next_index() as f64).0 - (START + 3600 * MICROS + 3600 * 50);
        assert!(error.abs() < 10_000, "{error} us");
    }

    #[test]
    fn boundaries_fall_on_whole_samples() {
        let timeline = timeline(360.0);
        assert_eq!(timeline.index_at(Instant(START + 60 * MICROS)), 21_600);
        assert_eq!(timeline.time_of(21_600.0), Instant(START + 60 * MICROS));
    }
}
