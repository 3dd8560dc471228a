//! A run of regularly sampled values.

use crate::id::SignalCode;
use crate::time::{Instant, MICROS};

/// Regular samples of one channel in the signal's canonical unit: FHIR SampledData in working form.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBlock {
    /// The row in `registry/signal`.
    pub signal: SignalCode,
    /// Time of the first sample.
    pub start: Instant,
    /// Samples a second.
    pub rate_hz: f64,
    /// One value a sample; NaN where the device had none.
    pub values: Vec<f32>,
}

impl SampleBlock {
    /// Time of sample `index`, also past the end.
    pub fn time_of(&self, index: usize) -> Instant {
        self.start.plus((index as f64 * MICROS as f64 / self.rate_hz).round() as i64)
    }

    /// Time right after the last sample: where the next block starts.
    pub fn end(&self) -> Instant {
        self.time_of(self.values.len())
    }
}
