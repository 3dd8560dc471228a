//! Smoothing and detrending by symmetric FIR kernels.
//!
//! A short Hann mean minus a long one. The short mean is taken twice: a coarse one to tell events, a fine one to place
//! them. Symmetric kernels delay all frequencies alike, so a fiducial does not move with the rate.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Below this many samples the smoothing mean would be the sample itself.
const LEAST_SMOOTH_SAMPLES: f64 = 2.5;

/// Full widths of the means, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Widths {
    pub(crate) coarse: f64,
    pub(crate) fine: f64,
    /// Half of it is the stage's delay.
    pub(crate) trend: f64,
}

/// One filtered sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Filtered {
    pub(crate) coarse: f64,
    pub(crate) fine: f64,
}

/// Band-pass filters over one uninterrupted stretch.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Band {
    coarse: Vec<f64>,
    fine: Vec<f64>,
    history: VecDeque<f64>,
}

impl Band {
    pub(crate) fn new(rate_hz: f64, widths: Widths) -> Self {
        let half = (widths.trend * rate_hz / 2.0).ceil() as usize;
        let trend = hann(widths.trend * rate_hz, half);
        let kernel = |seconds: f64| -> Vec<f64> {
            let smooth = hann((seconds * rate_hz).max(LEAST_SMOOTH_SAMPLES), half);
            smooth.iter().zip(&trend).map(|(fast, slow)| fast - slow).collect()
        };
        Self { coarse: kernel(widths.coarse), fine: kernel(widths.fine), history: VecDeque::new() }
    }

    /// Samples between a sample and its filtered value.
    pub(crate) fn delay(&self) -> usize {
        self.coarse.len() / 2
    }

    /// Takes a sample, returns the filtered sample `delay` earlier. Before the first sample lies its own value.
    pub(crate) fn push(&mut self, sample: f64) -> Option<Filtered> {
        if self.history.is_empty() {
            self.history.extend(std::iter::repeat_n(sample, self.delay()));
        }
        self.history.push_back(sample);
        if self.history.len() < self.coarse.len() {
            return None;
        }
        let through = |kernel: &[f64]| self.history.iter().zip(kernel).map(|(value, tap)| value * tap).sum();
        let filtered = Filtered { coarse: through(&self.coarse), fine: through(&self.fine) };
        self.history.pop_front();
        Some(filtered)
    }

    /// Forgets the signal; the next sample is the first of a new stretch.
    pub(crate) fn reset(&mut self) {
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
