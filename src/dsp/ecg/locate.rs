//! Places the R peak: the extremum of the raw signal near a hump of the envelope, between samples.

use super::history::History;
use serde::{Deserialize, Serialize};

/// The R peak is looked for this far around the hump.
const REACH_S: f64 = 0.078;
/// Heights are counted from the mean of the signal from this long before the hump until a third of it.
const WING_S: f64 = 0.15;
/// An R wave is positive: a negative deflection takes its place only when it is clearly the larger one.
const NEGATIVE_WEIGHT: f32 = 0.85;
/// Ring length: reach, wing, and the delay of the envelope.
const SPAN_S: f64 = 0.45;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Locator {
    history: History,
    span: usize,
    reach: usize,
    wing: usize,
}

impl Locator {
    pub(super) fn new(rate_hz: f64) -> Self {
        let span = (SPAN_S * rate_hz).ceil() as usize;
        let reach = (REACH_S * rate_hz).round() as usize;
        Self { history: History::new(span), span, reach, wing: (WING_S * rate_hz).round() as usize }
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
        let first = middle.saturating_sub(self.reach).max(1);
        let last = (middle + self.reach).min(self.span - 2);
        let level = mean(&samples[middle.saturating_sub(self.wing)..(middle + self.wing).min(self.span)]);
        let nearness = |i: usize| {
            let distance = i.abs_diff(middle) as f32 / (self.reach + 1) as f32;
            1.0 - distance * distance
        };
        let height = |i: usize| nearness(i) * (samples[i] - level).max((level - samples[i]) * NEGATIVE_WEIGHT);
        let Some(best) = (first..=last).max_by(|&a, &b| height(a).total_cmp(&height(b))) else { return centre };
        let offset = vertex(samples[best - 1], samples[best], samples[best + 1]);
        end as f64 - self.span as f64 + best as f64 + offset
    }
}

fn mean(samples: &[f32]) -> f32 {
    samples.iter().sum::<f32>() / samples.len().max(1) as f32
}

/// Where between -0.5 and 0.5 the parabola through three equidistant points has its vertex.
fn vertex(before: f32, at: f32, after: f32) -> f64 {
    let curvature = f64::from(before) - 2.0 * f64::from(at) + f64::from(after);
    if curvature.abs() < f64::EPSILON {
        return 0.0;
    }
    (0.5 * (f64::from(before) - f64::from(after)) / curvature).clamp(-0.5, 0.5)
}
