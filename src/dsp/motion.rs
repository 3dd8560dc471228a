//! Steps in a three-axis accelerometer's signal.
//!
//! The length of the acceleration vector, whichever way the device is worn, is smoothed over 0.3 s and freed of gravity
//! over 2 s; an upward stroke of at least 0.12 g is a step when it stands in a walk: four or more in a row, 0.25 to 2 s
//! apart (Brajdic & Harle 2013, doi:10.1145/2493432.2493449).

use serde::{Deserialize, Serialize};

use crate::ppg::{
    band::{Filtered, Widths},
    inlet::{Inlet, Layout},
    stroke::StrokeFinder,
};

/// Changes whenever the same samples could give other steps.
pub const VERSION: &str = "1.0.0";

/// Slowest and fastest sampling rate taken, in Hz.
const RATES_HZ: std::ops::RangeInclusive<f64> = 10.0..=1000.0;
const LAYOUT: Layout = Layout { inner_hz: 25.0, widths: Widths { coarse: 0.3, fine: 0.3, trend: 2.0 }, bridged_s: 0.2 };
const LONGEST_STROKE_S: f64 = 0.8;
/// Least height of a step's stroke, and the return that ends a stroke, in g.
const LEAST_STEP_G: f64 = 0.12;
const HYSTERESIS_G: f64 = 0.04;
/// Time between the steps of a walk.
const STEP_S: std::ops::RangeInclusive<f64> = 0.25..=2.0;
/// Steps that make a walk.
const WALK: usize = 4;

/// The sampling rate is outside of what steps can be found at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UnsupportedRate {
    /// The rate asked for, in Hz.
    pub rate_hz: f64,
}

impl std::fmt::Display for UnsupportedRate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "steps are detected at 10 to 1000 Hz, not at {} Hz", self.rate_hz)
    }
}

impl std::error::Error for UnsupportedRate {}

/// Streaming step detector; the same answer however the samples are split into calls.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepDetector {
    rate_hz: f64,
    inlet: Inlet,
    strokes: StrokeFinder,
    /// Steps of a walk too short yet to count.
    waiting: Vec<f64>,
    last: Option<f64>,
}

impl StepDetector {
    /// A detector for samples at `rate_hz`, 10 to 1000 Hz.
    pub fn new(rate_hz: f64) -> Result<Self, UnsupportedRate> {
        if !RATES_HZ.contains(&rate_hz) {
            return Err(UnsupportedRate { rate_hz });
        }
        let inlet = Inlet::new(rate_hz, LAYOUT);
        let strokes = StrokeFinder::new(LONGEST_STROKE_S * inlet.inner_hz());
        Ok(Self { rate_hz, inlet, strokes, waiting: Vec::new(), last: None })
    }

    /// Takes accelerations in g and appends the positions of steps, in samples since the stream's start. A sample with a
    /// NaN or an infinity is missing.
    pub fn push(&mut self, samples: &[[f32; 3]], steps: &mut Vec<f64>) {
        let mut filtered = Vec::new();
        for sample in samples {
            let ended = self.inlet.push(magnitude(sample), &mut filtered);
            self.follow(&mut filtered, ended, steps);
        }
    }

    /// Counts samples that never arrived; the same as pushing so many NaN.
    pub fn gap(&mut self, missing_samples: u64, steps: &mut Vec<f64>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.gap(missing_samples, &mut filtered);
        self.follow(&mut filtered, ended, steps);
    }

    /// Every step before this sample has been given already; at most 10 s behind the last sample.
    pub fn horizon(&self) -> u64 {
        self.inlet.settled(LONGEST_STROKE_S + WALK as f64 * STEP_S.end())
    }

    /// Ends the stream and gives the steps still pending.
    pub fn finish(&mut self, steps: &mut Vec<f64>) {
        let mut filtered = Vec::new();
        let ended = self.inlet.finish(&mut filtered);
        self.follow(&mut filtered, ended, steps);
    }

    fn follow(&mut self, filtered: &mut Vec<Filtered>, ended: bool, steps: &mut Vec<f64>) {
        let end = if ended { self.inlet.end() } else { f64::INFINITY };
        for value in filtered.drain(..) {
            let Some(stroke) = self.strokes.push(value.coarse, HYSTERESIS_G) else { continue };
            let at = self.inlet.outer(stroke.end);
            if stroke.up && stroke.height >= LEAST_STEP_G && at < end {
                self.step(at, steps);
            }
        }
        if ended {
            self.strokes.reset();
            self.waiting.clear();
            self.last = None;
        }
    }

    /// Counts the step, at once within a walk, else when the walk is long enough.
    fn step(&mut self, at: f64, steps: &mut Vec<f64>) {
        let follows = self.last.is_some_and(|last| STEP_S.contains(&((at - last) / self.rate_hz)));
        if !follows {
            self.waiting.clear();
        }
        let walking = follows && self.waiting.is_empty();
        self.last = Some(at);
        if walking {
            return steps.push(at);
        }
        self.waiting.push(at);
        if self.waiting.len() == WALK {
            steps.append(&mut self.waiting);
        }
    }
}

/// Length of an acceleration vector, in its unit.
pub fn magnitude(sample: &[f32; 3]) -> f64 {
    sample.iter().map(|axis| f64::from(*axis) * f64::from(*axis)).sum::<f64>().sqrt()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Standing, then `count` steps at `per_s`, then standing.
    fn walk(rate_hz: f64, count: f64, per_s: f64) -> Vec<[f32; 3]> {
        let value = |t: f64| {
            let walking = (5.0..5.0 + count / per_s).contains(&t);
            let push = 0.3 * (std::f64::consts::TAU * per_s * (t - 5.0)).sin();
            1.0 + if walking { push } else { 0.0 }
        };
        let sample = |i: usize| [0.0, 0.6 * value(i as f64 / rate_hz) as f32, 0.8 * value(i as f64 / rate_hz) as f32];
        (0..((10.0 + count / per_s) * rate_hz) as usize).map(sample).collect()
    }

    fn steps_of(rate_hz: f64, samples: &[[f32; 3]], chunk: usize) -> Vec<f64> {
        let (mut detector, mut steps) = (StepDetector::new(rate_hz).unwrap(), Vec::new());
        samples.chunks(chunk).for_each(|part| detector.push(part, &mut steps));
        detector.finish(&mut steps);
        steps
    }

    #[test]
    fn steps_are_counted() {
        for (rate_hz, count, per_s) in [(25.0, 40.0, 1.8), (50.0, 60.0, 2.5), (100.0, 20.0, 1.2)] {
            let found = steps_of(rate_hz, &walk(rate_hz, count, per_s), 1000).len();
            assert!((found as f64 - count).abs() <= 1.0, "{found} of {count} at {rate_hz} Hz");
        }
    }

    #[test]
    fn a_few_movements_are_no_walk() {
        assert_eq!(steps_of(50.0, &walk(50.0, 2.0, 1.5), 1000), Vec::<f64>::new());
        assert_eq!(steps_of(50.0, &[[0.0, 0.0, 1.0]; 500], 1000), Vec::<f64>::new());
    }

    #[test]
    fn chunks_do_not_matter() {
        let mut samples = walk(50.0, 30.0, 2.0);
        samples[400] = [f32::NAN; 3];
        samples[500..540].fill([f32::INFINITY; 3]);
        assert_eq!(steps_of(50.0, &samples, 1), steps_of(50.0, &samples, 333));
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let sum: f64 = steps_of(50.0, &walk(50.0, 33.0, 1.7), 100).iter().sum();
        assert_eq!((VERSION, sum), ("1.0.0", 25_250.0));
    }
}
