//! Oxygen saturation by the ratio of ratios of two wavelengths.
//!
//! Per beat, the red wave's pulsation relative to its level over the infrared one's is the ratio R; the median over the
//! window's beats goes through a calibration curve, which belongs to the sensor and is found in a desaturation study
//! (Webster 1997, Design of Pulse Oximeters, chapter 9; ISO 80601-2-61). There is no universal curve: the caller gives
//! the device's. Pulsations are compared sample by sample (the slope of red over infrared, both free of their line over
//! the beat), which noise and a displaced peak disturb less than a quotient of two heights. A phone's camera has no two
//! such wavelengths: see [`camera`].

use afferent_dsp::ppg::DetectedPulse;
use serde::{Deserialize, Serialize};

use crate::median::median;

pub mod camera;

/// Changes whenever the same samples could give another saturation.
pub const VERSION: &str = "1.0.0";

/// Fewest beats that make a saturation.
pub const MIN_BEATS: usize = 4;
/// Least correlation of the two waves over a beat that counts: they see the same blood.
const LEAST_CORRELATION: f64 = 0.7;
/// Shortest and longest beat, in seconds.
const BEAT_S: std::ops::RangeInclusive<f64> = 0.25..=3.0;
/// Saturations a curve is believed in; ISO 80601-2-61 asks for accuracy from 70 % up only.
const BELIEVED: std::ops::RangeInclusive<f64> = 40.0..=105.0;

/// A device's calibration curve, saturation in percent = `constant + linear * R + quadratic * R^2`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Saturation at R = 0, percent.
    pub constant: f64,
    /// Percent per unit of R; negative for red over infrared.
    pub linear: f64,
    /// Percent per squared unit of R.
    pub quadratic: f64,
}

impl Calibration {
    /// The textbook line 110 - 25 R, for tests and uncalibrated demonstrations only.
    pub const TEXTBOOK: Self = Self { constant: 110.0, linear: -25.0, quadratic: 0.0 };

    fn at(&self, ratio: f64) -> f64 {
        self.constant + ratio * (self.linear + ratio * self.quadratic)
    }
}

/// The ratio of ratios over a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioOfRatios {
    /// Median over the beats.
    pub ratio: f64,
    /// Infrared pulsation in percent of its level, median over the beats: the perfusion index.
    pub perfusion_percent: f64,
    /// Share of the beats in which the waves agree, times how well; in [0, 1].
    pub quality: f64,
}

/// A saturation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Saturation {
    /// Percent, at most 100.
    pub percent: f64,
    /// In [0, 1], see [`RatioOfRatios::quality`].
    pub quality: f64,
}

/// Saturation of one window through the device's curve; `None` when [`ratio_of_ratios`] has none, or when the curve
/// leaves what is believable.
pub fn saturation(
    red: &[f32],
    infrared: &[f32],
    rate_hz: f64,
    pulses: &[DetectedPulse],
    calibration: &Calibration,
) -> Option<Saturation> {
    let found = ratio_of_ratios(red, infrared, rate_hz, pulses)?;
    let percent = calibration.at(found.ratio);
    BELIEVED.contains(&percent).then_some(Saturation { percent: percent.min(100.0), quality: found.quality })
}

/// Ratio of ratios of one window of raw light (levels included) in any unit, pulses counted from its first sample.
///
/// `None` with fewer than [`MIN_BEATS`] beats in which the two waves agree.
pub fn ratio_of_ratios(red: &[f32], infrared: &[f32], rate_hz: f64, pulses: &[DetectedPulse]) -> Option<RatioOfRatios> {
    let beats: Vec<Beat> = pulses.windows(2).filter_map(|pair| beat(red, infrared, rate_hz, pair)).collect();
    let agreeing: Vec<&Beat> = beats.iter().filter(|beat| beat.correlation >= LEAST_CORRELATION).collect();
    if agreeing.len() < MIN_BEATS {
        return None;
    }
    let quality = agreeing.iter().map(|beat| beat.correlation).sum::<f64>() / beats.len() as f64;
    Some(RatioOfRatios {
        ratio: median(agreeing.iter().map(|beat| beat.ratio))?,
        perfusion_percent: median(agreeing.iter().map(|beat| beat.perfusion_percent))?,
        quality: quality.clamp(0.0, 1.0),
    })
}

struct Beat {
    ratio: f64,
    correlation: f64,
    perfusion_percent: f64,
}

fn beat(red: &[f32], infrared: &[f32], rate_hz: f64, pair: &[DetectedPulse]) -> Option<Beat> {
    if pair[1].after_gap || !BEAT_S.contains(&((pair[1].sample - pair[0].sample) / rate_hz)) {
        return None;
    }
    let (from, to) = (pair[0].sample.max(0.0) as usize, pair[1].sample.max(0.0) as usize);
    let (red, infrared) = (pulsation(red.get(from..=to)?)?, pulsation(infrared.get(from..=to)?)?);
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let (rr, ii, ri) = (product(&red, &red), product(&infrared, &infrared), product(&red, &infrared));
    let correlation = ri / (rr * ii).sqrt();
    let height = |wave: &[f64]| {
        wave.iter().copied().fold(f64::NEG_INFINITY, f64::max) - wave.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let beat = Beat { ratio: principal_slope(rr, ii, ri), correlation, perfusion_percent: 100.0 * height(&infrared) };
    (correlation.is_finite() && beat.ratio.is_finite()).then_some(beat)
}

/// The wave over its mean, less the line through its ends; `None` when it holds no positive level.
fn pulsation(samples: &[f32]) -> Option<Vec<f64>> {
    let (first, last) = (f64::from(*samples.first()?), f64::from(*samples.last()?));
    let mean = samples.iter().map(|sample| f64::from(*sample)).sum::<f64>() / samples.len() as f64;
    let run = (samples.len().max(2) - 1) as f64;
    let line = |i: usize| first + (last - first) * i as f64 / run;
    let free: Vec<f64> = samples.iter().enumerate().map(|(i, sample)| (f64::from(*sample) - line(i)) / mean).collect();
    let level = free.iter().sum::<f64>() / free.len() as f64;
    (mean.is_finite() && mean > 0.0).then(|| free.iter().map(|value| value - level).collect())
}

/// Slope of the line with the least squared distances, fair to noise in both waves.
fn principal_slope(rr: f64, ii: f64, ri: f64) -> f64 {
    let half = (rr - ii) / 2.0;
    (half + (half * half + ri * ri).sqrt()) / ri
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::print_stdout)]
mod tests {
    use super::*;
    use afferent_dsp::ppg::PulseDetector;

    /// Light through a finger whose ratio of ratios is `ratio`: falls with each pulse, drifts, and has some noise.
    fn light(ratio: f64) -> (Vec<f32>, Vec<f32>) {
        finger(ratio, 0.02, 2e-4, 0.0)
    }

    /// The same with a pulsation of `part` of the light, noise of that height, and a finger that moves by `motion` of the
    /// light in both colours every seven seconds for one.
    fn finger(ratio: f64, part: f64, height: f64, motion: f64) -> (Vec<f32>, Vec<f32>) {
        let mut state = 1_u64;
        let mut noise = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5) * height
        };
        let pulse = |t: f64| {
            let phase = t.rem_euclid(0.8);
            (-0.5 * ((phase - 0.15) / 0.06).powi(2)).exp() + 0.3 * (-0.5 * ((phase - 0.42) / 0.09).powi(2)).exp()
        };
        let sample = |i: u32| {
            let t = f64::from(i) / 100.0;
            let moves = if t % 7.0 < 1.0 { motion * (t * 21.0).sin() } else { 0.0 };
            let drift = 1.0 + 0.01 * (t * 1.5).sin() + moves;
            let through = |part: f64| drift * (1.0 - part * pulse(t));
            ((50_000.0 * (through(part * ratio) + noise())) as f32, (80_000.0 * (through(part) + noise())) as f32)
        };
        (0..2000).map(sample).unzip()
    }

    fn pulses_of(wave: &[f32]) -> Vec<DetectedPulse> {
        let (mut detector, mut pulses) = (PulseDetector::new(100.0).unwrap(), Vec::new());
        detector.push(wave, &mut pulses);
        detector.finish(&mut pulses);
        pulses
    }

    #[test]
    fn a_known_ratio_is_measured() {
        for ratio in [0.4, 0.5, 0.8, 1.0, 1.4] {
            let (red, infrared) = light(ratio);
            let pulses = pulses_of(&infrared);
            let found = ratio_of_ratios(&red, &infrared, 100.0, &pulses).unwrap();
            assert!((found.ratio - ratio).abs() < 0.02, "{} instead of {ratio}", found.ratio);
            assert!((found.perfusion_percent - 2.0).abs() < 0.2 && found.quality > 0.9, "{found:?}");
            let saturation = saturation(&red, &infrared, 100.0, &pulses, &Calibration::TEXTBOOK).unwrap();
            assert!((saturation.percent - (110.0 - 25.0 * ratio).min(100.0)).abs() < 0.5);
        }
    }

    /// ISO 80601-2-61 asks of a sensor 4 % root mean square from 70 to 100 %; the estimate's own error, the curve being
    /// exact, has to leave 3 % to the curve: 2.6 % are left.
    #[test]
    fn noise_motion_and_low_perfusion_cost_little_or_give_no_saturation() {
        for (how, part, height, motion, least_told) in [
            ("noise of a fifth of the pulsation", 0.02, 4e-3, 0.0, 7),
            ("perfusion of 0.3 %", 0.003, 2e-4, 0.0, 7),
            ("perfusion of 0.3 % in noise", 0.003, 6e-4, 0.0, 7),
            ("motion twice the pulsation, a seventh of the time", 0.02, 2e-4, 0.04, 7),
            ("nothing but noise", 0.0, 1e-3, 0.0, 0),
        ] {
            let mut squares = Vec::new();
            for step in 0..7 {
                let ratio = 0.4 + 0.2 * f64::from(step);
                let (red, infrared) = finger(ratio, part, height, motion);
                let found = saturation(&red, &infrared, 100.0, &pulses_of(&infrared), &Calibration::TEXTBOOK);
                squares.extend(found.map(|found| (found.percent - (110.0 - 25.0 * ratio).min(100.0)).powi(2)));
            }
            let error = (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt();
            println!("{how}: {error:.2} % root mean square over {} saturations", squares.len());
            assert!(error < 2.6 && squares.len() >= least_told, "{how}: {error}, {}", squares.len());
        }
    }

    #[test]
    fn waves_that_do_not_agree_have_no_saturation() {
        let (red, infrared) = light(0.6);
        let pulses = pulses_of(&infrared);
        let shuffled: Vec<f32> = (0..red.len()).map(|i| red[i * 677 % red.len()]).collect();
        assert_eq!(ratio_of_ratios(&shuffled, &infrared, 100.0, &pulses), None);
        assert_eq!(ratio_of_ratios(&[f32::NAN; 2000], &infrared, 100.0, &pulses), None);
        assert_eq!(ratio_of_ratios(&[0.0; 2000], &infrared, 100.0, &pulses), None);
        assert_eq!(ratio_of_ratios(&red, &infrared, 100.0, &pulses[..3]), None);
        assert_eq!(ratio_of_ratios(&red[..10], &infrared, 100.0, &pulses), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let (red, infrared) = light(0.7);
        let found = ratio_of_ratios(&red, &infrared, 100.0, &pulses_of(&infrared)).unwrap();
        let rounded = [found.ratio, found.perfusion_percent, found.quality].map(|value| (value * 1e4).round());
        assert_eq!((VERSION, rounded), ("1.0.0", [6997.0, 20_268.0, 9995.0]));
    }
}
