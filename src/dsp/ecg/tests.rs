//! Tests of the detector on a synthetic ECG whose beats are known.
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use super::*;
use crate::evaluate::{Scope, Tally, match_beats};

mod adversity;
mod stream;

/// Gaussian waves of a heart beat: centre (s, from the R peak), width (s), height (mV).
const WAVES: [(f64, f64, f64); 5] =
    [(-0.17, 0.022, 0.12), (-0.028, 0.009, -0.12), (0.0, 0.011, 1.0), (0.028, 0.010, -0.22), (0.27, 0.05, 0.28)];

/// Samples of an ECG and the positions of its R peaks.
struct Synthetic {
    rate_hz: f64,
    samples: Vec<f32>,
    beats: Vec<f64>,
}

impl Synthetic {
    /// `seconds` of sinus rhythm around 70 /min with respiratory arrhythmia and a little noise.
    fn new(rate_hz: f64, seconds: f64) -> Self {
        Self::of_intervals(rate_hz, seconds, |at_s| 0.85 + 0.05 * (at_s * 1.5).sin())
    }

    /// `seconds` of a rhythm with the interval after each beat given by its time; the T wave follows the rate (Bazett
    /// 1920) when it is fast.
    fn of_intervals(rate_hz: f64, seconds: f64, interval_s: impl Fn(f64) -> f64) -> Self {
        let mut times = vec![0.5];
        while let Some(&last) = times.last()
            && last < seconds - 0.5
        {
            times.push(last + interval_s(last));
        }
        times.pop();
        let noise = |i: usize| 0.01 * ((i * 7919 % 1013) as f64 / 1013.0 - 0.5);
        let value = |i: usize| {
            let time = i as f64 / rate_hz;
            let near = times.partition_point(|beat| beat + 0.6 < time);
            let beat = |beat: &f64| {
                let place = |c: f64| if c > 0.1 { c * (interval_s(*beat) / 0.8).min(1.0).sqrt() } else { c };
                WAVES.iter().map(|&(c, w, h)| h * gauss(time - beat - place(c), w)).sum::<f64>()
            };
            (times.iter().skip(near).take(5).map(beat).sum::<f64>() + noise(i)) as f32
        };
        let samples = (0..(seconds * rate_hz) as usize).map(value).collect();
        Self { rate_hz, samples, beats: times.iter().map(|time| time * rate_hz).collect() }
    }

    fn change(mut self, change: impl Fn(usize, f32) -> f32) -> Self {
        self.samples.iter_mut().enumerate().for_each(|(i, sample)| *sample = change(i, *sample));
        self
    }

    fn detect(&self) -> Vec<DetectedBeat> {
        detect(&self.samples, self.rate_hz)
    }

    /// Comparison of what is detected with what is there, from `from_s` on.
    fn score(&self, from_s: f64) -> Tally {
        let found: Vec<f64> = self.detect().iter().map(|beat| beat.sample).collect();
        match_beats(&self.beats, &found, self.rate_hz, &Scope { from: from_s * self.rate_hz, excluded: Vec::new() })
    }
}

fn gauss(x: f64, width: f64) -> f64 {
    (-0.5 * (x / width).powi(2)).exp()
}

fn detect(samples: &[f32], rate_hz: f64) -> Vec<DetectedBeat> {
    let mut detector = BeatDetector::new(rate_hz).unwrap();
    let mut beats = Vec::new();
    detector.push(samples, &mut beats);
    detector.finish(&mut beats);
    beats
}

#[test]
fn finds_every_beat_at_any_rate() {
    for rate_hz in [100.0, 125.0, 128.0, 200.0, 250.0, 256.0, 300.0, 360.0, 500.0, 512.0, 1000.0] {
        let tally = Synthetic::new(rate_hz, 60.0).score(0.0);
        assert_eq!(tally.errors(), 0, "at {rate_hz} Hz missed {:?} extra {:?}", tally.missed_at, tally.extra_at);
        assert!(tally.bias_ms().abs() < 1.0, "bias {} ms at {rate_hz} Hz", tally.bias_ms());
        assert!(tally.offset_deviation_ms() < 2.0, "jitter {} ms at {rate_hz} Hz", tally.offset_deviation_ms());
    }
}

#[test]
fn a_fast_heart_is_counted_whole_from_the_start_and_after_a_change() {
    const CHANGES: [(f64, f64); 8] = [
        (75.0, 130.0),
        (60.0, 110.0),
        (60.0, 180.0),
        (75.0, 150.0),
        (180.0, 180.0),
        (60.0, 200.0),
        (180.0, 60.0),
        (60.0, 40.0),
    ];
    for rate_hz in [125.0, 250.0, 360.0, 500.0] {
        for (before, after) in CHANGES {
            let breath = |at_s: f64| 1.0 + 0.03 * (1.6 * at_s).sin();
            let interval_s = |at_s: f64| 60.0 / if at_s < 40.0 { before } else { after } * breath(at_s);
            let tally = Synthetic::of_intervals(rate_hz, 120.0, interval_s).score(5.0);
            // A few beats where the rate changes may be missed or doubled.
            assert!(tally.errors() <= 5, "{before} to {after} /min at {rate_hz} Hz: {} errors", tally.errors());
        }
    }
}

#[test]
fn polarity_does_not_matter() {
    let tally = Synthetic::new(250.0, 60.0).change(|_, sample| -sample).score(0.0);
    assert_eq!(tally.errors(), 0);
    assert!(tally.bias_ms().abs() < 2.0);
}

#[test]
fn gain_and_offset_do_not_matter() {
    for (gain, offset) in [(0.15, 0.0), (8.0, 0.0), (1.0, 300.0), (1.0, -300.0)] {
        let tally = Synthetic::new(250.0, 60.0).change(|_, sample| gain * sample + offset).score(0.0);
        assert_eq!(tally.errors(), 0, "gain {gain} offset {offset}");
    }
}

#[test]
fn beats_come_soon() {
    let synthetic = Synthetic::new(250.0, 60.0);
    let (mut detector, mut beats, mut lags_ms) = (BeatDetector::new(250.0).unwrap(), Vec::new(), Vec::new());
    for (i, sample) in synthetic.samples.iter().enumerate() {
        detector.push(std::slice::from_ref(sample), &mut beats);
        lags_ms.extend(beats.drain(..).map(|beat| (i as f64 - beat.sample) * 4.0));
    }
    lags_ms.sort_by(f64::total_cmp);
    assert!(lags_ms[lags_ms.len() / 2] <= 50.0, "median {} ms", lags_ms[lags_ms.len() / 2]);
    assert!(lags_ms.iter().all(|&lag| lag <= LONGEST_LAG_S * 1000.0));
}

#[test]
fn only_supported_rates_are_taken() {
    for rate_hz in [0.0, -250.0, 99.9, 1000.1, f64::NAN, f64::INFINITY] {
        assert!(BeatDetector::new(rate_hz).is_err());
    }
}

#[test]
fn a_clean_stretch_is_good_and_noise_is_not() {
    let synthetic = Synthetic::new(250.0, 30.0);
    let mut detector = BeatDetector::new(250.0).unwrap();
    detector.push(&synthetic.samples, &mut Vec::new());
    assert!(detector.take_quality() > 0.9);
    let noise: Vec<f32> = (0..7500_u64).map(|i| ((i.wrapping_mul(i) * 7919 % 10007) as f32 / 10007.0) - 0.5).collect();
    detector.push(&noise, &mut Vec::new());
    let quality = detector.take_signal_quality();
    assert!(quality.index < 0.5, "{quality:?}");
}
