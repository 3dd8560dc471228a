//! Power spectral densities: Welch's averaged periodogram (Welch 1967, doi:10.1109/TAU.1967.1161901) and the
//! Lomb-Scargle periodogram for unevenly spaced samples (Scargle 1982, doi:10.1086/160554).

use rustfft::{FftPlanner, num_complex::Complex};

/// One-sided power spectral density.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Bin frequencies in Hz, ascending.
    pub frequency_hz: Vec<f64>,
    /// Density per bin, in squared sample units per Hz.
    pub density: Vec<f64>,
}

impl Spectrum {
    /// Power of the bins in `[from_hz, to_hz)` by the trapezoidal rule over these bins.
    pub fn power(&self, from_hz: f64, to_hz: f64) -> f64 {
        let inside = |frequency: f64| frequency >= from_hz && frequency < to_hz;
        let bins: Vec<(f64, f64)> =
            self.frequency_hz.iter().copied().zip(self.density.iter().copied()).filter(|bin| inside(bin.0)).collect();
        bins.windows(2).map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0).sum()
    }
}

/// Welch's method: Hann segments of `segment` samples (at most the signal), half overlapping, each with its mean removed.
///
/// `None` for fewer than two samples, a segment below two, or a rate that is not positive.
pub fn welch(samples: &[f64], rate_hz: f64, segment: usize) -> Option<Spectrum> {
    let segment = segment.min(samples.len());
    if segment < 2 || rate_hz.is_nan() || rate_hz <= 0.0 {
        return None;
    }
    let window = periodic_hann(segment);
    let fft = FftPlanner::new().plan_fft_forward(segment);
    let mut density = vec![0.0; segment / 2 + 1];
    let mut segments = 0.0;
    for part in samples.windows(segment).step_by(segment - segment / 2) {
        let mean = part.iter().sum::<f64>() / segment as f64;
        let mut bins: Vec<Complex<f64>> =
            part.iter().zip(&window).map(|(value, weight)| Complex::new((value - mean) * weight, 0.0)).collect();
        fft.process(&mut bins);
        density.iter_mut().zip(&bins).for_each(|(sum, bin)| *sum += bin.norm_sqr());
        segments += 1.0;
    }
    let scale = 1.0 / (rate_hz * window.iter().map(|weight| weight * weight).sum::<f64>() * segments);
    scale_one_sided(&mut density, scale, segment);
    let frequency_hz = (0..density.len()).map(|bin| bin as f64 * rate_hz / segment as f64).collect();
    Some(Spectrum { frequency_hz, density })
}

fn periodic_hann(len: usize) -> Vec<f64> {
    (0..len).map(|i| 0.5 - 0.5 * (std::f64::consts::TAU * i as f64 / len as f64).cos()).collect()
}

/// Folds the negative frequencies in: all bins count twice but those at 0 Hz and at the Nyquist frequency.
fn scale_one_sided(density: &mut [f64], scale: f64, segment: usize) {
    let nyquist = if segment.is_multiple_of(2) { segment / 2 } else { usize::MAX };
    for (bin, value) in density.iter_mut().enumerate() {
        *value *= if bin == 0 || bin == nyquist { scale } else { 2.0 * scale };
    }
}

/// Lomb-Scargle power (half the squared amplitude of the best sinusoid, times the sample count over two) of `values` at
/// times `at_s`, for each frequency. The values are taken as they are: remove their mean first.
pub fn lomb_scargle(at_s: &[f64], values: &[f64], frequency_hz: &[f64]) -> Vec<f64> {
    frequency_hz.iter().map(|&frequency| lomb_power(at_s, values, std::f64::consts::TAU * frequency)).collect()
}

fn lomb_power(at_s: &[f64], values: &[f64], omega: f64) -> f64 {
    let (mut xc, mut xs, mut cc, mut ss, mut cs) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (t, value) in at_s.iter().zip(values) {
        let (sin, cos) = (omega * t).sin_cos();
        xc += value * cos;
        xs += value * sin;
        cc += cos * cos;
        ss += sin * sin;
        cs += cos * sin;
    }
    // Rotated by omega*tau, sine and cosine are orthogonal on the given times.
    let (sin, cos) = (f64::atan2(2.0 * cs, cc - ss) / 2.0).sin_cos();
    let part = |projection: f64, norm: f64| if norm > 0.0 { projection * projection / norm } else { 0.0 };
    let along = part(cos * xc + sin * xs, cos * cos * cc + 2.0 * cos * sin * cs + sin * sin * ss);
    let across = part(cos * xs - sin * xc, cos * cos * ss - 2.0 * cos * sin * cs + sin * sin * cc);
    f64::midpoint(along, across)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn sine(frequency: f64, amplitude: f64, rate: f64, len: usize) -> Vec<f64> {
        (0..len).map(|i| amplitude * (std::f64::consts::TAU * frequency * i as f64 / rate).sin()).collect()
    }

    #[test]
    fn power_of_a_sine_is_half_its_squared_amplitude() {
        let spectrum = welch(&sine(0.5, 3.0, 4.0, 4096), 4.0, 256).unwrap();
        assert!((spectrum.power(0.3, 0.7) - 4.5).abs() < 0.01);
    }

    #[test]
    fn lomb_agrees_with_the_sines_energy() {
        let at_s: Vec<f64> = (0..200).map(|i| f64::from(i) + 0.3 * f64::from(i * 7 % 11) / 11.0).collect();
        let values: Vec<f64> = at_s.iter().map(|t| 2.0 * (std::f64::consts::TAU * 0.11 * t).cos()).collect();
        let power = lomb_scargle(&at_s, &values, &[0.11])[0];
        assert!((power - 200.0).abs() < 2.0, "{power}");
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(welch(&[], 4.0, 256), None);
        assert_eq!(welch(&[1.0, 2.0], f64::NAN, 256), None);
        assert_eq!(lomb_scargle(&[], &[], &[0.1]), vec![0.0]);
    }
}
