//! A run of regularly sampled values.

use crate::id::SignalCode;
use crate::time::{Instant, Interval, MICROS};

/// Regular samples of a signal in its canonical unit: FHIR SampledData in working form.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleBlock {
    /// The row in `registry/signal`.
    pub signal: SignalCode,
    /// Time of the first sample.
    pub start: Instant,
    /// Samples a second.
    pub rate_hz: f64,
    /// Values at each point in time, as in `SampledData.dimensions`: 1, or 3 for an accelerometer's axes.
    pub dimensions: usize,
    /// The values, those of one point in time together; NaN where the device had none.
    pub values: Vec<f32>,
}

impl SampleBlock {
    /// Points in time.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of one dimension.
    pub fn channel(&self, dimension: usize) -> Vec<f32> {
        self.values.iter().skip(dimension).step_by(self.dimensions.max(1)).copied().collect()
    }

    /// Time of sample `index`, also past the end.
    pub fn time_of(&self, index: usize) -> Instant {
        self.start.plus((index as f64 * MICROS as f64 / self.rate_hz).round() as i64)
    }

    /// The part of it that lies in an interval.
    #[must_use]
    pub fn between(&self, interval: Interval) -> Self {
        // Times are whole microseconds: what comes out may be one sample off, and is put right.
        let index = |at: Instant| {
            let about = at.seconds_since(self.start) * self.rate_hz;
            let first = (about.max(1.0) as usize - 1).min(self.len());
            (first..self.len()).find(|&index| self.time_of(index) >= at).unwrap_or(self.len())
        };
        let (from, until) = (index(interval.start), index(interval.end));
        let values = self.values.get(from * self.dimensions..until * self.dimensions).unwrap_or_default();
        Self { start: self.time_of(from), values: values.to_vec(), signal: self.signal.clone(), ..*self }
    }

    /// Time right after the last sample: where the next block starts.
    pub fn end(&self) -> Instant {
        self.time_of(self.len())
    }
}
