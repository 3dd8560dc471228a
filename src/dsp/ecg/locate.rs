//! Places the R peak: the extremum of the raw signal near a hump of the envelope, between samples.

use super::history::History;
use serde::{Deserialize, Serialize};

/// The R peak is looked for this far around the hump, and counts the less the farther off it is: at the end of the
/// reach, half.
const REACH_S: f64 = 0.078;
const FARTHEST_WEIGHT: f32 = 0.5;
/// The signal is smoothed over this long: less than a narrow R wave, more than a notch or a quantization step.
const SMOOTHING_S: f64 = 0.014;
/// Heights are counted from the mean of the signal so far on both sides of the hump, where no T wave is yet.
const WING_S: f64 = 0.1;
/// An R wave is positive: a negative deflection takes its place only when it is clearly the larger one.
const NEGATIVE_WEIGHT: f32 = 0.85;
/// Ring length: reach, wing, and the delay of the envelope.
const SPAN_S: f64 = 0.45;
const LANES: usize = 8;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Locator {
    history: History,
    span: usize,
    reach: usize,
    wing: usize,
    /// Samples on each side that a sample is smoothed with.
    smoothing: usize,
    /// One over a little more than the reach: how much a sample's distance from the hump counts.
    per_reach: f32,
}

impl Locator {
    pub(super) fn new(rate_hz: f64) -> Self {
        let span = (SPAN_S * rate_hz).ceil() as usize;
        let reach = (REACH_S * rate_hz).round() as usize;
        let wing = (WING_S * rate_hz).round() as usize;
        let smoothing = (SMOOTHING_S * rate_hz / 2.0).round() as usize;
        Self { history: History::new(span), span, reach, wing, smoothing, per_reach: 1.0 / (reach + 1) as f32 }
    }

    /// How far from a hump its R peak may lie, in samples.
    pub(super) fn reach(&self) -> usize {
        self.reach
    }

    pub(super) fn restart(&mut self, value: f32) {
        self.history.fill(value);
    }

    pub(super) fn push(&mut self, value: f32) {
        self.history.push(value);
    }

    /// R peak near `centre`, both in samples; `end` is the position after the newest sample.
    pub(super) fn locate(&self, centre: f64, end: u64) -> f64 {
        let samples = self.history.latest();
        let age = (end as f64 - 1.0 - centre).round().max(0.0) as usize;
        let Some(middle) = (self.span - 1).checked_sub(age) else { return centre };
        let smoothing = self.smoothing;
        let first = middle.saturating_sub(self.reach).max(smoothing + 1);
        let last = (middle + self.reach).min(self.span - 2 - smoothing);
        if first > last {
            return centre;
        }
        let width = 2 * smoothing + 1;
        let level =
            mean(&samples[middle.saturating_sub(self.wing)..(middle + self.wing).min(self.span)]) * width as f32;
        let (mut best, mut highest) = (middle, f32::NEG_INFINITY);
        let mut sum: f32 = samples[first - smoothing - 1..first + smoothing].iter().sum();
        for i in first..=last {
            sum += samples[i + smoothing] - samples[i - smoothing - 1];
            let height = (sum - level).max((level - sum) * NEGATIVE_WEIGHT);
            let distance = (i as f32 - middle as f32) * self.per_reach;
            let prominence = height * (1.0 - (1.0 - FARTHEST_WEIGHT) * distance * distance);
            if prominence > highest {
                (best, highest) = (i, prominence);
            }
        }
        let best = best.clamp(first, last);
        let around = |i: usize| -> f32 { samples[i - smoothing..=i + smoothing].iter().sum() };
        let offset = vertex(around(best - 1), around(best), around(best + 1));
        end as f64 - self.span as f64 + best as f64 + offset
    }
}

/// Mean, summed in lanes that the compiler may do side by side.
fn mean(samples: &[f32]) -> f32 {
    let (whole, rest) = samples.as_chunks::<LANES>();
    let mut lanes = [0.0_f32; LANES];
    for chunk in whole {
        for lane in 0..LANES {
            lanes[lane] += chunk[lane];
        }
    }
    (lanes.iter().sum::<f32>() + rest.iter().sum::<f32>()) / samples.len().max(1) as f32
}

/// Where between -0.5 and 0.5 the parabola through three equidistant points has its vertex.
fn vertex(before: f32, at: f32, after: f32) -> f64 {
    let curvature = f64::from(before) - 2.0 * f64::from(at) + f64::from(after);
    if curvature.abs() < f64::EPSILON {
        return 0.0;
    }
    (0.5 * (f64::from(before) - f64::from(after)) / curvature).clamp(-0.5, 0.5)
}
