//! The shapes of the latest beats: does a candidate look like them?
//!
//! A patient's QRS complexes come in one to three shapes (normal, ventricular, aberrant or paced). Shapes are compared
//! on the slope of the signal, whose noise is nearly white where the signal's own is mostly slow wander.

use serde::{Deserialize, Serialize};

const MOST_SHAPES: usize = 4;
/// Beats correlated this well are of one shape.
const SAME_SHAPE: f32 = 0.8;
/// Share a new beat has in its shape, and share of its weight every shape loses with a beat.
const LEARNING_RATE: f32 = 0.1;
const FORGETTING: f32 = 0.98;
/// Answer while nothing is known: what a sound beat in some noise would get.
const UNKNOWN: f32 = 0.9;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shape {
    slopes: Vec<f32>,
    weight: f32,
}

/// Likeness of a candidate, each a correlation in [-1,1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Likeness {
    /// With the most similar shape.
    pub(super) best: f32,
    /// With the most frequent shape.
    pub(super) dominant: f32,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Templates {
    shapes: Vec<Shape>,
}

impl Templates {
    /// `slopes` is the candidate's neighbourhood, longer than a shape by the shifts to be tried.
    pub(super) fn likeness(&self, slopes: &[f32]) -> Likeness {
        let likeness = |shape: &Shape| best_correlation(slopes, &shape.slopes);
        let dominant = self.shapes.iter().max_by(|a, b| a.weight.total_cmp(&b.weight));
        let best = self.shapes.iter().map(likeness).max_by(f32::total_cmp);
        Likeness { best: best.unwrap_or(UNKNOWN), dominant: dominant.map_or(UNKNOWN, likeness) }
    }

    /// Takes in a beat. `slopes` as for [`Self::likeness`], `shifts` how many samples it is longer on each side.
    pub(super) fn learn(&mut self, slopes: &[f32], shifts: usize) {
        let Some(middle) = slopes.get(shifts..slopes.len().saturating_sub(shifts)) else { return };
        let norm = middle.iter().map(|slope| slope * slope).sum::<f32>().sqrt() + 1e-9;
        let beat = middle.iter().map(|slope| slope / norm);
        self.shapes.iter_mut().for_each(|shape| shape.weight *= FORGETTING);
        let similar = self.shapes.iter_mut().map(|shape| (best_correlation(slopes, &shape.slopes), shape));
        match similar.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((correlation, shape)) if correlation > SAME_SHAPE => {
                shape.slopes.iter_mut().zip(beat).for_each(|(known, new)| *known += LEARNING_RATE * (new - *known));
                shape.weight += 1.0;
            }
            _ => {
                let shape = Shape { slopes: beat.collect(), weight: 1.0 };
                self.add(shape);
            }
        }
    }

    fn add(&mut self, shape: Shape) {
        if self.shapes.len() == MOST_SHAPES {
            let weights = self.shapes.iter().enumerate();
            let rarest = weights.min_by(|a, b| a.1.weight.total_cmp(&b.1.weight)).map_or(0, |(i, _)| i);
            self.shapes.remove(rarest);
        }
        self.shapes.push(shape);
    }
}

/// Largest correlation of `shape` with the stretches of its length in `slopes`.
fn best_correlation(slopes: &[f32], shape: &[f32]) -> f32 {
    slopes.windows(shape.len()).map(|stretch| correlation(stretch, shape)).fold(-1.0, f32::max)
}

fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let count = a.len() as f32;
    let (mut sum_a, mut sum_b, mut ab, mut aa, mut bb) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    for (&x, &y) in a.iter().zip(b) {
        sum_a += x;
        sum_b += y;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    let covariance = ab - sum_a * sum_b / count;
    let variances = (aa - sum_a * sum_a / count).max(0.0) * (bb - sum_b * sum_b / count).max(0.0);
    covariance / (variances + 1e-20).sqrt()
}
