//! Respiratory rate, from breaths or from what breathing does to the pulse wave.
//!
//! [`from_breaths`] counts the breaths of a belt or an impedance pneumogram. [`from_pulse_wave`] looks for the common
//! rhythm of the baseline's and the mean's course from beat to beat (the baseline-wander modulation of Charlton et al.
//! 2016, doi:10.1088/0967-3334/37/4/610, sampled once per beat so that the pulse itself drops out);
//! [`from_modulations`] does the same for any set of per-beat series, such as R amplitudes or RR intervals.

use afferent_dsp::{ppg::DetectedPulse, respiration::DetectedBreath};

mod fusion;
mod modulation;

pub use fusion::{Window, from_ecg, fuse};
pub use modulation::{Modulation, from_modulations};

/// Changes whenever the same input could give another rate.
pub const VERSION: &str = "1.0.0";

/// Fewest breaths that make a rate.
pub const MIN_BREATHS: usize = 3;
/// Shortest window for a rate from modulations: two breaths of the slowest rate looked for.
pub const MIN_WINDOW_S: f64 = 25.0;
/// From this quality on a rate from the pulse wave is worth showing; most windows of a patient at rest pass.
pub const GATE: f64 = 0.2;
/// A breath pause counts as apnoea from this length on (American Academy of Sleep Medicine).
pub const APNOEA_S: f64 = 10.0;
/// Longest part of a window without beats.
const MAX_HOLE_S: f64 = 8.0;
/// How far around the upstroke its foot and its peak lie.
const REACH_S: f64 = 0.3;

/// A respiratory rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RespiratoryRate {
    /// Breaths per minute.
    pub per_minute: f64,
    /// How far the evidence agrees, in [0, 1].
    pub quality: f64,
}

/// A pause between two breaths, in samples since the stream's start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ApnoeaGap {
    /// The breath before.
    pub from: f64,
    /// The breath after.
    pub to: f64,
}

/// Rate from the breaths of one window, sampled at `rate_hz`: intervals over their time.
///
/// The quality falls with the spread of the intervals. `None` below [`MIN_BREATHS`] or across a gap only.
pub fn from_breaths(breaths: &[DetectedBreath], rate_hz: f64) -> Option<RespiratoryRate> {
    let intervals_s: Vec<f64> = breaths
        .windows(2)
        .filter(|pair| !pair[1].after_gap)
        .map(|pair| (pair[1].sample - pair[0].sample) / rate_hz)
        .collect();
    let sum: f64 = intervals_s.iter().sum();
    if intervals_s.len() + 1 < MIN_BREATHS || sum.is_nan() || sum <= 0.0 {
        return None;
    }
    let mean = sum / intervals_s.len() as f64;
    let spread = intervals_s.iter().map(|interval| (interval - mean).abs()).sum::<f64>() / sum;
    Some(RespiratoryRate { per_minute: 60.0 / mean, quality: (1.0 - spread).clamp(0.0, 1.0) })
}

/// Pauses of at least [`APNOEA_S`] between breaths, sampled at `rate_hz`.
pub fn apnoea_gaps(breaths: &[DetectedBreath], rate_hz: f64) -> Vec<ApnoeaGap> {
    let is_pause =
        |pair: &&[DetectedBreath]| !pair[1].after_gap && pair[1].sample - pair[0].sample >= APNOEA_S * rate_hz;
    breaths.windows(2).filter(is_pause).map(|pair| ApnoeaGap { from: pair[0].sample, to: pair[1].sample }).collect()
}

/// Rate from one window of a pulse wave and its pulses (positions counted from the window's first sample).
///
/// `None` when the window is shorter than [`MIN_WINDOW_S`], has 8 s without pulses, or shows no rhythm at all. Compare
/// the quality with [`GATE`].
pub fn from_pulse_wave(samples: &[f32], rate_hz: f64, pulses: &[DetectedPulse]) -> Option<RespiratoryRate> {
    from_modulations(&pulse_modulations(samples, rate_hz, pulses)?, samples.len() as f64 / rate_hz)
}

/// Baseline and mean per pulse.
fn pulse_modulations(samples: &[f32], rate_hz: f64, pulses: &[DetectedPulse]) -> Option<[Modulation; 2]> {
    let at: Vec<f64> = pulses.iter().map(|pulse| pulse.sample).collect();
    if !covered(&at, rate_hz, samples.len()) {
        return None;
    }
    let baseline = Modulation { points: at.iter().filter_map(|&at| baseline(samples, rate_hz, at)).collect() };
    let mean = Modulation { points: at.windows(2).filter_map(|pair| mean(samples, rate_hz, pair)).collect() };
    Some([baseline, mean])
}

/// Whether the window is long enough and nowhere without beats for long.
fn covered(at: &[f64], rate_hz: f64, samples: usize) -> bool {
    let window_s = samples as f64 / rate_hz;
    let mut edges: Vec<f64> = at.iter().map(|sample| sample / rate_hz).collect();
    edges.insert(0, 0.0);
    edges.push(window_s);
    window_s >= MIN_WINDOW_S && edges.windows(2).all(|pair| pair[1] - pair[0] <= MAX_HOLE_S)
}

/// Halfway between foot and peak of a pulse, whichever way it points.
fn baseline(samples: &[f32], rate_hz: f64, at: f64) -> Option<(f64, f64)> {
    let (low, high) = extent(samples, at, REACH_S * rate_hz)?;
    Some((at / rate_hz, f64::midpoint(low, high)))
}

/// Lowest and highest sample within `reach` samples of a position.
fn extent(samples: &[f32], at: f64, reach: f64) -> Option<(f64, f64)> {
    let part = stretch(samples, at - reach, at + reach)?;
    let (low, high) = part.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    (low.is_finite() && high.is_finite()).then(|| (f64::from(low), f64::from(high)))
}

/// Mean over the time from one pulse to the next.
fn mean(samples: &[f32], rate_hz: f64, pair: &[f64]) -> Option<(f64, f64)> {
    let part = stretch(samples, pair[0], pair[1])?;
    let mean = part.iter().map(|value| f64::from(*value)).sum::<f64>() / part.len() as f64;
    Some((f64::midpoint(pair[0], pair[1]) / rate_hz, mean)).filter(|point| point.1.is_finite())
}

/// Samples between two positions, cut to the window; `None` when there are none.
fn stretch(samples: &[f32], from: f64, to: f64) -> Option<&[f32]> {
    let (from, to) = (from.max(0.0) as usize, (to.max(0.0) as usize).min(samples.len()));
    samples.get(from..to).filter(|part| !part.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use afferent_dsp::ppg::PulseDetector;

    use super::*;

    /// A pulse wave whose baseline breathing moves, over random-looking drift.
    fn wave(per_minute: f64) -> Vec<f32> {
        let value = |t: f64| {
            let phase = t.rem_euclid(0.83);
            let breath = 0.15 * (std::f64::consts::TAU * per_minute / 60.0 * t).sin();
            let drift = 0.3 * (t * 0.11).sin() + 0.2 * (t * 0.047).cos();
            (-0.5 * ((phase - 0.2) / 0.07).powi(2)).exp() + breath + drift
        };
        (0..6400).map(|i| value(f64::from(i) / 100.0) as f32).collect()
    }

    fn pulses_of(wave: &[f32]) -> Vec<DetectedPulse> {
        let (mut detector, mut pulses) = (PulseDetector::new(100.0).unwrap(), Vec::new());
        detector.push(wave, &mut pulses);
        detector.finish(&mut pulses);
        pulses
    }

    #[test]
    fn breathing_shows_in_the_pulse_wave() {
        for per_minute in [7.0, 12.0, 18.0, 27.0] {
            let wave = wave(per_minute);
            let rate = from_pulse_wave(&wave, 100.0, &pulses_of(&wave)).unwrap();
            assert!((rate.per_minute - per_minute).abs() < 0.5 && rate.quality > GATE, "{rate:?} for {per_minute}");
        }
    }

    #[test]
    fn without_pulses_there_is_no_rate() {
        let wave = wave(12.0);
        let pulses = pulses_of(&wave);
        assert_eq!(from_pulse_wave(&wave, 100.0, &[]), None);
        assert_eq!(from_pulse_wave(&wave[..2000], 100.0, &pulses[..20]), None);
        assert_eq!(from_pulse_wave(&wave, 100.0, &pulses[..30]), None);
        assert_eq!(from_pulse_wave(&vec![f32::NAN; 6400], 100.0, &pulses), None);
        assert_eq!(from_pulse_wave(&vec![1.0; 6400], 100.0, &pulses), None);
        assert_eq!(from_pulse_wave(&wave, f64::NAN, &pulses), None);
    }

    #[test]
    fn breaths_make_a_rate_and_a_pause_is_seen() {
        let breath = |s: f64| DetectedBreath { sample: s * 25.0, amplitude: 1.0, after_gap: false };
        let breaths: Vec<DetectedBreath> = [0.0, 4.0, 8.0, 12.0, 16.0].map(breath).to_vec();
        assert_eq!(from_breaths(&breaths, 25.0), Some(RespiratoryRate { per_minute: 15.0, quality: 1.0 }));
        assert_eq!(apnoea_gaps(&breaths, 25.0), vec![]);
        let paused = [breath(0.0), breath(4.0), breath(19.0), breath(23.0)];
        assert_eq!(apnoea_gaps(&paused, 25.0), vec![ApnoeaGap { from: 100.0, to: 475.0 }]);
        assert_eq!(from_breaths(&breaths[..2], 25.0), None);
        assert_eq!(from_breaths(&[], 25.0), None);
    }

    /// When this fails the output has changed: raise [`VERSION`] and note the new value beside it.
    #[test]
    fn output_changes_only_with_the_version() {
        let wave = wave(13.0);
        let rate = from_pulse_wave(&wave, 100.0, &pulses_of(&wave)).unwrap();
        assert_eq!((VERSION, rate.per_minute, (rate.quality * 1e4).round()), ("1.0.0", 13.007_812_5, 9951.0));
    }
}
