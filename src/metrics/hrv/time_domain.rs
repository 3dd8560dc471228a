//! Time-domain and Poincaré measures (Task Force 1996; Brennan et al. 2001, doi:10.1109/10.959330).

use super::is_interval;
use serde::{Deserialize, Serialize};

/// Fewest intervals for all time-domain measures but the triangular index: ultra-short RMSSD holds from about 10 s on (Munoz et al. 2015,
/// doi:10.1371/journal.pone.0138921), which is some 20 beats at the fast end of normal.
pub const MIN_INTERVALS: usize = 20;
/// Histogram bin of the triangular index, in ms (1/128 s, the Task Force's).
const TRIANGULAR_BIN_MS: f64 = 7.8125;
/// Shortest series for the triangular index, in seconds: twenty minutes (Task Force 1996, section on geometric methods).
pub const MIN_TRIANGULAR_SPAN_S: f64 = 1200.0;

/// Time-domain measures, in milliseconds where no unit is given.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeDomain {
    /// Mean interval.
    pub mean_nn: f64,
    /// Standard deviation of the intervals, n-1 in the denominator.
    pub sdnn: f64,
    /// Root mean square of successive differences.
    pub rmssd: f64,
    /// Standard deviation of successive differences, n-1 in the denominator.
    pub sdsd: f64,
    /// Share of successive differences above 50 ms, in percent.
    pub pnn50: f64,
    /// Share of successive differences above 20 ms, in percent.
    pub pnn20: f64,
    /// Intervals over the height of their histogram (bins of 1/128 s), no unit; None when the intervals last less than
    /// [`MIN_TRIANGULAR_SPAN_S`].
    pub triangular_index: Option<f64>,
    /// Poincaré plot: spread across the line of identity.
    pub sd1: f64,
    /// Poincaré plot: spread along the line of identity.
    pub sd2: f64,
}

/// Time-domain measures of consecutive intervals in milliseconds.
///
/// `None` below [`MIN_INTERVALS`], or when a value is no interval ([`super::MAX_INTERVAL_MS`]).
pub fn time_domain(nn_ms: &[f64]) -> Option<TimeDomain> {
    if nn_ms.len() < MIN_INTERVALS || !nn_ms.iter().all(|&ms| is_interval(ms)) {
        return None;
    }
    let steps: Vec<f64> = nn_ms.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (sdnn, sdsd) = (deviation(nn_ms), deviation(&steps));
    let above = |ms: f64| 100.0 * steps.iter().filter(|step| step.abs() > ms).count() as f64 / steps.len() as f64;
    Some(TimeDomain {
        mean_nn: mean(nn_ms),
        sdnn,
        rmssd: (steps.iter().map(|step| step * step).sum::<f64>() / steps.len() as f64).sqrt(),
        sdsd,
        pnn50: above(50.0),
        pnn20: above(20.0),
        triangular_index: triangular_index(nn_ms),
        sd1: sdsd / std::f64::consts::SQRT_2,
        sd2: (2.0 * sdnn * sdnn - sdsd * sdsd / 2.0).max(0.0).sqrt(),
    })
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation with n-1 in the denominator; 0 for fewer than two values.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (values.len() - 1) as f64).sqrt() }
}

fn triangular_index(nn_ms: &[f64]) -> Option<f64> {
    if nn_ms.iter().sum::<f64>() < 1000.0 * MIN_TRIANGULAR_SPAN_S {
        return None;
    }
    let mut bins: Vec<u64> = nn_ms.iter().map(|ms| (ms / TRIANGULAR_BIN_MS) as u64).collect();
    bins.sort_unstable();
    let highest = bins.chunk_by(|a, b| a == b).map(<[u64]>::len).max()?;
    Some(nn_ms.len() as f64 / highest as f64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn alternating_intervals_have_known_values() {
        let nn: Vec<f64> = (0..40).map(|i| if i % 2 == 0 { 770.0 } else { 830.0 }).collect();
        let measures = time_domain(&nn).unwrap();
        assert_eq!(measures.mean_nn, 800.0);
        assert!((measures.sdnn - 30.0 * (40.0_f64 / 39.0).sqrt()).abs() < 1e-9);
        assert!((measures.rmssd - 60.0).abs() < 1e-9);
        assert_eq!((measures.pnn50, measures.pnn20), (100.0, 100.0));
        assert_eq!(measures.triangular_index, None);
        assert!((measures.sd1 - measures.sdsd / 2.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn the_triangular_index_needs_twenty_minutes() {
        let alternating =
            |count: usize| -> Vec<f64> { (0..count).map(|i| if i % 2 == 0 { 770.0 } else { 830.0 }).collect() };
        assert_eq!(time_domain(&alternating(1500)).unwrap().triangular_index, Some(2.0));
        assert_eq!(time_domain(&alternating(1499)).unwrap().triangular_index, None);
    }

    #[test]
    fn sinusoidal_intervals_have_the_deviations_of_a_sine() {
        // A sine of amplitude a and step w: variance a²/2, that of its differences 2a² sin²(w/2).
        let (amplitude, step) = (30.0, std::f64::consts::TAU / 16.0);
        let nn: Vec<f64> = (0..16_000).map(|i| 800.0 + amplitude * (step * f64::from(i)).sin()).collect();
        let measures = time_domain(&nn).unwrap();
        let differences = 2.0_f64.sqrt() * amplitude * (step / 2.0).sin();
        assert!((measures.sdnn / (amplitude / 2.0_f64.sqrt()) - 1.0).abs() < 1e-3);
        assert!((measures.sdsd / differences - 1.0).abs() < 1e-3);
        assert!((measures.sd1 - measures.sdsd / 2.0_f64.sqrt()).abs() < 1e-12);
        assert!((measures.sd1.powi(2) + measures.sd2.powi(2) - 2.0 * measures.sdnn.powi(2)).abs() < 1e-6);
    }

    #[test]
    fn constant_intervals_do_not_vary() {
        let measures = time_domain(&[1000.0; 30]).unwrap();
        assert_eq!((measures.sdnn, measures.rmssd, measures.sd1, measures.sd2), (0.0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn too_little_or_broken_data_gives_nothing() {
        assert_eq!(time_domain(&[800.0; MIN_INTERVALS - 1]), None);
        let mut nn = vec![800.0; 50];
        nn[7] = f64::NAN;
        assert_eq!(time_domain(&nn), None);
        nn[7] = -1.0;
        assert_eq!(time_domain(&nn), None);
    }
}
