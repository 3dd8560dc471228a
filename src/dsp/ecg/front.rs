//! Entrance of the detector: holds over missing samples and decimates to the internal rate.

use serde::{Deserialize, Serialize};

/// Decimation keeps the internal rate above this: the QRS envelope needs nothing above 40 Hz.
const LOWEST_INTERNAL_RATE_HZ: f64 = 125.0;

/// A dropout up to this long is bridged by holding the last value; after a longer one the filters restart.
const LONGEST_BRIDGE_S: f64 = 0.1;

/// Larger values cannot come from a body or an electrode; the bound keeps sums finite.
const LARGEST_MV: f32 = 1.0e6;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Front {
    rate_hz: f64,
    factor: u64,
    position: u64,
    /// Samples since the last multiple of `factor`.
    phase: u64,
    sum: f32,
    summed: u64,
    held: f32,
    missing: u64,
    longest_bridge: u64,
    restart: bool,
}

/// What one sample gave.
pub(super) struct Step {
    /// The sample, or the last good one in its place.
    pub(super) held: f32,
    /// At the end of each group of `factor` samples: the group's number and its mean.
    pub(super) decimated: Option<(u64, f32)>,
    /// The signal begins anew with this sample.
    pub(super) restarted: bool,
}

impl Front {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            factor: (rate_hz / LOWEST_INTERNAL_RATE_HZ).floor().max(1.0) as u64,
            position: 0,
            phase: 0,
            sum: 0.0,
            summed: 0,
            held: 0.0,
            missing: 0,
            longest_bridge: (LONGEST_BRIDGE_S * rate_hz) as u64,
            restart: true,
        }
    }

    pub(super) fn push(&mut self, sample: f32) -> Step {
        let restarted = self.hold(sample);
        self.sum += self.held;
        self.summed += 1;
        self.position += 1;
        self.phase += 1;
        Step { held: self.held, decimated: self.decimate(), restarted }
    }

    pub(super) fn skip(&mut self, samples: u64) {
        self.position = self.position.saturating_add(samples);
        self.phase = self.position % self.factor;
        self.restart();
    }

    /// The next good sample begins a new stretch of signal.
    pub(super) fn restart(&mut self) {
        self.sum = 0.0;
        self.summed = 0;
        self.restart = true;
    }

    /// Updates `held`; true if a new stretch of signal begins with this sample.
    fn hold(&mut self, sample: f32) -> bool {
        if !sample.is_finite() {
            self.missing = self.missing.saturating_add(1);
            return false;
        }
        let restarted = self.restart || self.missing > self.longest_bridge;
        self.missing = 0;
        self.restart = false;
        self.held = sample.clamp(-LARGEST_MV, LARGEST_MV);
        restarted
    }

    fn decimate(&mut self) -> Option<(u64, f32)> {
        if self.phase < self.factor {
            return None;
        }
        self.phase = 0;
        let mean = self.sum / self.summed as f32;
        self.sum = 0.0;
        self.summed = 0;
        Some((self.position / self.factor - 1, mean))
    }

    pub(super) fn factor(&self) -> u64 {
        self.factor
    }

    /// Position, in samples, of the middle of an internal sample.
    pub(super) fn position_of(&self, tick: f64) -> f64 {
        tick * self.factor as f64 + (self.factor - 1) as f64 / 2.0
    }

    /// Number of the next internal sample.
    pub(super) fn tick(&self) -> u64 {
        self.position / self.factor
    }

    pub(super) fn held(&self) -> f32 {
        self.held
    }

    pub(super) fn internal_rate_hz(&self) -> f64 {
        self.rate_hz / self.factor as f64
    }

    /// Samples since the start of the stream, missing ones counted.
    pub(super) fn position(&self) -> u64 {
        self.position
    }
}
