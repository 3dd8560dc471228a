//! Non-linear measures: sample entropy (Richman & Moorman 2000, doi:10.1152/ajpheart.2000.278.6.H2039) and the
//! short-term scaling exponent of detrended fluctuation analysis (Peng et al. 1995, doi:10.1063/1.166141).

use super::time_domain::deviation;

/// Fewest intervals for sample entropy: a minute of beats. Richman & Moorman advise 10^m, here 100, and more.
pub const MIN_ENTROPY_INTERVALS: usize = 60;
/// Fewest intervals for DFA: a dozen of the longest boxes.
pub const MIN_DFA_INTERVALS: usize = 192;
/// Tolerance in standard deviations.
const TOLERANCE: f64 = 0.2;
/// Box sizes of alpha 1, in beats.
const SHORT_BOXES: std::ops::RangeInclusive<usize> = 4..=16;

/// Sample entropy with m = 2 and r = 0.2 SD (n-1), Chebyshev distance at most r, both lengths over the n-2 templates.
///
/// `None` below [`MIN_ENTROPY_INTERVALS`], for values that are not finite, or when no two templates match.
pub fn sample_entropy(nn_ms: &[f64]) -> Option<f64> {
    if nn_ms.len() < MIN_ENTROPY_INTERVALS || !nn_ms.iter().all(|ms| ms.is_finite()) {
        return None;
    }
    let tolerance = TOLERANCE * deviation(nn_ms);
    let close = |i: usize, j: usize| (nn_ms[i] - nn_ms[j]).abs() <= tolerance;
    let templates = nn_ms.len() - 2;
    let (mut short, mut long) = (0_u64, 0_u64);
    for i in 0..templates {
        for j in i + 1..templates {
            if close(i, j) && close(i + 1, j + 1) {
                short += 1;
                long += u64::from(close(i + 2, j + 2));
            }
        }
    }
    (long > 0).then(|| (short as f64 / long as f64).ln())
}

/// DFA alpha 1: slope of log fluctuation over log box size, boxes of 4 to 16 beats, linear detrending.
///
/// `None` below [`MIN_DFA_INTERVALS`], for values that are not finite, or for a series that does not vary.
pub fn dfa_alpha1(nn_ms: &[f64]) -> Option<f64> {
    if nn_ms.len() < MIN_DFA_INTERVALS || !nn_ms.iter().all(|ms| ms.is_finite()) {
        return None;
    }
    let mean = super::time_domain::mean(nn_ms);
    let mut sum = 0.0;
    let mut add = |ms: &f64| {
        sum += ms - mean;
        sum
    };
    let profile: Vec<f64> = nn_ms.iter().map(&mut add).collect();
    let points: Vec<(f64, f64)> =
        SHORT_BOXES.map(|size| ((size as f64).ln(), fluctuation(&profile, size).ln())).collect();
    points.iter().all(|point| point.1.is_finite()).then(|| slope(&points))
}

/// Root mean square distance of the profile from its straight lines in boxes of `size`.
fn fluctuation(profile: &[f64], size: usize) -> f64 {
    let boxes = profile.chunks_exact(size);
    let count = boxes.len() * size;
    (boxes.map(residual).sum::<f64>() / count as f64).sqrt()
}

/// Sum of squared distances from the least-squares line.
fn residual(values: &[f64]) -> f64 {
    let points: Vec<(f64, f64)> = values.iter().enumerate().map(|(i, value)| (i as f64, *value)).collect();
    let slope = slope(&points);
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    points.iter().map(|(x, y)| (y - my - slope * (x - mx)).powi(2)).sum()
}

fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let covariance: f64 = points.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
    covariance / points.iter().map(|(x, _)| (x - mx) * (x - mx)).sum::<f64>()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A fixed pseudo-random series in [-0.5, 0.5).
    fn noise(len: usize) -> Vec<f64> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn white_noise_scales_with_one_half_and_its_sum_with_three_halves() {
        let white = noise(4096);
        assert!((dfa_alpha1(&white).unwrap() - 0.5).abs() < 0.1);
        let mut sum = 0.0;
        let brown: Vec<f64> = white
            .iter()
            .map(|step| {
                sum += step;
                sum
            })
            .collect();
        assert!((dfa_alpha1(&brown).unwrap() - 1.5).abs() < 0.1);
    }

    #[test]
    fn a_periodic_series_has_no_entropy_and_noise_has() {
        let periodic: Vec<f64> = (0..200).map(|i| f64::from(i % 4)).collect();
        assert!(sample_entropy(&periodic).unwrap() < 0.03);
        assert!(sample_entropy(&noise(500)).unwrap() > 1.8);
    }

    #[test]
    fn too_little_data_gives_nothing() {
        assert_eq!(sample_entropy(&noise(MIN_ENTROPY_INTERVALS - 1)), None);
        assert_eq!(dfa_alpha1(&noise(MIN_DFA_INTERVALS - 1)), None);
        assert_eq!(dfa_alpha1(&[800.0; 300]), None);
    }
}
