//! How likely a hump is a beat: a logistic regression over a few ratios.
//!
//! Every feature is relative (to the running levels, to the typical RR interval), so one set of weights serves all
//! patients, leads and gains. The weights were fitted by logistic regression over 24 records of the MIT-BIH Arrhythmia
//! Database, clean and with electrode-motion noise at 6 and 0 dB (noisy humps weighing 0.3): along the true beats, and
//! along the detector's own decisions in three rounds, so that it knows how to find back from its own errors. A fit on
//! twelve of the records made as many errors on the other twelve as the fit on all; the reverse was not tried, and
//! bands and thresholds were chosen on all 24.

use super::levels::{Heights, Levels, Rhythm};
use super::templates::Likeness;
use serde::{Deserialize, Serialize};

/// Deviation of an RR interval from the median at which it is half as regular, relative.
const REGULAR_SPREAD: f32 = 0.08;
/// A hump this soon after a beat may be its T wave, in seconds.
const T_WAVE_S: f32 = 0.4;

/// A hump as high as the beats (natural logarithm of the ratio) and with their shape is one of them, however early, when
/// beats are clear of noise or it stands alone: the weights above know too few fast rhythms, and a beat taken for noise
/// once would make the next ones look like noise, so that a tachycardia would be counted by half.
const TWIN_LIKENESS: f32 = 0.95;
const TWIN_HEIGHT: f32 = 0.35;
const TWIN_CLEARNESS: f32 = 1.3;
const LONE_LIKENESS: f32 = 0.9;
const LONE_HEIGHT: f32 = 2.0;
const TWIN_LOG_ODDS: f32 = 3.5;

const FEATURES: usize = 16;
const TIMINGS: usize = 4;
const WEIGHTS: [f32; FEATURES] = [
    5.7328, 2.8539, 2.9840, 0.1752, 2.0045, 1.0039, -0.1702, 0.0551, -1.6966, -40.2905, 25.7714, 1.3703, 1.4916,
    0.5803, 0.4984, 18.0858,
];
const EARLY_WEIGHTS: [f32; TIMINGS] = [5.8508, -0.8411, -13.7164, 1.6987];
const REGULAR_WEIGHTS: [f32; TIMINGS] = [5.6188, -0.6371, 0.6075, -0.3744];
const LATE_WEIGHT: f32 = 1.6365;
const T_WAVE_WEIGHT: f32 = -16.2411;

/// Log odds of a hump being a beat, but for the time since the beat before it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    fixed: f32,
    /// What being early, and being due in a regular rhythm, add.
    early: f32,
    regular: f32,
    /// It looks just like the beats: see [`TWIN_LIKENESS`].
    twin: bool,
}

/// What is measured on a hump. All but the likeness are natural logarithms of ratios.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observation {
    /// Height over the running level of beats, over that of noise, over the previous beat.
    over_beats: f32,
    over_noise: f32,
    over_previous: f32,
    /// Height over the envelope in the third of a second before.
    over_surroundings: f32,
    /// Level of beats over level of noise.
    clearness: f32,
    /// Height in the low and high band over their levels, relative to that of the QRS band.
    low_tilt: f32,
    high_tilt: f32,
    likeness: Likeness,
    irregularity: f32,
}

impl Observation {
    pub(super) fn new(heights: Heights, levels: &Levels, surroundings: f32, likeness: Likeness) -> Self {
        let over_beats = log_ratio(heights.qrs, levels.beat.qrs, -4.0, 2.0);
        Self {
            over_beats,
            over_noise: log_ratio(heights.qrs, levels.noise, -3.0, 5.0),
            over_previous: log_ratio(heights.qrs, levels.previous, -3.0, 4.0),
            over_surroundings: log_ratio(heights.qrs, surroundings.max(1e-3), -3.0, 4.0),
            clearness: log_ratio(levels.beat.qrs, levels.noise, -1.0, 4.0),
            low_tilt: log_ratio(heights.low, levels.beat.low, -4.0, 3.0) - over_beats,
            high_tilt: log_ratio(heights.high, levels.beat.high, -4.0, 3.0) - over_beats,
            likeness: Likeness { best: likeness.best.max(0.4), dominant: likeness.dominant.max(-0.5) },
            irregularity: levels.rhythm().irregularity,
        }
    }

    pub(super) fn features(&self) -> [f32; FEATURES] {
        let Likeness { best, dominant } = self.likeness;
        [
            1.0,
            self.over_beats,
            self.over_beats.abs(),
            self.over_beats * self.clearness,
            self.over_noise,
            self.over_noise * self.clearness,
            self.over_surroundings,
            self.over_previous,
            self.clearness,
            best,
            best * best,
            best * self.clearness,
            dominant,
            self.low_tilt,
            self.high_tilt,
            self.irregularity,
        ]
    }

    /// What the weight of being early, and of being due in a regular rhythm, depends on.
    pub(super) fn timing(&self) -> [f32; TIMINGS] {
        [1.0, self.clearness, self.irregularity, self.over_beats.min(0.0)]
    }

    pub(super) fn evidence(&self) -> Evidence {
        let dominant = self.likeness.dominant;
        let alike = dominant >= TWIN_LIKENESS && self.clearness >= TWIN_CLEARNESS;
        let stands_alone = dominant >= LONE_LIKENESS && self.over_surroundings >= LONE_HEIGHT;
        Evidence {
            fixed: product(&self.features(), &WEIGHTS),
            early: product(&self.timing(), &EARLY_WEIGHTS),
            regular: product(&self.timing(), &REGULAR_WEIGHTS),
            twin: self.over_beats.abs() <= TWIN_HEIGHT && (alike || stands_alone),
        }
    }
}

impl Evidence {
    /// Log odds that the hump, `since_s` after the beat before it, is a beat.
    pub(super) fn log_odds(&self, since_s: f32, rhythm: Rhythm) -> f32 {
        let Timing { early, late, regular, t_wave } = Timing::new(since_s, rhythm.interval_s);
        let log_odds =
            self.fixed + self.early * early + self.regular * regular + LATE_WEIGHT * late + T_WAVE_WEIGHT * t_wave;
        if self.twin { log_odds.max(TWIN_LOG_ODDS) } else { log_odds }
    }
}

/// Where a hump lies between the beat before it and the next one expected.
pub(super) struct Timing {
    pub(super) early: f32,
    pub(super) late: f32,
    pub(super) regular: f32,
    pub(super) t_wave: f32,
}

impl Timing {
    pub(super) fn new(since_s: f32, interval_s: f32) -> Self {
        let due = since_s / interval_s;
        let distance = (due - 1.0) / REGULAR_SPREAD;
        Self {
            early: due.min(1.0),
            late: (due - 1.0).clamp(0.0, 1.5),
            regular: 1.0 / (1.0 + distance * distance),
            t_wave: (T_WAVE_S - since_s).clamp(0.0, 0.2),
        }
    }
}

fn product(features: &[f32], weights: &[f32]) -> f32 {
    features.iter().zip(weights).map(|(feature, weight)| feature * weight).sum()
}

fn log_ratio(value: f32, reference: f32, least: f32, most: f32) -> f32 {
    (value.max(1e-6) / reference.max(1e-6)).ln().clamp(least, most)
}
