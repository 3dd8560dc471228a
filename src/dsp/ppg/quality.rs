//! How much a pulse looks like its neighbours.
//!
//! Template correlation after Orphanidou et al. 2015 (doi:10.1109/JBHI.2014.2338351), with a running template instead
//! of a batch one.

use serde::{Deserialize, Serialize};

/// The compared stretch around the steepest point: from the foot to past the systolic peak of a slow pulse.
const BEFORE_S: f64 = 0.15;
const AFTER_S: f64 = 0.45;
/// Quality given while there is no template yet: neither trusted nor refused.
const UNKNOWN: f64 = 0.5;
/// Share of a new pulse in the template: it follows a change of shape within about ten beats.
const LEARN: f64 = 0.1;

/// Mean likeness of pulses without noise to speak of, and of those whose upstroke is lost in it.
const CLEAR: f64 = 0.9;
const DROWNED: f64 = 0.7;

/// Running template of the pulse shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Template {
    before: usize,
    after: usize,
    shape: Vec<f64>,
    /// Running mean of the likeness.
    likeness: f64,
}

impl Template {
    pub(super) fn new(rate_hz: f64) -> Self {
        let samples = |seconds: f64| (seconds * rate_hz).ceil() as usize;
        Self { before: samples(BEFORE_S), after: samples(AFTER_S), shape: Vec::new(), likeness: 1.0 }
    }

    pub(super) fn before(&self) -> usize {
        self.before
    }

    pub(super) fn after(&self) -> usize {
        self.after
    }

    /// How far the fine wave can be trusted to place a beat: 1, down to 0 where noise shapes the pulses.
    pub(super) fn clarity(&self) -> f64 {
        ((self.likeness - DROWNED) / (CLEAR - DROWNED)).clamp(0.0, 1.0)
    }

    /// Correlation of the pulse with the template, in [0, 1], then learns the pulse.
    pub(super) fn compare(&mut self, pulse: &[f64]) -> f64 {
        let Some(shape) = standardized(pulse) else { return 0.0 };
        if self.shape.len() != shape.len() {
            self.shape = shape;
            return UNKNOWN;
        }
        let correlation = standardized(&self.shape).map_or(0.0, |template| dot(&template, &shape));
        for (learned, value) in self.shape.iter_mut().zip(&shape) {
            *learned += LEARN * (value - *learned);
        }
        let likeness = correlation.clamp(0.0, 1.0);
        self.likeness += LEARN * (likeness - self.likeness);
        likeness
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Zero mean, unit norm; `None` when constant.
fn standardized(values: &[f64]) -> Option<Vec<f64>> {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    let centred: Vec<f64> = values.iter().map(|value| value - mean).collect();
    let norm = dot(&centred, &centred).sqrt();
    (norm > 0.0).then(|| centred.iter().map(|value| value / norm).collect())
}
