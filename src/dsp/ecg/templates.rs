//! The shapes of the latest beats: does a candidate look like them?
//!
//! A patient's QRS complexes come in one to three shapes (normal, ventricular, aberrant or paced). Shapes are compared
//! on the slope of the signal, whose noise is nearly white where the signal's own is mostly slow wander.

use serde::{Deserialize, Serialize};

/// Products summed side by side.
const LANES: usize = 8;
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
    /// Without their mean, and of unit norm.
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
    pub(super) fn is_empty(&self) -> bool {
        self.shapes.is_empty()
    }

    /// `slopes` is the candidate's neighbourhood, longer than a shape by the shifts to be tried.
    pub(super) fn likeness(&self, slopes: &[f32]) -> Likeness {
        let correlations = self.shapes.iter().map(|shape| (shape.weight, best_correlation(slopes, &shape.slopes)));
        let (mut weight, mut likeness) = (0.0, Likeness { best: -1.0, dominant: UNKNOWN });
        for (shape_weight, correlation) in correlations {
            likeness.best = likeness.best.max(correlation);
            if shape_weight >= weight {
                (weight, likeness.dominant) = (shape_weight, correlation);
            }
        }
        if self.shapes.is_empty() { Likeness { best: UNKNOWN, ..likeness } } else { likeness }
    }

    /// Takes in a beat. `slopes` as for [`Self::likeness`], `shifts` how many samples it is longer on each side.
    pub(super) fn learn(&mut self, slopes: &[f32], shifts: usize) {
        let Some(middle) = slopes.get(shifts..slopes.len().saturating_sub(shifts)) else { return };
        let mut beat = middle.to_vec();
        normalize(&mut beat);
        self.shapes.iter_mut().for_each(|shape| shape.weight *= FORGETTING);
        let similar = self.shapes.iter_mut().map(|shape| (best_correlation(slopes, &shape.slopes), shape));
        match similar.max_by(|a, b| a.0.total_cmp(&b.0)) {
            Some((correlation, shape)) if correlation > SAME_SHAPE => {
                shape.slopes.iter_mut().zip(beat).for_each(|(known, new)| *known += LEARNING_RATE * (new - *known));
                normalize(&mut shape.slopes);
                shape.weight += 1.0;
            }
            _ => {
                let shape = Shape { slopes: beat, weight: 1.0 };
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

/// Largest correlation of `shape` (without a mean, of unit norm) with the stretches of its length in `slopes`.
fn best_correlation(slopes: &[f32], shape: &[f32]) -> f32 {
    let count = shape.len() as f32;
    let correlation = |stretch: &[f32]| {
        let sum = stretch.iter().sum::<f32>();
        let power = dot(stretch, stretch) - sum * sum / count;
        dot(stretch, shape) / (power.max(0.0) + 1e-20).sqrt()
    };
    slopes.windows(shape.len()).map(correlation).fold(-1.0, f32::max)
}

/// Without its mean, and of unit norm.
fn normalize(shape: &mut [f32]) {
    let mean = shape.iter().sum::<f32>() / shape.len().max(1) as f32;
    for slope in shape.iter_mut() {
        *slope -= mean;
    }
    let norm = dot(shape, shape).sqrt() + 1e-9;
    for slope in shape.iter_mut() {
        *slope /= norm;
    }
}

/// Dot product in lanes, which the compiler may do side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (x, y) in whole_a.iter().zip(whole_b) {
        for lane in 0..LANES {
            lanes[lane] += x[lane] * y[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f32>() + rest
}
