//! Atrial fibrillation from the irregularity of RR intervals.
//!
//! Two forms of one idea. [`Detector`] is streaming: each interval is scored from the [`WINDOW`] intervals around it,
//! half a window late, and episodes have an onset and an offset. [`strip_probability`] judges a single short strip.
//! Both are logistic regressions over scale-free statistics of the intervals: entropy of the histogram of successive
//! differences (after Dash et al. 2009 and Zhou et al. 2015), quartiles of differences and deviations, and the rate
//! itself (fibrillation drives the ventricles faster than sinus rhythm does). A window that is irregular because of
//! single ectopic beats keeps small lower quartiles, a fibrillating one does not.

use crate::rr::RrInterval;
use serde::{Deserialize, Serialize};

mod statistics;
mod strip;

use statistics::Statistics;
pub use strip::strip_probability;

/// Intervals a score looks at: about a minute, the length over which guidelines look for irregularity.
pub const WINDOW: usize = 61;
const HALF: usize = WINDOW / 2;
/// Intervals outside are artefacts and are taken as the bound, in seconds.
const BOUNDS_S: (f64, f64) = (0.2, 3.0);
/// Log odds above which an interval belongs to fibrillation, and below which an episode is over.
const ONSET: f64 = -0.4;
const OFFSET: f64 = -0.7;
/// A state lasts at least this many intervals: shorter ones are noise of the statistics.
const SHORTEST: usize = 3;

const BIAS: f64 = -13.842;
const ENTROPY_WEIGHT: f64 = 5.739;
const LOWER_QUARTILE_WEIGHT: f64 = -0.178;
const DEVIATION_WEIGHT: f64 = 1.2862;
const INTERVAL_WEIGHT: f64 = -12.1235;

/// Verdict on one interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Time of the interval's later beat, in seconds since the stream's start.
    pub time_s: f64,
    /// Probability of fibrillation around this beat, in [0, 1].
    pub probability: f64,
    pub fibrillation: bool,
    /// An episode begins or ends with this interval.
    pub change: bool,
}

/// Streaming detector. State: [`WINDOW`] intervals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    intervals_s: Vec<f64>,
    times_s: Vec<f64>,
    fibrillation: bool,
    /// Intervals in a row that speak against the state.
    against: usize,
}

impl Detector {
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next interval, appends the scores that became certain to `scores`. A gap in the
    /// signal ends a window.
    pub fn push(&mut self, interval: &RrInterval, scores: &mut Vec<Score>) {
        if interval.after_gap {
            self.finish(scores);
        }
        if self.intervals_s.len() == WINDOW {
            self.intervals_s.remove(0);
            self.times_s.remove(0);
        }
        self.intervals_s.push((interval.ms / 1000.0).clamp(BOUNDS_S.0, BOUNDS_S.1));
        self.times_s.push(interval.time_s);
        if self.intervals_s.len() == WINDOW {
            self.score(HALF, scores);
        } else if self.intervals_s.len() == WINDOW - 1 {
            // The first half window has no full past: it is judged by the first window.
            (0..HALF).for_each(|i| self.score(i, scores));
        }
    }

    /// End of the stream: the last half window is judged by what there is.
    pub fn finish(&mut self, scores: &mut Vec<Score>) {
        let count = self.intervals_s.len();
        let first = if count >= WINDOW - 1 { count - HALF } else { 0 };
        (first..count).for_each(|i| self.score(i, scores));
        self.intervals_s.clear();
        self.times_s.clear();
    }

    /// Time of the first interval without a score, in seconds.
    pub fn pending_since(&self) -> Option<f64> {
        let count = self.times_s.len();
        self.times_s.get(if count >= WINDOW - 1 { count - HALF } else { 0 }).copied()
    }

    fn score(&mut self, i: usize, scores: &mut Vec<Score>) {
        let Some(log_odds) = log_odds(&self.intervals_s) else { return };
        let fibrillating = log_odds > if self.fibrillation { OFFSET } else { ONSET };
        self.against = if fibrillating == self.fibrillation { 0 } else { self.against + 1 };
        let change = self.against > SHORTEST;
        if change {
            self.fibrillation = fibrillating;
            self.against = 0;
        }
        let probability = 1.0 / (1.0 + (-log_odds).exp());
        scores.push(Score { time_s: self.times_s[i], probability, fibrillation: self.fibrillation, change });
    }
}

fn log_odds(intervals_s: &[f64]) -> Option<f64> {
    let statistics = Statistics::new(intervals_s)?;
    Some(
        BIAS + ENTROPY_WEIGHT * statistics.entropy
            + LOWER_QUARTILE_WEIGHT * statistics.lower_quartile
            + DEVIATION_WEIGHT * statistics.deviation
            + INTERVAL_WEIGHT * statistics.interval,
    )
}

#[cfg(test)]
mod tests;
