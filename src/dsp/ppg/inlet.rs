//! The way in, the same for every slow wave: missing samples, decimation, smoothing.
//!
//! A stretch is a run of samples without missing ones, but for short holes over which the last value is held. Positions
//! inside of a stretch count decimated samples; [`Inlet::outer`] leads back to the stream.

use serde::{Deserialize, Serialize};

use super::{
    band::{Band, Filtered, Widths},
    decimate::Decimator,
};

/// Time the last value is held after a stretch's end beyond the filter's delay, so that what lies at the end is complete.
const TAIL_S: f64 = 0.5;

/// What a detector makes of its samples before it looks at them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Rate to decimate to, at least.
    pub(crate) inner_hz: f64,
    pub(crate) widths: Widths,
    /// Longest hole the last value is held over.
    pub(crate) bridged_s: f64,
}

/// Turns samples into filtered samples of stretches.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Inlet {
    inner_hz: f64,
    bridged: u64,
    /// Samples seen, missing ones included.
    position: u64,
    /// Position of the current stretch's first sample.
    stretch: u64,
    /// Last sample present in this stretch.
    held: Option<f64>,
    /// Length of the missing run at the end.
    missing: u64,
    decimator: Decimator,
    band: Band,
}

impl Inlet {
    pub(crate) fn new(rate_hz: f64, layout: Layout) -> Self {
        let decimator = Decimator::new(rate_hz, layout.inner_hz);
        let inner_hz = rate_hz / f64::from(decimator.factor());
        Self {
            inner_hz,
            bridged: (layout.bridged_s * rate_hz) as u64,
            position: 0,
            stretch: 0,
            held: None,
            missing: 0,
            decimator,
            band: Band::new(inner_hz, layout.widths),
        }
    }

    /// Rate of the filtered samples.
    pub(crate) fn inner_hz(&self) -> f64 {
        self.inner_hz
    }

    /// Samples seen so far, missing ones included.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Whether a stretch is open, bridged holes included.
    pub(crate) fn is_within_stretch(&self) -> bool {
        self.held.is_some()
    }

    /// Whether the sample repeats the one before.
    pub(crate) fn is_repeat(&self, sample: f64) -> bool {
        self.held == Some(sample)
    }

    /// Position in the stream of a position in the stretch.
    pub(crate) fn outer(&self, at: f64) -> f64 {
        self.stretch as f64 + self.decimator.origin() + at * f64::from(self.decimator.factor())
    }

    /// Position after the last sample present.
    pub(crate) fn end(&self) -> f64 {
        self.position.saturating_sub(self.missing) as f64
    }

    /// Position before which no event can come any more when one is told at most `longest_s` after it happened, besides
    /// the filters' delay.
    pub(crate) fn settled(&self, longest_s: f64) -> u64 {
        if !self.is_within_stretch() {
            return self.position;
        }
        let inner = self.band.delay() as f64 + longest_s * self.inner_hz + 4.0;
        let lag = (inner * f64::from(self.decimator.factor())).ceil() as u64 + self.missing;
        self.position.saturating_sub(lag)
    }

    /// Takes a sample (one that is not finite is missing) and appends filtered samples; true when the stretch ended.
    pub(crate) fn push(&mut self, sample: f64, filtered: &mut Vec<Filtered>) -> bool {
        if !sample.is_finite() {
            return self.gap(1, filtered);
        }
        match self.held {
            Some(held) => (0..self.missing).for_each(|_| self.advance(held, filtered)),
            None => self.stretch = self.position,
        }
        self.missing = 0;
        self.held = Some(sample);
        self.position = self.position.saturating_add(1);
        self.advance(sample, filtered);
        false
    }

    /// Counts missing samples; true when the stretch ended.
    pub(crate) fn gap(&mut self, missing_samples: u64, filtered: &mut Vec<Filtered>) -> bool {
        self.position = self.position.saturating_add(missing_samples);
        self.missing = self.missing.saturating_add(missing_samples);
        self.missing > self.bridged && self.finish(filtered)
    }

    /// Ends the stretch, if there is one, with its last value held until the filter has given all.
    pub(crate) fn finish(&mut self, filtered: &mut Vec<Filtered>) -> bool {
        let Some(held) = self.held.take() else { return false };
        let tail = self.band.delay() + (TAIL_S * self.inner_hz) as usize + 2;
        (0..tail * self.decimator.factor() as usize).for_each(|_| self.advance(held, filtered));
        self.decimator.reset();
        self.band.reset();
        true
    }

    fn advance(&mut self, sample: f64, filtered: &mut Vec<Filtered>) {
        filtered.extend(self.decimator.push(sample).and_then(|inner| self.band.push(inner)));
    }
}
