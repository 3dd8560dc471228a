//! The pulse band as one symmetric FIR kernel.
//!
//! A Hann mean of 0.2 s (keeps the upstroke, up to about 5 Hz, and drops sensor noise) minus a Hann mean of 2 s (drops
//! breathing and drift; 30 beats/min still pass). A symmetric kernel delays all frequencies alike, so a fiducial does
//! not move with the heart rate.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Full width of the smoothing mean: about the length of a systolic upstroke.
const SMOOTH_S: f64 = 0.42;
/// Full width of the trend's mean; half of it is the stage's delay.
const TREND_S: f64 = 2.0;
/// Below this many samples the smoothing mean would be the sample itself.
const LEAST_SMOOTH_SAMPLES: f64 = 2.5;

/// Band-pass filter over one uninterrupted stretch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Band {
    kernel: Vec<f64>,
    history: VecDeque<f64>,
}

impl Band {
    pub(super) fn new(rate_hz: f64) -> Self {
        let half = (TREND_S * rate_hz / 2.0).ceil() as usize;
        let smooth = hann((SMOOTH_S * rate_hz).max(LEAST_SMOOTH_SAMPLES), half);
        let trend = hann(TREND_S * rate_hz, half);
        let kernel = smooth.iter().zip(trend).map(|(fast, slow)| fast - slow).collect();
        Self { kernel, history: VecDeque::new() }
    }

    /// Samples between a sample and its filtered value.
    pub(super) fn delay(&self) -> usize {
        self.kernel.len() / 2
    }

    /// Takes a sample, returns the filtered sample `delay` earlier. Before the first sample lies its own value.
    pub(super) fn push(&mut self, sample: f64) -> Option<f64> {
        if self.history.is_empty() {
            self.history.extend(std::iter::repeat_n(sample, self.delay()));
        }
        self.history.push_back(sample);
        if self.history.len() < self.kernel.len() {
            return None;
        }
        let filtered = self.history.iter().zip(&self.kernel).map(|(value, tap)| value * tap).sum();
        self.history.pop_front();
        Some(filtered)
    }

    /// Forgets the signal; the next sample is the first of a new stretch.
    pub(super) fn reset(&mut self) {
        self.history.clear();
    }
}

/// Hann weights of `width` samples around the centre of `2 * half + 1`, summing to one.
fn hann(width: f64, half: usize) -> Vec<f64> {
    let reach = width / 2.0;
    let weight = |offset: f64| if offset < reach { 1.0 + (std::f64::consts::PI * offset / reach).cos() } else { 0.0 };
    let taps: Vec<f64> = (0..=2 * half).map(|i| weight((i as f64 - half as f64).abs())).collect();
    let sum: f64 = taps.iter().sum();
    taps.iter().map(|tap| tap / sum).collect()
}
