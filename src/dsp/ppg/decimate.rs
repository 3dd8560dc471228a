//! Integer decimation with a linear-phase triangular kernel (two cascaded moving averages, a second-order CIC).
//!
//! The kernel's zeros lie on the frequencies that would fold onto 0 Hz. A pulse wave has no content above about 10 Hz
//! (Elgendi et al. 2013) and breathing none above 2 Hz, so the later stages work on a small part of the samples.

use serde::{Deserialize, Serialize};

/// Weighted block sums: one sample out per `factor` samples in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Decimator {
    factor: u32,
    filled: u32,
    rising: f64,
    falling: f64,
    previous_rising: Option<f64>,
}

impl Decimator {
    /// Decimates by the largest integer that leaves at least `target_hz`.
    pub(crate) fn new(rate_hz: f64, target_hz: f64) -> Self {
        let factor = (rate_hz / target_hz).floor().max(1.0) as u32;
        Self { factor, filled: 0, rising: 0.0, falling: 0.0, previous_rising: None }
    }

    /// Input samples per output sample.
    pub(crate) fn factor(&self) -> u32 {
        self.factor
    }

    /// Offset of output sample 0 in input samples: the kernel's centre.
    pub(crate) fn origin(&self) -> f64 {
        f64::from(self.factor) - 1.0
    }

    /// Takes one sample; every `factor`-th call (from the second block on) returns one output sample.
    pub(crate) fn push(&mut self, sample: f64) -> Option<f64> {
        if self.factor == 1 {
            return Some(sample);
        }
        let factor = f64::from(self.factor);
        self.filled += 1;
        let weight = f64::from(self.filled) / factor;
        self.rising += sample * weight;
        self.falling += sample * (1.0 - weight);
        if self.filled < self.factor {
            return None;
        }
        self.close_block()
    }

    fn close_block(&mut self) -> Option<f64> {
        let output = self.previous_rising.map(|rising| (rising + self.falling) / f64::from(self.factor));
        self.previous_rising = Some(self.rising);
        self.filled = 0;
        self.rising = 0.0;
        self.falling = 0.0;
        output
    }

    /// Forgets the signal; the next sample is the first of a new stretch.
    pub(crate) fn reset(&mut self) {
        self.filled = 0;
        self.rising = 0.0;
        self.falling = 0.0;
        self.previous_rising = None;
    }
}
