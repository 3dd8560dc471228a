//! The stream's contract: chunks, gaps, checkpoints, the horizon.

use super::*;
use proptest::prelude::*;

/// An ECG with everything in it: noise, a dropout, a pop.
fn eventful(rate_hz: f64) -> Synthetic {
    let second = rate_hz as usize;
    Synthetic::new(rate_hz, 24.0).change(|i, sample| match i / second {
        5 if i % second < 30 => f32::NAN,
        8 => f32::NAN,
        12 => sample + 3.0,
        15..18 => sample + 0.4 * ((i * 7919 % 101) as f32 / 101.0 - 0.5),
        _ => sample,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn chunks_do_not_matter(cuts in prop::collection::vec(0_usize..600, 1..60), rate in prop::sample::select(vec![100.0, 250.0, 360.0, 977.0])) {
        let samples = eventful(rate).samples;
        let (mut detector, mut beats, mut at) = (BeatDetector::new(rate).unwrap(), Vec::new(), 0);
        for cut in cuts.iter().cycle().take(4000) {
            let end = (at + cut).min(samples.len());
            detector.push(&samples[at..end], &mut beats);
            at = end;
        }
        detector.push(&samples[at..], &mut beats);
        detector.finish(&mut beats);
        prop_assert_eq!(beats, detect(&samples, rate));
    }

    #[test]
    fn any_numbers_are_survived(
        samples in prop::collection::vec(prop::num::f32::ANY, 0..3000),
        gaps in prop::collection::vec(0_u64..1_000_000, 0..5),
        rate in 100.0..1000.0_f64,
    ) {
        let (mut detector, mut beats) = (BeatDetector::new(rate).unwrap(), Vec::new());
        for part in samples.chunks(700) {
            detector.push(part, &mut beats);
            for &gap in &gaps {
                detector.gap(gap, &mut beats);
            }
            prop_assert!((0.0..=1.0).contains(&detector.take_quality()));
        }
        detector.finish(&mut beats);
        prop_assert!(beats.iter().all(|beat| beat.sample.is_finite() && (0.0..=1.0).contains(&beat.quality)));
        prop_assert!(beats.is_sorted_by(|a, b| a.sample < b.sample));
    }

    #[test]
    fn a_checkpoint_changes_nothing(at in 0_usize..6000) {
        let samples = eventful(250.0).samples;
        let (mut detector, mut beats) = (BeatDetector::new(250.0).unwrap(), Vec::new());
        detector.push(&samples[..at], &mut beats);
        let bytes = postcard::to_allocvec(&detector).unwrap();
        prop_assert!(bytes.len() <= 64 * 1024, "{} bytes", bytes.len());
        let mut restored: BeatDetector = postcard::from_bytes(&bytes).unwrap();
        restored.push(&samples[at..], &mut beats);
        restored.finish(&mut beats);
        prop_assert_eq!(beats, detect(&samples, 250.0));
    }
}

#[test]
fn state_is_small_at_any_rate() {
    for rate_hz in [100.0, 250.0, 1000.0] {
        let mut detector = BeatDetector::new(rate_hz).unwrap();
        detector.push(&eventful(rate_hz).samples, &mut Vec::new());
        let bytes = postcard::to_allocvec(&detector).unwrap().len();
        assert!(bytes <= 24 * 1024, "{bytes} bytes at {rate_hz} Hz");
    }
}

#[test]
fn state_does_not_grow_in_a_day() {
    let samples = eventful(100.0).samples;
    let (mut detector, mut beats, mut sizes) = (BeatDetector::new(100.0).unwrap(), Vec::new(), Vec::new());
    for _ in 0..24 {
        for _ in 0..150 {
            detector.push(&samples, &mut beats);
            beats.clear();
        }
        sizes.push(postcard::to_allocvec(&detector).unwrap().len());
    }
    assert_eq!(detector.horizon() / 100 / 3600, 23);
    assert!(sizes.iter().all(|&size| size <= sizes[0] + 512), "{sizes:?}");
}

#[test]
fn the_horizon_keeps_its_promise() {
    let samples = eventful(250.0).samples;
    let (mut detector, mut beats, mut horizon) = (BeatDetector::new(250.0).unwrap(), Vec::new(), 0);
    for (i, sample) in samples.iter().enumerate() {
        let known = beats.len();
        detector.push(std::slice::from_ref(sample), &mut beats);
        assert!(beats[known..].iter().all(|beat| beat.sample >= horizon as f64), "late beat at sample {i}");
        assert!(detector.horizon() >= horizon);
        horizon = detector.horizon();
        assert!((i as f64 - horizon as f64) / 250.0 <= LONGEST_LAG_S, "lag at sample {i}");
    }
    detector.finish(&mut beats);
    assert_eq!(detector.horizon(), samples.len() as u64);
}

#[test]
fn a_gap_moves_time_on() {
    let synthetic = Synthetic::new(250.0, 30.0);
    let (mut detector, mut beats) = (BeatDetector::new(250.0).unwrap(), Vec::new());
    detector.push(&synthetic.samples, &mut beats);
    detector.gap(100_001, &mut beats);
    let before = beats.len();
    detector.push(&synthetic.samples, &mut beats);
    detector.finish(&mut beats);
    assert_eq!(before, synthetic.beats.len());
    assert_eq!(beats.len(), 2 * before);
    assert!(beats[before].after_gap && beats.iter().filter(|beat| beat.after_gap).count() == 1);
    assert!((beats[before].sample - (synthetic.beats[0] + 7500.0 + 100_001.0)).abs() < 2.0);
}

#[test]
fn outputs_are_those_of_this_version() {
    let mut samples = eventful(360.0).samples;
    // A heart that stands still, with noise that resembles nothing, and beats again.
    samples.extend((0..3600).map(|i| adversity::electrode_noise(i, 0.05) as f32));
    samples.extend_from_within(0..4000);
    let beats = detect(&samples, 360.0);
    // FNV-1a over the outputs at a hundredth of a sample.
    let numbers = beats.iter().flat_map(|beat| [(beat.sample * 100.0).round() as i64, i64::from(beat.after_gap)]);
    let hash = numbers
        .flat_map(i64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    assert_eq!(
        (VERSION, hash),
        ("1.2.0", 17_611_893_067_948_393_801),
        "outputs changed: raise VERSION and update this hash"
    );
}
