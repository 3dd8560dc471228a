//! What the detector promises: all pulses of clean waves, any chunking, checkpoints, a bounded lag, no bad input.

use proptest::prelude::*;

use super::{DetectedPulse, PulseDetector, VERSION};
use crate::evaluate::{Scope, match_beats};

/// A pulse wave: systole and dicrotic wave per beat, breathing and noise on top; and the times of its beats.
fn wave(rate_hz: f64, per_minute: f64, seconds: f64) -> (Vec<f32>, Vec<f64>) {
    let period = 60.0 / per_minute;
    let beats: Vec<f64> = (0..(seconds / period) as usize).map(|i| (i as f64 + 0.5) * period).collect();
    let bump = |t: f64, at: f64, width: f64| (-0.5 * ((t - at) / width).powi(2)).exp();
    let pulse = |t: f64| bump(t, 0.12, 0.06) + 0.35 * bump(t, 0.12 + 0.32 * period.min(1.0), 0.09);
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let value =
        |t: f64| -> f64 { beats.iter().filter(|beat| (*beat - t).abs() < 2.0).map(|beat| pulse(t - beat)).sum() };
    let sample = |i: usize| {
        let t = i as f64 / rate_hz;
        (value(t) + 0.3 * (std::f64::consts::TAU * 0.25 * t).sin() + 0.02 * noise()) as f32
    };
    let samples = (0..(seconds * rate_hz) as usize).map(sample).collect();
    (samples, beats)
}

/// White noise of unit variance: the sum of twelve even draws.
fn gaussian(i: usize) -> f64 {
    let mut state = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut draw = || {
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
        state as f64 / u64::MAX as f64 - 0.5
    };
    (0..12).map(|_| draw()).sum()
}

fn pulses_of(rate_hz: f64, samples: &[f32]) -> Vec<DetectedPulse> {
    let (mut detector, mut pulses) = (PulseDetector::new(rate_hz).unwrap(), Vec::new());
    detector.push(samples, &mut pulses);
    detector.finish(&mut pulses);
    pulses
}

/// All beats but those of the first and last two seconds have one pulse, at one delay, and nothing else has.
#[track_caller]
fn check_found(rate_hz: f64, per_minute: f64, inverted: bool) {
    let (mut samples, beats) = wave(rate_hz, per_minute, 40.0);
    if inverted {
        samples = samples.iter().map(|sample| -sample).collect();
    }
    let at: Vec<f64> = pulses_of(rate_hz, &samples).iter().map(|pulse| pulse.sample / rate_hz).collect();
    // The inverted wave needs some seconds until it is known to be inverted.
    let from = if inverted { 8.0 } else { 2.0 };
    let inside = |t: &&f64| **t > from && **t < 38.0;
    let expected: Vec<f64> = beats.iter().filter(inside).copied().collect();
    let near = |beat: f64| at.iter().filter(|pulse| (**pulse - beat - 0.06).abs() < 0.05).count();
    let missed: Vec<f64> = expected.iter().copied().filter(|beat| near(*beat) != 1).collect();
    assert_eq!(missed, Vec::<f64>::new(), "{rate_hz} Hz, {per_minute} /min, inverted {inverted}: {at:?}");
    let found = at.iter().filter(inside).count();
    assert!(found <= expected.len() + 1, "{rate_hz} Hz, {per_minute} /min: {found} of {}", expected.len());
}

#[test]
fn every_pulse_is_found_at_any_rate() {
    for rate_hz in [20.0, 25.0, 30.0, 64.0, 100.0, 125.0, 256.0, 1000.0] {
        for per_minute in [45.0, 72.0, 120.0, 170.0] {
            check_found(rate_hz, per_minute, false);
        }
    }
}

#[test]
fn an_inverted_wave_is_followed_on_its_falling_side() {
    for per_minute in [50.0, 72.0, 110.0] {
        check_found(60.0, per_minute, true);
    }
}

#[test]
fn clean_pulses_are_alike_and_noise_is_not() {
    let (samples, _) = wave(100.0, 70.0, 30.0);
    let mut detector = PulseDetector::new(100.0).unwrap();
    let mut pulses = Vec::new();
    detector.push(&samples, &mut pulses);
    assert!(detector.take_quality() > 0.9);
    assert_eq!(detector.take_quality(), 0.0);
    let mut state = 7_u32;
    let noise: Vec<f32> = (0..3000)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32
        })
        .collect();
    let mut detector = PulseDetector::new(100.0).unwrap();
    detector.push(&noise, &mut pulses);
    assert!(detector.take_quality() < 0.7);
}

/// F1 of pulses within 150 ms of their beat, in white noise this far below the power of the wave without its breathing.
fn f1_in_noise(rate_hz: f64, per_minute: f64, snr_db: f64) -> f64 {
    let (clean, beats) = wave(rate_hz, per_minute, 120.0);
    let breath = |i: usize| 0.3 * (std::f64::consts::TAU * 0.25 * i as f64 / rate_hz).sin();
    let pulsatile: Vec<f64> = clean.iter().enumerate().map(|(i, v)| f64::from(*v) - breath(i)).collect();
    let mean = pulsatile.iter().sum::<f64>() / pulsatile.len() as f64;
    let power = pulsatile.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / pulsatile.len() as f64;
    let deviation = (power / 10_f64.powf(snr_db / 10.0)).sqrt();
    let noisy: Vec<f32> = clean.iter().enumerate().map(|(i, v)| v + (deviation * gaussian(i)) as f32).collect();
    let found: Vec<f64> = pulses_of(rate_hz, &noisy).iter().map(|pulse| pulse.sample).collect();
    // The steepest point of the upstroke comes 60 ms after the start of the beat.
    let expected: Vec<f64> = beats.iter().map(|beat| (beat + 0.06) * rate_hz).collect();
    let scope = Scope { from: 5.0 * rate_hz, excluded: vec![(118.0 * rate_hz, f64::INFINITY)] };
    match_beats(&expected, &found, rate_hz, &scope).f1()
}

/// At 25 Hz the same power of white noise is five times as dense among the pulse's own frequencies as at 125 Hz: slow
/// pulses, whose power lies lowest, drown first and are left out there.
#[test]
fn pulses_are_found_in_broadband_noise() {
    for rate_hz in [25.0, 64.0, 125.0, 250.0] {
        for per_minute in [50.0, 72.0, 110.0, 150.0] {
            if rate_hz == 25.0 && per_minute == 50.0 {
                continue;
            }
            for (snr_db, least) in [(10.0, 0.995), (5.0, 0.98), (0.0, 0.94)] {
                let f1 = f1_in_noise(rate_hz, per_minute, snr_db);
                assert!(f1 >= least, "F1 {f1:.3} at {snr_db} dB, {per_minute} /min, {rate_hz} Hz");
            }
        }
    }
}

#[test]
fn a_gap_is_counted_and_marked() {
    let (samples, _) = wave(100.0, 60.0, 20.0);
    let (mut detector, mut pulses) = (PulseDetector::new(100.0).unwrap(), Vec::new());
    detector.push(&samples, &mut pulses);
    detector.gap(100_000, &mut pulses);
    assert_eq!(detector.horizon(), 102_000);
    let before = pulses.len();
    detector.push(&samples, &mut pulses);
    detector.finish(&mut pulses);
    let after = &pulses[before..];
    assert!(after[0].after_gap && after[0].sample >= 102_000.0);
    assert!(after[1..].iter().chain(&pulses[..before]).all(|pulse| !pulse.after_gap));
}

#[test]
fn rates_outside_of_the_range_are_refused() {
    for rate_hz in [f64::NAN, 0.0, -1.0, 19.9, 1000.1, f64::INFINITY] {
        assert!(PulseDetector::new(rate_hz).is_err());
    }
    assert_eq!(PulseDetector::new(5.0).unwrap_err().to_string(), "pulses are detected at 20 to 1000 Hz, not at 5 Hz");
}

#[test]
fn constant_and_huge_samples_are_no_pulses_and_no_trouble() {
    assert_eq!(pulses_of(50.0, &vec![3.0; 5000]), vec![]);
    let huge: Vec<f32> = (0..5000).map(|i| if i % 7 < 3 { f32::MAX } else { f32::MIN }).collect();
    assert!(pulses_of(50.0, &huge).iter().all(|pulse| pulse.sample.is_finite() && pulse.quality.is_finite()));
}

/// FNV-1a over the outputs, positions to 1e-4 samples and qualities to 1e-4.
fn fingerprint(pulses: &[DetectedPulse]) -> u64 {
    let numbers = pulses.iter().flat_map(|pulse| {
        [
            (pulse.sample * 1e4).round() as i64,
            (f64::from(pulse.quality) * 1e4).round() as i64,
            i64::from(pulse.after_gap),
        ]
    });
    let bytes = numbers.flat_map(i64::to_le_bytes);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// When this fails the detector's output has changed: raise [`VERSION`] and note the new fingerprint beside it.
#[test]
fn output_changes_only_with_the_version() {
    let (samples, _) = wave(125.0, 77.0, 60.0);
    assert_eq!((VERSION, fingerprint(&pulses_of(125.0, &samples))), ("1.0.0", GOLDEN));
}

const GOLDEN: u64 = 14_738_306_072_636_960_404;

/// Samples as they come from broken sensors, on a pulse wave and without one.
fn samples() -> impl Strategy<Value = Vec<f32>> {
    let base = wave(25.0, 80.0, 60.0).0;
    let odd = prop_oneof![Just(f32::NAN), Just(f32::INFINITY), Just(f32::MAX), Just(0.0_f32), -10.0_f32..10.0];
    let hits = prop::collection::vec((0..base.len(), 1..60_usize, odd), 0..6);
    hits.prop_map(move |hits| {
        let mut samples = base.clone();
        for (at, len, value) in hits {
            samples.iter_mut().skip(at).take(len).for_each(|sample| *sample = value);
        }
        samples
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn chunking_and_checkpoints_change_nothing(
        samples in samples(),
        cuts in prop::collection::vec(0..1500_usize, 0..8),
        gap in 0..40_u64,
        gap_at in 0..1500_usize,
    ) {
        let (mut whole, mut expected) = (PulseDetector::new(25.0).unwrap(), Vec::new());
        whole.push(&samples[..gap_at], &mut expected);
        whole.push(&vec![f32::NAN; gap as usize], &mut expected);
        whole.push(&samples[gap_at..], &mut expected);

        let (mut cut, mut pulses) = (PulseDetector::new(25.0).unwrap(), Vec::new());
        let mut edges: Vec<usize> = cuts.into_iter().chain([0, gap_at, samples.len()]).collect();
        edges.sort_unstable();
        let mut gapped = false;
        for pair in edges.windows(2) {
            if pair[0] == gap_at && !gapped {
                cut.gap(gap, &mut pulses);
                gapped = true;
            }
            cut.push(&samples[pair[0]..pair[1]], &mut pulses);
            cut = postcard::from_bytes(&postcard::to_stdvec(&cut).unwrap()).unwrap();
        }
        prop_assert_eq!(cut.horizon(), whole.horizon());
        prop_assert_eq!(cut.take_quality().to_bits(), whole.take_quality().to_bits());
        whole.finish(&mut expected);
        cut.finish(&mut pulses);
        prop_assert_eq!(pulses, expected);
    }

    #[test]
    fn the_horizon_holds(samples in samples()) {
        let (mut detector, mut pulses) = (PulseDetector::new(25.0).unwrap(), Vec::new());
        let mut horizon = 0;
        for (i, sample) in samples.iter().enumerate() {
            let before = pulses.len();
            detector.push(&[*sample], &mut pulses);
            prop_assert!(pulses[before..].iter().all(|pulse| pulse.sample >= horizon as f64));
            prop_assert!(detector.horizon() >= horizon && detector.horizon() <= i as u64 + 1);
            prop_assert!(i as u64 - detector.horizon().min(i as u64) <= 75, "lag at {}", i);
            horizon = detector.horizon();
        }
        detector.finish(&mut pulses);
        prop_assert!(pulses.windows(2).all(|pair| pair[0].sample < pair[1].sample));
        prop_assert!(postcard::to_stdvec(&detector).unwrap().len() < 16_384);
    }
}
