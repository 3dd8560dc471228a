//! Signals as they should not be.

use super::*;

/// Errors allowed while a disturbance lasts and the detector recovers are outside `from_s`.
fn assert_recovers(synthetic: &Synthetic, from_s: f64) {
    let tally = synthetic.score(from_s);
    assert_eq!(tally.errors(), 0, "missed {:?} extra {:?}", tally.missed_at, tally.extra_at);
}

fn between(i: usize, rate_hz: f64, from_s: f64, to_s: f64) -> bool {
    (from_s..to_s).contains(&(i as f64 / rate_hz))
}

#[test]
fn hum_of_ten_times_the_amplitude() {
    for (rate_hz, hum_hz) in [(250.0, 50.0), (250.0, 60.0), (360.0, 60.0), (500.0, 50.0), (1000.0, 50.0)] {
        let hum = |i: usize| (10.0 * (std::f64::consts::TAU * hum_hz * i as f64 / rate_hz).sin()) as f32;
        let tally = Synthetic::new(rate_hz, 60.0).change(|i, sample| sample + hum(i)).score(5.0);
        assert!(tally.errors() <= 1, "{hum_hz} Hz at {rate_hz} Hz: {tally:?}");
    }
}

#[test]
fn recovers_from_saturation() {
    let saturated = |i, sample| if between(i, 250.0, 20.0, 26.0) { 5.0 } else { sample };
    assert_recovers(&Synthetic::new(250.0, 60.0).change(saturated), 29.0);
}

#[test]
fn recovers_from_a_flat_line() {
    let flat = |i, sample| if between(i, 250.0, 20.0, 40.0) { 0.0 } else { sample };
    let synthetic = Synthetic::new(250.0, 80.0).change(flat);
    assert_recovers(&synthetic, 43.0);
    let during = synthetic.detect().iter().filter(|beat| (5200.0..9900.0).contains(&beat.sample)).count();
    assert_eq!(during, 0);
}

/// P waves and noise go on, the ventricles do not: whoever counts beats must see that there are none.
#[test]
fn no_beats_are_invented_in_asystole() {
    let heart = Synthetic::new(250.0, 130.0);
    let p_wave = |time: f64| 0.12 * gauss((time + 0.4) % 0.85 - 0.42, 0.022);
    let noise = |i: usize| 0.03 * ((i * 7919 % 1013) as f64 / 1013.0 - 0.5);
    let stands =
        |i, sample| if between(i, 250.0, 20.0, 90.0) { (p_wave(i as f64 / 250.0) + noise(i)) as f32 } else { sample };
    let synthetic = heart.change(stands);
    let invented = synthetic.detect().iter().filter(|beat| (5100.0..22_400.0).contains(&beat.sample)).count();
    assert_eq!(invented, 0);
    assert_recovers(&synthetic, 95.0);
}

#[test]
fn recovers_from_electrode_pops() {
    let pop = |i: usize, at_s: f64| {
        let since = i as f64 / 250.0 - at_s;
        if since < 0.0 { 0.0 } else { (40.0 * (-since / 0.3).exp()) as f32 }
    };
    let popped = |i, sample| sample + pop(i, 20.1) - pop(i, 35.3);
    assert_recovers(&Synthetic::new(250.0, 70.0).change(popped), 41.0);
}

#[test]
fn recovers_from_a_change_of_gain() {
    let weaker = |i, sample| if between(i, 250.0, 30.0, 200.0) { 0.1 * sample } else { sample };
    assert_recovers(&Synthetic::new(250.0, 90.0).change(weaker), 40.0);
    let stronger = |i, sample| if between(i, 250.0, 30.0, 200.0) { 10.0 * sample } else { sample };
    assert_recovers(&Synthetic::new(250.0, 90.0).change(stronger), 40.0);
}

#[test]
fn clipped_peaks_are_still_beats() {
    assert_recovers(&Synthetic::new(250.0, 60.0).change(|_, sample| sample.clamp(-0.15, 0.5)), 0.0);
}

#[test]
fn short_dropouts_are_bridged_and_long_ones_marked() {
    let short = |i, sample| if i % 97 == 0 { f32::NAN } else { sample };
    let beats = Synthetic::new(250.0, 60.0).change(short).detect();
    assert!(beats.iter().all(|beat| !beat.after_gap));
    let long = |i, sample| if between(i, 250.0, 20.0, 23.0) { f32::INFINITY } else { sample };
    let synthetic = Synthetic::new(250.0, 60.0).change(long);
    assert_eq!(synthetic.detect().iter().filter(|beat| beat.after_gap).count(), 1);
    assert_recovers(&synthetic, 24.0);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    for value in [0.0, 5.0, -1.0e30, f32::NAN, f32::INFINITY, f32::MAX] {
        assert_eq!(detect(&vec![value; 20_000], 250.0), []);
    }
}

#[test]
fn quality_drops_when_samples_are_missing_or_stuck() {
    let synthetic = Synthetic::new(250.0, 20.0);
    for value in [f32::NAN, 3.3] {
        let mut detector = BeatDetector::new(250.0).unwrap();
        detector.push(&synthetic.samples, &mut Vec::new());
        detector.push(&vec![value; 5000], &mut Vec::new());
        let quality = detector.take_signal_quality();
        assert!(quality.usable < 0.55 && quality.index < 0.55, "{quality:?}");
    }
}

/// Noise of an electrode on a body without a heart beat: white, of this standard deviation in mV.
pub(super) fn electrode_noise(i: usize, deviation_mv: f64) -> f64 {
    let mut state = (i as u64).wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut uniform = || {
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
        state as f64 / u64::MAX as f64 - 0.5
    };
    deviation_mv * (0..12).map(|_| uniform()).sum::<f64>()
}

/// However long a heart stands still, noise is no beat; when it beats again, it is heard.
#[test]
fn no_beats_are_invented_in_a_long_asystole() {
    // White noise has more of its power in the band of QRS complexes the lower the rate is.
    for (rate_hz, largest_mv) in [(125.0, 0.05), (250.0, 0.1), (360.0, 0.1), (500.0, 0.1)] {
        let levels = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1].into_iter().filter(|level| *level <= largest_mv);
        for deviation_mv in levels {
            let noise = |i: usize| electrode_noise(i, deviation_mv) as f32;
            let stands = |i, sample| if between(i, rate_hz, 20.0, 80.0) { noise(i) } else { sample };
            let synthetic = Synthetic::new(rate_hz, 110.0).change(stands);
            let seconds = synthetic.detect().into_iter().map(|beat| beat.sample / rate_hz);
            let invented: Vec<f64> = seconds.filter(|at_s| (22.0..79.9).contains(at_s)).collect();
            assert!(invented.is_empty(), "{deviation_mv} mV at {rate_hz} Hz: {invented:?}");
            assert_recovers(&synthetic, 83.0);
        }
    }
}

/// The electrodes come back elsewhere: other polarity, other height.
#[test]
fn another_lead_is_learned_after_a_long_silence() {
    for (gain, noise_mv) in [(-1.0, 0.002), (-0.4, 0.01), (-2.0, 0.02)] {
        let noise = |i: usize| electrode_noise(i, noise_mv) as f32;
        let moved = |i: usize, sample: f32| match i / 250 {
            ..20 => sample,
            20..80 => noise(i),
            _ => gain * sample + noise(i),
        };
        assert_recovers(&Synthetic::new(250.0, 110.0).change(moved), 85.0);
    }
}
