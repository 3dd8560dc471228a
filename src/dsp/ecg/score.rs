//! How likely a hump is a beat: a logistic regression over a few ratios.
//!
//! Every feature is relative (to the running levels, to the typical RR interval), so one set of weights serves all
//! patients, leads and gains. The weights were fitted once, over 24 records of the MIT-BIH Arrhythmia Database clean
//! and with electrode-motion noise at 6 and 0 dB; none is tied to a record.

use super::levels::{Heights, Levels, Rhythm};
use super::templates::Likeness;
use serde::{Deserialize, Serialize};

/// Spread of the RR interval around its median within which a rhythm is regular, relative.
const REGULAR_SPREAD: f32 = 0.12;
/// A hump this soon after a beat may be its T wave, in seconds.
const T_WAVE_S: f32 = 0.4;

const BIAS: f32 = 1.037;
const WEIGHTS: [f32; FEATURES] = [
    1.6373, 0.7743, -1.5176, -51.8593, -0.5905, 2.0107, 39.7980, 0.6734, 0.3374, 11.4591, 0.1827, 3.2622, 23.7861,
    0.5755, 4.1340, 0.6370, -0.7067, 0.6754, 1.4063, -0.2492, -0.0383, -0.0469, -9.5729, -5.8156, 9.8103,
];
pub(super) const FEATURES: usize = 25;

/// What is known of a hump that does not depend on which beat came before it. All but the likeness are natural
/// logarithms of ratios.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// Height over the running level of beats, over that of noise, and over the previous beat.
    over_beats: f32,
    over_noise: f32,
    over_previous: f32,
    /// Height over the highest other hump since the last beat, and over the envelope in the third of a second before.
    over_rivals: f32,
    over_surroundings: f32,
    /// Level of beats over level of noise.
    clearness: f32,
    /// Height in the low and high band over their levels, relative to that of the QRS band.
    low_tilt: f32,
    high_tilt: f32,
    likeness: Likeness,
}

impl Evidence {
    pub(super) fn new(heights: Heights, levels: &Levels, rivals: f32, surroundings: f32, likeness: Likeness) -> Self {
        let over_beats = log_ratio(heights.qrs, levels.beat.qrs, -4.0, 2.0);
        Self {
            over_beats,
            over_noise: log_ratio(heights.qrs, levels.noise, -3.0, 5.0),
            over_previous: log_ratio(heights.qrs, levels.previous, -3.0, 4.0),
            over_rivals: log_ratio(heights.qrs, rivals.max(1e-3), -3.0, 4.0),
            over_surroundings: log_ratio(heights.qrs, surroundings.max(1e-3), -3.0, 4.0),
            clearness: log_ratio(levels.beat.qrs, levels.noise, -1.0, 4.0),
            low_tilt: log_ratio(heights.low, levels.beat.low, -4.0, 3.0) - over_beats,
            high_tilt: log_ratio(heights.high, levels.beat.high, -4.0, 3.0) - over_beats,
            likeness: Likeness { best: likeness.best.max(0.4), dominant: likeness.dominant.max(-0.5) },
        }
    }

    /// Log odds that the hump, `since_s` after the last beat, is a beat.
    pub(super) fn log_odds(&self, since_s: f32, rhythm: Rhythm) -> f32 {
        let features = self.features(since_s, rhythm);
        BIAS + features.iter().zip(&WEIGHTS).map(|(feature, weight)| feature * weight).sum::<f32>()
    }

    pub(super) fn features(&self, since_s: f32, rhythm: Rhythm) -> [f32; FEATURES] {
        let due = (since_s / rhythm.interval_s).clamp(0.0, 2.5);
        let early = due.min(1.0);
        let late = (due - 1.0).clamp(0.0, 1.5);
        let regular = (-((due - 1.0) / REGULAR_SPREAD).powi(2)).exp();
        let t_wave = (T_WAVE_S - since_s).clamp(0.0, 0.2);
        let Likeness { best, dominant } = self.likeness;
        [
            self.over_beats,
            self.over_noise,
            self.clearness,
            best,
            dominant,
            best * self.clearness,
            best * best,
            self.low_tilt,
            self.high_tilt,
            early,
            late,
            regular,
            t_wave,
            self.over_beats * self.clearness,
            self.over_beats.abs(),
            self.over_noise * self.clearness,
            regular * self.clearness,
            early * self.clearness,
            self.over_beats.min(0.0) * early,
            self.over_rivals,
            self.over_surroundings,
            self.over_previous,
            early * rhythm.irregularity,
            regular * rhythm.irregularity,
            rhythm.irregularity,
        ]
    }
}

fn log_ratio(value: f32, reference: f32, least: f32, most: f32) -> f32 {
    (value.max(1e-6) / reference.max(1e-6)).ln().clamp(least, most)
}
