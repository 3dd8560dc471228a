//! Which way blood volume points.
//!
//! A pulse oximeter's plethysmogram rises with blood volume, the raw light of a camera or a photodiode falls. Systole is
//! the steeper side either way, so the sign of the third moment of the wave's steps tells the direction. Measured over a
//! second at a time and bounded, so that one artefact does not turn it.

use serde::{Deserialize, Serialize};

/// One block's weight in the running skewness: some twenty seconds decide.
const LEARN: f64 = 0.05;
/// A block's skewness counts up to this.
const BOUND: f64 = 2.0;
/// Evidence needed to change sides; undamaged pulses have 0.5 and more.
const CLEAR: f64 = 0.5;

/// Running decision between upright and inverted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Polarity {
    block: u32,
    filled: u32,
    squares: f64,
    cubes: f64,
    last: Option<f64>,
    blocks: u32,
    skew: f64,
    inverted: bool,
}

impl Polarity {
    pub(super) fn new(rate_hz: f64) -> Self {
        let block = rate_hz.round() as u32;
        Self { block, filled: 0, squares: 0.0, cubes: 0.0, last: None, blocks: 0, skew: 0.0, inverted: false }
    }

    pub(super) fn is_inverted(&self) -> bool {
        self.inverted
    }

    pub(super) fn push(&mut self, value: f64) {
        let Some(last) = self.last.replace(value) else { return };
        let step = value - last;
        self.squares += step * step;
        self.cubes += step * step * step;
        self.filled += 1;
        if self.filled >= self.block {
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        let (mean_square, mean_cube) = (self.squares / f64::from(self.filled), self.cubes / f64::from(self.filled));
        (self.filled, self.squares, self.cubes) = (0, 0.0, 0.0);
        if mean_square <= 0.0 {
            return;
        }
        let skew = (mean_cube / (mean_square * mean_square.sqrt())).clamp(-BOUND, BOUND);
        self.blocks += 1;
        let weight = LEARN.max(1.0 / f64::from(self.blocks));
        self.skew += weight * (skew - self.skew);
        if self.skew.abs() > CLEAR {
            self.inverted = self.skew < 0.0;
        }
    }

    /// Steps do not reach across a gap.
    pub(super) fn reset(&mut self) {
        self.last = None;
    }
}
