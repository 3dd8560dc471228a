use super::*;
use crate::rr::Kind;
use afferent_dsp::ecg::SignalQuality;
use proptest::prelude::*;

/// Deterministic numbers in [0,1).
fn uniform(i: usize) -> f64 {
    let mixed = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn sinus(i: usize) -> f64 {
    820.0 + 30.0 * (i as f64 * 1.4).sin()
}

fn fibrillation(i: usize) -> f64 {
    450.0 + 450.0 * uniform(i)
}

fn series(lengths: impl Iterator<Item = f64>) -> Vec<RrInterval> {
    let mut time_s = 0.0;
    let place = |ms: f64| {
        time_s += ms / 1000.0;
        RrInterval { time_s, ms, kind: Kind::Normal, after_gap: false }
    };
    lengths.map(place).collect()
}

fn judge(series: &[RrInterval]) -> Vec<Score> {
    let (mut detector, mut scores) = (Detector::new(), Vec::new());
    series.iter().for_each(|interval| detector.push(interval, &mut scores));
    detector.finish(&mut scores);
    scores
}

fn run(lengths: impl Iterator<Item = f64>) -> Vec<Score> {
    judge(&series(lengths))
}

/// When this fails the output has changed: raise [`VERSION`] and note the new values beside it.
#[test]
fn output_changes_only_with_the_version() {
    let scores = run((0..200).map(|i| if (70..130).contains(&i) { fibrillation(i) } else { sinus(i) }));
    let digest: f64 = scores.iter().enumerate().map(|(i, score)| score.probability * (i % 7 + 1) as f64).sum();
    let quality = SignalQuality { index: 0.9, likeness: 0.97, log_crowding: 0.7, log_kurtosis: 2.8, usable: 1.0 };
    let strip = strip_probability(&series((0..40).map(fibrillation)), &quality, Some(0.1)).unwrap_or_default();
    let rounded = |value: f64| (value * 1e6).round();
    assert_eq!((VERSION, rounded(digest), rounded(strip)), ("1.0.0", 249_555_736.0, 928_803.0));
}

#[test]
fn every_interval_gets_one_score_in_order() {
    for count in [0, 5, WINDOW - 1, WINDOW, WINDOW + 1, 40, 60, 200] {
        let scores = run((0..count).map(sinus));
        assert_eq!(scores.len(), if count < WINDOW { 0 } else { count });
        assert!(scores.is_sorted_by(|a, b| a.time_s < b.time_s));
    }
}

#[test]
fn an_episode_has_an_onset_and_an_offset() {
    let rhythm = |i: usize| if (200..400).contains(&i) { fibrillation(i) } else { sinus(i) };
    let scores = run((0..600).map(rhythm));
    let changes: Vec<usize> = (0..600).filter(|&i| scores[i].change).collect();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].abs_diff(200) < WINDOW && changes[1].abs_diff(400) < WINDOW, "{changes:?}");
    assert!(scores[300].fibrillation && scores[300].probability > 0.9);
    assert!(burden(&scores).is_some_and(|burden| (0.2..0.35).contains(&burden)));
}

#[test]
fn a_judgement_is_final_after_the_documented_delay() {
    let (mut detector, mut scores) = (Detector::new(), Vec::new());
    for (i, interval) in series((0..100).map(sinus)).iter().enumerate() {
        detector.push(interval, &mut scores);
        assert_eq!(scores.len(), (i + 1).saturating_sub(DELAY));
    }
}

#[test]
fn ectopic_beats_are_no_fibrillation() {
    let bigeminy = |i: usize| if i.is_multiple_of(2) { 520.0 } else { 1050.0 } + 8.0 * uniform(i);
    // One beat in four comes early, at any time, and is made up for.
    let early = |i: usize| 400.0 * uniform(i / 2);
    let extrasystoles = |i: usize| match i % 4 {
        0 => sinus(i) - early(i),
        1 => sinus(i) + early(i - 1),
        _ => sinus(i),
    };
    for scores in [run((0..300).map(bigeminy)), run((0..300).map(extrasystoles))] {
        assert!(scores.iter().all(|score| !score.fibrillation));
    }
}

#[test]
fn a_gap_ends_a_stretch_but_not_an_episode() {
    let mut intervals = series((0..120).map(fibrillation));
    intervals[60].after_gap = true;
    let scores = judge(&intervals);
    assert_eq!(scores.len(), 120);
    assert_eq!(scores.iter().filter(|score| score.change).count(), 1);
    intervals[60].after_gap = false;
    intervals[60].ms = f64::NAN;
    assert_eq!(judge(&intervals).len(), 119);
}

#[test]
fn a_strip_of_fibrillation_differs_from_one_of_sinus_rhythm() {
    let quality = SignalQuality { index: 0.9, likeness: 0.97, log_crowding: 0.7, log_kurtosis: 2.8, usable: 1.0 };
    let judge = |rhythm: fn(usize) -> f64, coherence| {
        strip_probability(&series((0..40).map(rhythm)), &quality, Some(coherence)).unwrap_or(f64::NAN)
    };
    assert!(judge(fibrillation, 0.05) > 0.5);
    assert!(judge(sinus, 0.6) < 0.1);
    assert!(judge(fibrillation, 0.05) > judge(fibrillation, 0.6));
    assert_eq!(strip_probability(&series((0..5).map(sinus)), &quality, None), None);
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 200.0..2000.0_f64, 1 => -1e3..1e9_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(0.0)]
}

proptest! {
    #[test]
    fn whatever_comes_in_probabilities_come_out(lengths in prop::collection::vec((anything(), prop::bool::weighted(0.02)), 0..300)) {
        let place = |(i, &(ms, after_gap)): (usize, &(f64, bool))|
            RrInterval { time_s: i as f64, ms, kind: Kind::Normal, after_gap };
        let intervals: Vec<RrInterval> = lengths.iter().enumerate().map(place).collect();
        let scores = judge(&intervals);
        prop_assert!(scores.len() <= intervals.len());
        prop_assert!(scores.iter().all(|score| (0.0..=1.0).contains(&score.probability) && score.length_s > 0.0));
        let quality = SignalQuality { index: 0.5, likeness: 0.5, log_crowding: 1.0, log_kurtosis: 1.0, usable: 1.0 };
        let strip = strip_probability(&intervals, &quality, None);
        prop_assert!(strip.is_none_or(|probability| (0.0..=1.0).contains(&probability)));
    }

    #[test]
    fn a_detector_stored_midway_goes_on_as_if_nothing_had_happened(cut in 0_usize..200) {
        let intervals = series((0..200).map(|i| if i < 90 { sinus(i) } else { fibrillation(i) }));
        let (mut detector, mut scores) = (Detector::new(), Vec::new());
        intervals[..cut].iter().for_each(|interval| detector.push(interval, &mut scores));
        let stored = postcard::to_stdvec(&detector).unwrap_or_default();
        let restored: Result<Detector, _> = postcard::from_bytes(&stored);
        prop_assert!(stored.len() < 4096);
        let mut detector = restored.unwrap_or_default();
        intervals[cut..].iter().for_each(|interval| detector.push(interval, &mut scores));
        detector.finish(&mut scores);
        prop_assert_eq!(scores, judge(&intervals));
    }
}
