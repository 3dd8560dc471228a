//! One verdict for a strip of 10 to 60 s, as a handheld recorder takes it.

use super::BOUNDS_S;
use super::evidence::median;
use crate::rr::RrInterval;
use afferent_dsp::ecg::SignalQuality;

/// Fewest usable intervals of a strip: what a slow heart has in ten seconds.
pub const MIN_STRIP_INTERVALS: usize = 6;
/// Number of [`strip_features`].
pub const STRIP_FEATURES: usize = 5;

/// Width of a histogram bin, relative to the mean interval, and the number of bins on each side.
const BIN: f64 = 0.04;
const SIDE_BINS: i32 = 8;
/// Added to ratios before their logarithm: jitter of the R-peak position, relative to an interval.
const JITTER: f64 = 1e-3;

/// Fitted by `examples/fit_rhythm` on strips of the CinC 2017 challenge: fibrillation against normal, other and noisy.
const BIAS: f64 = -33.423;
const WEIGHTS: [f64; STRIP_FEATURES] = [1.493, -3.500, 0.880, 33.652, -4.695];

/// What [`strip_probability`] weighs, None with fewer than [`MIN_STRIP_INTERVALS`] usable intervals:
///
/// 1. Shannon entropy of the histogram of successive differences (after Dash et al. 2009,
///    doi:10.1007/s10439-009-9740-z), in nats;
/// 2. logarithm of the median interval in seconds;
/// 3. logarithm of the median difference between intervals two apart, over the median interval: small in bigeminy;
/// 4. likeness of the beats, since noise makes intervals irregular too;
/// 5. [`super::atrial_coherence`], 0 where it is not known.
pub fn strip_features(
    intervals: &[RrInterval],
    quality: &SignalQuality,
    coherence: Option<f64>,
) -> Option<[f64; STRIP_FEATURES]> {
    let seconds = intervals.iter().map(|interval| interval.ms / 1000.0);
    let usable: Vec<f64> = seconds.filter(|seconds| (BOUNDS_S.0..BOUNDS_S.1).contains(seconds)).collect();
    if usable.len() < MIN_STRIP_INTERVALS {
        return None;
    }
    let middle = median(&usable);
    let second: Vec<f64> = usable.windows(3).map(|triple| (triple[2] - triple[0]).abs()).collect();
    let second = (median(&second) / middle + JITTER).ln();
    Some([difference_entropy(&usable), middle.ln(), second, quality.likeness, coherence.unwrap_or(0.0)])
}

/// Probability of atrial fibrillation, in [0, 1]; above 0.5 the strip shows it. `coherence` is
/// [`super::atrial_coherence`] of the strip, as far as it is known. None with fewer than [`MIN_STRIP_INTERVALS`] usable
/// intervals.
pub fn strip_probability(intervals: &[RrInterval], quality: &SignalQuality, coherence: Option<f64>) -> Option<f64> {
    let features = strip_features(intervals, quality, coherence)?;
    let log_odds = BIAS + features.iter().zip(&WEIGHTS).map(|(feature, weight)| feature * weight).sum::<f64>();
    Some(1.0 / (1.0 + (-log_odds).exp()))
}

fn difference_entropy(intervals_s: &[f64]) -> f64 {
    let mean = intervals_s.iter().sum::<f64>() / intervals_s.len() as f64;
    let mut counts = [0_u32; 2 * SIDE_BINS as usize + 1];
    for pair in intervals_s.windows(2) {
        let bin = ((pair[1] - pair[0]) / mean / BIN).round().clamp(f64::from(-SIDE_BINS), f64::from(SIDE_BINS)) as i32;
        counts[(bin + SIDE_BINS) as usize] += 1;
    }
    let total = (intervals_s.len() - 1) as f64;
    let shares = counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / total);
    shares.map(|share| -share * share.ln()).sum()
}
