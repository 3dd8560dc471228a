//! Breath detection in a belt's or an impedance pneumogram's wave.
//!
//! The wave is decimated to about 12.5 Hz, smoothed over 1.2 s (breaths up to 45 per minute pass) and freed of what is
//! slower than 8 s, then cut at turning points with a hysteresis of a third of the usual stroke. Every upward stroke
//! that passes is a breath, placed at its end.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::ppg::{
    band::{Filtered, Widths},
    inlet::{Inlet, Layout},
    stroke::{Stroke, StrokeFinder},
};

/// Changes whenever the same samples could give other breaths.
pub const VERSION: &str = "1.0.0";

/// Slowest and fastest sampling rate taken, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 5.0..=1000.0;
/// Missing stretches up to half a second are bridged.
const LAYOUT: Layout = Layout { inner_hz: 12.5, widths: Widths { coarse: 1.2, fine: 1.2, trend: 8.0 }, bridged_s: 0.5 };
/// Part of the usual stroke by which the wave must come back for a turning point.
const HYSTERESIS: f64 = 0.35;
/// A stroke is closed this long after its steepest point; three breaths per minute still pass.
const LONGEST_STROKE_S: f64 = 5.0;
/// Strokes remembered: some nine breaths.
const REMEMBERED: usize = 18;
/// Without a stroke for this long the usual height halves, and again every such time.
const HALVING_S: f64 = 10.0;

/// The sampling rate is outside of what breaths can be found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnsupportedRate {
    /// The rate asked for, in Hz.
    pub rate_hz: f64,
}

impl std::fmt::Display for UnsupportedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "breaths are detected at 5 to 1000 Hz, not at {} Hz", self.rate_hz)
    }
}

impl std::error::Error for UnsupportedRate {}

/// One breath.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetectedBreath {
    /// End of the upward stroke, in samples since the stream's start; gaps count.
    pub sample: f64,
    /// Height of the stroke in the signal's unit.
    pub amplitude: f64,
    /// The first breath after missing samples: its interval to the previous one means nothing.
    pub after_gap: bool,
}

/// Streaming breath detector for one respiration channel; the same answer however the samples are split into calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BreathDetector {
    inlet: Inlet,
    strokes: StrokeFinder,
    heights: VecDeque<f64>,
    /// Filtered samples since the last stroke.
    silent: f64,
    after_gap: bool,
}

impl BreathDetector {
    /// A detector for samples at `rate_hz`, 5 to 1000 Hz.
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate { rate_hz });
        }
        let inlet = Inlet::new(rate_hz, LAYOUT);
        let strokes = StrokeFinder::new(LONGEST_STROKE_S * inlet.inner_hz());
        Ok(Self { inlet, strokes, heights: VecDeque::new(), silent: 0.0, after_gap: false })
    }

    /// Takes samples in any unit (NaN and infinities are missing samples) and appends the breaths they complete.
    pub fn push(&mut self, samples: &[f32], breaths: &mut Vec<DetectedBreath>) {
        let mut filtered = Vec::new();
        for &sample in samples {
            let ended = self.inlet.push(f64::from(sample), &mut filtered);
            self.follow(&mut filtered, ended, breaths);
        }
    }

    /// Counts samples that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing_samples: u64, breaths: &mut Vec<DetectedBreath>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.gap(missing_samples, &mut filtered);
        self.follow(&mut filtered, ended, breaths);
    }

    /// Every breath before this sample has been given already; at most 10 s behind the last sample.
    pub fn horizon(&self) -> u64 {
        self.inlet.settled(LONGEST_STROKE_S)
    }

    /// Ends the stream and gives the breaths still pending.
    pub fn finish(&mut self, breaths: &mut Vec<DetectedBreath>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.finish(&mut filtered);
        self.follow(&mut filtered, ended, breaths);
    }

    fn follow(&mut self, filtered: &mut Vec<Filtered>, ended: bool, breaths: &mut Vec<DetectedBreath>) {
        let end = if ended { self.inlet.end() } else { f64::INFINITY };
        let found = filtered.drain(..).filter_map(|value| self.advance(value.coarse));
        breaths.extend(found.filter(|breath| breath.sample < end));
        if ended {
            self.strokes.reset();
            self.silent = 0.0;
            self.after_gap = true;
        }
    }

    fn advance(&mut self, value: f64) -> Option<DetectedBreath> {
        self.silent += 1.0;
        let hysteresis = HYSTERESIS * self.usual();
        let stroke = self.strokes.push(value, hysteresis)?;
        self.learn(stroke);
        (stroke.up && stroke.height >= hysteresis).then(|| DetectedBreath {
            sample: self.inlet.outer(stroke.end),
            amplitude: stroke.height,
            after_gap: std::mem::take(&mut self.after_gap),
        })
    }

    /// Median height of the last strokes, halved for every while without one.
    fn usual(&self) -> f64 {
        let mut sorted: Vec<f64> = self.heights.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let halvings = (self.silent / (HALVING_S * self.inlet.inner_hz())).floor();
        sorted.get(sorted.len() / 2).copied().unwrap_or(0.0) / halvings.exp2()
    }

    fn learn(&mut self, stroke: Stroke) {
        if self.heights.len() == REMEMBERED {
            self.heights.pop_front();
        }
        self.heights.push_back(stroke.height);
        self.silent = 0.0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Breathing with a heart beat on top, and pauses.
    fn wave(rate_hz: f64, per_minute: f64, seconds: f64) -> Vec<f32> {
        let value = |t: f64| {
            let breath = (std::f64::consts::TAU * per_minute / 60.0 * t).sin();
            breath + 0.1 * (std::f64::consts::TAU * 1.2 * t).sin() + 0.01 * t
        };
        (0..(seconds * rate_hz) as usize).map(|i| value(i as f64 / rate_hz) as f32).collect()
    }

    fn breaths_of(rate_hz: f64, samples: &[f32]) -> Vec<DetectedBreath> {
        let (mut detector, mut breaths) = (BreathDetector::new(rate_hz).unwrap(), Vec::new());
        detector.push(samples, &mut breaths);
        detector.finish(&mut breaths);
        breaths
    }

    #[test]
    fn every_breath_is_found() {
        for rate_hz in [10.0, 25.0, 125.0, 500.0] {
            for per_minute in [8.0, 15.0, 24.0, 36.0] {
                let found = breaths_of(rate_hz, &wave(rate_hz, per_minute, 120.0)).len() as f64;
                assert!((found - 2.0 * per_minute).abs() <= 1.0, "{found} at {per_minute}/min, {rate_hz} Hz");
            }
        }
    }

    #[test]
    fn a_flat_or_absent_signal_has_no_breaths() {
        assert_eq!(breaths_of(25.0, &vec![1.0; 5000]), vec![]);
        assert_eq!(breaths_of(25.0, &vec![f32::NAN; 5000]), vec![]);
        assert!(BreathDetector::new(4.0).is_err() && BreathDetector::new(f64::NAN).is_err());
    }

    /// When this fails the detector's output has changed: raise [`VERSION`] and note the new sum beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let breaths = breaths_of(25.0, &wave(25.0, 14.0, 180.0));
        let sum: f64 = breaths.iter().map(|breath| breath.sample * breath.amplitude).sum();
        assert_eq!((VERSION, breaths.len(), (sum * 10.0).round()), ("1.0.0", 42, GOLDEN_SUM));
    }

    const GOLDEN_SUM: f64 = 1_724_979.0;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn chunking_and_checkpoints_change_nothing(
            hole in 0..3000_usize,
            length in 0..60_usize,
            cuts in prop::collection::vec(0..3000_usize, 0..6),
        ) {
            let mut samples = wave(25.0, 15.0, 120.0);
            samples.iter_mut().skip(hole).take(length).for_each(|sample| *sample = f32::NAN);
            let (mut detector, mut breaths) = (BreathDetector::new(25.0).unwrap(), Vec::new());
            let mut edges: Vec<usize> = cuts.into_iter().chain([0, samples.len()]).collect();
            edges.sort_unstable();
            for pair in edges.windows(2) {
                detector.push(&samples[pair[0]..pair[1]], &mut breaths);
                detector = postcard::from_bytes(&postcard::to_stdvec(&detector).unwrap()).unwrap();
            }
            detector.finish(&mut breaths);
            prop_assert_eq!(breaths, breaths_of(25.0, &samples));
        }
    }
}
