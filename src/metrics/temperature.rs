//! Smoothing of slow quantities such as temperature: outliers out, the rest averaged over its time constant.
//!
//! A sample farther from the median of the last seven than three of their scaled absolute deviations is an outlier
//! (Hampel identifier; Pearson 2002, doi:10.1109/87.998034) and does not count, unless the jump lasts. The others pass a
//! first-order low-pass.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::median::median;

/// Changes whenever the same samples could give other values.
pub const VERSION: &str = "1.0.0";

/// Samples compared with; a jump that lasts for half of them is believed.
const COMPARED: usize = 7;
/// Deviations at which a sample is an outlier, and the factor from the median absolute to the standard deviation.
const OUTLYING: f64 = 3.0;
const TO_DEVIATION: f64 = 1.4826;
/// Skin or core temperatures of the living in air or bed, in °C.
const PLAUSIBLE_CELSIUS: std::ops::RangeInclusive<f64> = 15.0..=45.0;
/// Skin follows the body within minutes, a contact sensor within half a one.
const TEMPERATURE_CONSTANT_S: f64 = 30.0;
/// Least deviation that counts for temperature: a sensor's resolution.
const TEMPERATURE_STEP: f64 = 0.05;

/// Streaming outlier rejection and low-pass for one slow quantity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Smoother {
    constant_s: f64,
    least_step: f64,
    low: f64,
    high: f64,
    recent: VecDeque<f64>,
    level: Option<f64>,
    last_s: f64,
}

impl Smoother {
    /// A smoother with a time constant in seconds; values outside of `plausible` never count, and differences up to
    /// `least_step` never make an outlier.
    pub fn new(constant_s: f64, least_step: f64, plausible: std::ops::RangeInclusive<f64>) -> Self {
        let (low, high) = plausible.into_inner();
        Self { constant_s, least_step, low, high, recent: VecDeque::new(), level: None, last_s: 0.0 }
    }

    /// One for body temperatures in °C.
    pub fn temperature() -> Self {
        Self::new(TEMPERATURE_CONSTANT_S, TEMPERATURE_STEP, PLAUSIBLE_CELSIUS)
    }

    /// Takes a sample at a time in seconds and returns the smoothed value; `None` for a sample that does not count.
    pub fn push(&mut self, at_s: f64, value: f64) -> Option<f64> {
        if !at_s.is_finite() || !value.is_finite() || value < self.low || value > self.high {
            return None;
        }
        if self.recent.len() == COMPARED {
            self.recent.pop_front();
        }
        self.recent.push_back(value);
        if self.is_outlier(value) {
            return None;
        }
        let weight = match self.level {
            Some(_) => 1.0 - (-(at_s - self.last_s).max(0.0) / self.constant_s).exp(),
            None => 1.0,
        };
        let before = self.level.unwrap_or(value);
        let level = before + weight * (value - before);
        self.level = Some(level);
        self.last_s = self.last_s.max(at_s);
        Some(level)
    }

    fn is_outlier(&self, value: f64) -> bool {
        let middle = median(self.recent.iter().copied()).unwrap_or(f64::NAN);
        let distances = self.recent.iter().map(|recent| (recent - middle).abs());
        let deviation = TO_DEVIATION * median(distances).unwrap_or(f64::NAN);
        (value - middle).abs() > OUTLYING * deviation.max(self.least_step)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_outlier_does_not_count_and_a_lasting_change_does() {
        let mut smoother = Smoother::temperature();
        for i in 0..20 {
            assert!((smoother.push(f64::from(i), 36.5).unwrap() - 36.5).abs() < 1e-9);
        }
        assert_eq!(smoother.push(20.0, 39.0), None);
        let steps: Vec<Option<f64>> = (21..200).map(|i| smoother.push(f64::from(i), 37.5)).collect();
        assert!((steps[178].unwrap() - 37.5).abs() < 0.05);
    }

    #[test]
    fn noise_shrinks() {
        let mut smoother = Smoother::temperature();
        let noisy = (0..400).map(|i| (f64::from(i), 36.8 + 0.1 * f64::from(i * 7919 % 101 - 50) / 50.0));
        let smooth: Vec<f64> = noisy.filter_map(|(at, value)| smoother.push(at, value)).collect();
        assert!(smooth.len() > 350 && smooth[100..].iter().all(|value| (value - 36.8).abs() < 0.03));
    }

    #[test]
    fn implausible_samples_never_count() {
        let mut smoother = Smoother::temperature();
        for value in [f64::NAN, f64::INFINITY, -40.0, 0.0, 46.0] {
            assert_eq!(smoother.push(0.0, value), None);
        }
    }

    #[test]
    fn a_checkpoint_changes_nothing() {
        let mut smoother = Smoother::temperature();
        smoother.push(0.0, 36.0);
        smoother.push(1.0, 36.2);
        let bytes = postcard::to_stdvec(&smoother).unwrap();
        let mut restored: Smoother = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(restored.push(2.0, 36.3), smoother.push(2.0, 36.3));
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let mut smoother = Smoother::temperature();
        let noisy = |i: i32| if i % 37 == 5 { 39.9 } else { 36.5 + 0.1 * (f64::from(i) * 0.05).sin() };
        let smooth: Vec<f64> = (0..300).filter_map(|i| smoother.push(f64::from(i), noisy(i))).collect();
        assert_eq!((VERSION, smooth.len(), (smooth.iter().sum::<f64>() * 1e3).round()), ("1.0.0", 292, 10_659_847.0));
    }
}
