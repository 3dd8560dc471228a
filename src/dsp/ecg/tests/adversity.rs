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
    let heart = Synthetic::new(250.0, 90.0);
    let p_wave = |time: f64| 0.12 * gauss((time + 0.4) % 0.85 - 0.42, 0.022);
    let noise = |i: usize| 0.03 * ((i * 7919 % 1013) as f64 / 1013.0 - 0.5);
    let stands =
        |i, sample| if between(i, 250.0, 20.0, 50.0) { (p_wave(i as f64 / 250.0) + noise(i)) as f32 } else { sample };
    let synthetic = heart.change(stands);
    let invented = synthetic.detect().iter().filter(|beat| (5100.0..12_400.0).contains(&beat.sample)).count();
    assert_eq!(invented, 0);
    assert_recovers(&synthetic, 55.0);
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
