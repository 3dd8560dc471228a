//! Quadrature wavelet: the pair of short FIR filters whose magnitude is the QRS envelope.
//!
//! A QRS complex looks like one cycle of a 10-20 Hz oscillation (Thakor, Webster & Tompkins 1984). The pair (even and
//! odd, both free of a mean) answers its local amplitude whatever its polarity and phase, so one complex gives one
//! hump. FIR rather than IIR: the memory ends after the filter's length, so a pop, a step or a gap is forgotten in
//! under a tenth of a second.

use super::history::History;
use serde::{Deserialize, Serialize};

/// Filter lengths are padded to whole groups of this many taps so that the dot products vectorise.
const LANES: usize = 8;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Wavelet {
    /// Taps, for the oldest sample first.
    even: Vec<f32>,
    odd: Vec<f32>,
    half: usize,
}

impl Wavelet {
    /// `centre_hz` is the frequency of largest answer, `half_s` half the support in seconds.
    pub(super) fn new(rate_hz: f64, centre_hz: f64, half_s: f64) -> Self {
        let half = (half_s * rate_hz).round().max(2.0) as usize;
        let length = 2 * half + 1;
        let phase = |i: usize| (i as f64 - half as f64) / rate_hz * centre_hz * std::f64::consts::TAU;
        let window = |i: usize| {
            let x = (i as f64 - half as f64) / (half as f64 + 1.0);
            0.5 + 0.5 * (std::f64::consts::PI * x).cos()
        };
        let weight: f64 = (0..length).map(window).sum();
        let mean = (0..length).map(|i| window(i) * phase(i).cos()).sum::<f64>() / weight;
        let even: Vec<f64> = (0..length).map(|i| window(i) * (phase(i).cos() - mean)).collect();
        let odd: Vec<f64> = (0..length).map(|i| window(i) * phase(i).sin()).collect();
        // Unit answer to a sinusoid of the centre frequency, so that envelopes are in the unit of the signal.
        let even_gain: f64 = (0..length).map(|i| even[i] * phase(i).cos()).sum();
        let odd_gain: f64 = (0..length).map(|i| odd[i] * phase(i).sin()).sum();
        Self { even: pad(&even, even_gain), odd: pad(&odd, odd_gain), half }
    }

    /// Number of samples [`Self::envelope`] reads (the taps, padded at the old end with zeros).
    pub(super) fn span(&self) -> usize {
        self.even.len()
    }

    /// Delay in samples.
    pub(super) fn half(&self) -> usize {
        self.half
    }

    /// Magnitude at the sample `age` samples older than the newest of `history`.
    pub(super) fn envelope_at(&self, history: &History, age: usize) -> f32 {
        let latest = history.latest();
        let end = latest.len().saturating_sub(age.saturating_sub(self.half));
        if end < self.span() { 0.0 } else { self.envelope(&latest[..end]) }
    }

    /// Magnitude at `half` samples before the newest of `history` (oldest first, at least `span` long).
    pub(super) fn envelope(&self, history: &[f32]) -> f32 {
        let recent = &history[history.len() - self.span()..];
        let mut even = [0.0_f32; LANES];
        let mut odd = [0.0_f32; LANES];
        let taps = self.even.chunks_exact(LANES).zip(self.odd.chunks_exact(LANES));
        for (samples, (even_taps, odd_taps)) in recent.chunks_exact(LANES).zip(taps) {
            for lane in 0..LANES {
                even[lane] += samples[lane] * even_taps[lane];
                odd[lane] += samples[lane] * odd_taps[lane];
            }
        }
        let (even, odd): (f32, f32) = (even.iter().sum(), odd.iter().sum());
        (even * even + odd * odd).sqrt()
    }
}

/// `taps` over `gain`, after zeros up to whole groups of lanes.
fn pad(taps: &[f64], gain: f64) -> Vec<f32> {
    let length = taps.len().div_ceil(LANES) * LANES;
    let mut padded = vec![0.0_f32; length - taps.len()];
    padded.extend(taps.iter().map(|&tap| (tap / gain) as f32));
    padded
}
