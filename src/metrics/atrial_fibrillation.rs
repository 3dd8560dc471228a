//! Atrial fibrillation from the irregularity of RR intervals.
//!
//! Two forms of one idea. [`Detector`] is streaming: every interval is judged by the [`WINDOW`] intervals around it, and
//! the judgements of neighbours are joined by a two-state Markov chain, [`DELAY`] intervals late. [`strip_probability`]
//! judges a single short strip.
//!
//! What a window is judged by are the two parts of the coefficient of sample entropy (Lake & Moorman 2011,
//! doi:10.1152/ajpheart.00561.2010): the sample entropy of its intervals and their length, since fibrillation drives
//! the ventricles faster than sinus rhythm does. A premature beat and the pause that makes up for it are put right
//! first (see [`features`]): frequent extrasystoles are the chief cause of false alarms. The three weights are fitted
//! by `examples/fit_rhythm`, which also prints what they are worth on records they have not seen.
//!
//! Onset and offset are the times of the first interval inside and the first outside of an episode as seen from both
//! sides, so they are not late: on the databases' longer episodes the median onset lies 5 intervals before the annotated
//! one, the median offset 4 after. They are *known* [`DELAY`] intervals later, half a minute at rest.

use crate::rr::RrInterval;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::ops::RangeInclusive;

mod burden;
mod chain;
mod evidence;
mod coherence;
mod strip;

pub use burden::{MIN_BURDEN_S, burden};
use chain::{Chain, Settled};
pub use coherence::atrial_coherence;
pub use evidence::{WINDOW, features};
pub use strip::{MIN_STRIP_INTERVALS, STRIP_FEATURES, strip_features, strip_probability};

/// Changes whenever the same intervals could be judged otherwise.
pub const VERSION: &str = "1.0.0";
const HALF: usize = WINDOW / 2;
/// Intervals after which an interval's judgement is final.
pub const DELAY: usize = HALF + chain::LAG;
/// Intervals outside are artefacts and are taken as the bound, in seconds.
const BOUNDS_S: (f64, f64) = (0.2, 3.0);

/// What the detector weighs, see [`features`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Log odds of fibrillation in a window: `bias + entropy * features[0] + interval * features[1]`.
    pub bias: f64,
    pub entropy: f64,
    pub interval: f64,
    /// Log odds after the chain that divide fibrillation from other rhythms.
    pub threshold: f64,
}

impl Default for Weights {
    /// As fitted on the MIT-BIH atrial fibrillation, arrhythmia and normal sinus rhythm databases; the threshold is
    /// where sensitivity and specificity are equal on records of the first that were left out of the fit.
    fn default() -> Self {
        Self { bias: -8.584, entropy: 5.983, interval: -10.721, threshold: -0.420 }
    }
}

/// Verdict on one interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Time of the interval's later beat, in seconds since the stream's start.
    pub time_s: f64,
    /// Length of the interval in seconds.
    pub length_s: f64,
    /// Probability of fibrillation around this beat, in [0, 1].
    pub probability: f64,
    /// The probability is above one half.
    pub fibrillation: bool,
    /// An episode begins or ends with this interval.
    pub change: bool,
}

/// Streaming detector. Its state is some fifty intervals, serializable at any moment.
///
/// A stretch between two gaps that has fewer than [`WINDOW`] intervals is too short to judge and gets no scores; any
/// other gets one per interval.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Detector {
    weights: Weights,
    /// The last [`WINDOW`] intervals of this stretch: time of the later beat and length, both in seconds.
    window: VecDeque<(f64, f64)>,
    chain: Chain,
    fibrillation: bool,
}

impl Detector {
    pub fn new() -> Self {
        Self::default()
    }

    /// With other weights than the fitted ones.
    pub fn with_weights(weights: Weights) -> Self {
        Self { weights, ..Self::default() }
    }

    /// Takes the next interval, appends the scores that became certain to `scores`. A gap in the signal, or an interval
    /// that is no number, ends a stretch.
    pub fn push(&mut self, interval: &RrInterval, scores: &mut Vec<Score>) {
        let known = interval.ms.is_finite() && interval.time_s.is_finite();
        if interval.after_gap || !known {
            self.finish(scores);
        }
        if !known {
            return;
        }
        if self.window.len() == WINDOW {
            self.window.pop_front();
            self.window.push_back(place(interval));
            self.judge(HALF..=HALF, scores);
        } else {
            self.window.push_back(place(interval));
            if self.window.len() == WINDOW {
                // The first half window has no full past: it is judged by the first window.
                self.judge(0..=HALF, scores);
            }
        }
    }

    /// End of the stream: what is still waiting is judged by what there is.
    pub fn finish(&mut self, scores: &mut Vec<Score>) {
        if self.window.len() == WINDOW {
            self.judge(HALF + 1..=WINDOW - 1, scores);
        }
        self.window.clear();
        while let Some(settled) = self.chain.settle() {
            scores.push(self.score(&settled));
        }
        self.chain = Chain::default();
    }

    /// Time of the first interval without a score, in seconds: what comes next speaks about nothing before it.
    pub fn pending_since(&self) -> Option<f64> {
        self.chain.waiting_since().or_else(|| self.window.front().map(|interval| interval.0))
    }

    /// Judges the intervals at `places` of the window by the whole of it.
    fn judge(&mut self, places: RangeInclusive<usize>, scores: &mut Vec<Score>) {
        let lengths: Vec<f64> = self.window.iter().map(|interval| interval.1).collect();
        let Some([entropy, interval]) = features(&lengths) else { return };
        let log_odds = self.weights.bias + self.weights.entropy * entropy + self.weights.interval * interval;
        for place in places {
            let (time_s, length_s) = self.window[place];
            if let Some(settled) = self.chain.push(time_s, length_s, log_odds / WINDOW as f64) {
                scores.push(self.score(&settled));
            }
        }
    }

    fn score(&mut self, settled: &Settled) -> Score {
        let probability = 1.0 / (1.0 + (self.weights.threshold - settled.log_odds).exp());
        let fibrillation = probability > 0.5;
        let change = fibrillation != self.fibrillation;
        self.fibrillation = fibrillation;
        Score { time_s: settled.time_s, length_s: settled.length_s, probability, fibrillation, change }
    }
}

/// Time of the later beat and length, in seconds.
fn place(interval: &RrInterval) -> (f64, f64) {
    (interval.time_s, (interval.ms / 1000.0).clamp(BOUNDS_S.0, BOUNDS_S.1))
}

#[cfg(test)]
mod tests;
