use super::*;
use proptest::prelude::*;

fn steady(per_minute: f64, count: usize, from_s: f64) -> Vec<RrInterval> {
    let ms = 60_000.0 / per_minute;
    let at = |i: usize| from_s + (i + 1) as f64 * ms / 1000.0;
    (0..count).map(|i| RrInterval { time_s: at(i), ms, kind: Kind::Normal, after_gap: false }).collect()
}

#[test]
fn rate_of_a_steady_rhythm() {
    let rate = mean_heart_rate(&steady(72.0, 30, 0.0)).map(|rate| rate.per_minute);
    assert!(rate.is_some_and(|rate| (rate - 72.0).abs() < 1e-9));
}

#[test]
fn a_missed_beat_does_not_lower_the_rate() {
    let mut intervals = steady(72.0, 30, 0.0);
    intervals[15].ms *= 2.0;
    let rate = mean_heart_rate(&intervals).map_or(0.0, |rate| rate.per_minute);
    assert!((rate - 72.0).abs() < 0.01, "{rate}");
}

#[test]
fn too_few_intervals_give_no_rate() {
    assert_eq!(mean_heart_rate(&steady(72.0, 2, 0.0)), None);
}

/// Rates in /min, each for so many beats, on end.
fn rates(parts: &[(f64, usize)]) -> Vec<RrInterval> {
    parts.iter().fold(Vec::new(), |mut all, &(per_minute, count)| {
        let from_s = all.last().map_or(0.0, |last: &RrInterval| last.time_s);
        all.extend(steady(per_minute, count, from_s));
        all
    })
}

fn changes(intervals: &[RrInterval]) -> Vec<EpisodeChange> {
    let mut detector = EpisodeDetector::new(Limits::default());
    intervals.iter().filter_map(|interval| detector.push(interval)).collect()
}

fn kinds(changes: &[EpisodeChange]) -> Vec<(Arrhythmia, bool)> {
    changes.iter().map(|change| (change.arrhythmia, change.begins)).collect()
}

#[test]
fn an_episode_has_an_onset_and_an_offset() {
    let intervals = rates(&[(70.0, 60), (130.0, 60), (70.0, 60)]);
    let found = changes(&intervals);
    assert_eq!(kinds(&found), [(Arrhythmia::Tachycardia, true), (Arrhythmia::Tachycardia, false)]);
    assert!((found[0].time_s - intervals[59].time_s).abs() < 5.0);
    assert!((found[1].time_s - intervals[119].time_s).abs() < 6.0);
}

#[test]
fn one_kind_of_episode_ends_before_the_other_begins() {
    let found = changes(&rates(&[(40.0, 40), (130.0, 60)]));
    let (slow, fast) = (Arrhythmia::Bradycardia, Arrhythmia::Tachycardia);
    assert_eq!(kinds(&found), [(slow, true), (slow, false), (fast, true)]);
}

#[test]
fn what_is_short_or_within_the_hysteresis_changes_nothing() {
    assert_eq!(changes(&rates(&[(70.0, 60), (130.0, 15), (70.0, 60)])), []);
    let wavering = changes(&rates(&[(70.0, 60), (104.0, 60), (98.0, 60), (104.0, 60), (98.0, 60)]));
    assert_eq!(kinds(&wavering), [(Arrhythmia::Tachycardia, true)]);
}

#[test]
fn a_gap_ends_the_wait_but_not_the_episode() {
    let mut intervals = rates(&[(70.0, 60), (130.0, 120)]);
    assert_eq!(changes(&intervals).len(), 1);
    intervals[70].after_gap = true;
    let later = changes(&intervals);
    assert!(later.len() == 1 && later[0].time_s >= intervals[70].time_s);
    intervals[150].after_gap = true;
    assert_eq!(changes(&intervals), later);
}

/// When this fails the output has changed: raise [`VERSION`] and note the new values beside it.
#[test]
fn output_changes_only_with_the_version() {
    let mut intervals = rates(&[(70.0, 60), (130.0, 60), (70.0, 60), (42.0, 40), (60.0, 40)]);
    intervals[30].ms *= 2.0;
    let found = changes(&intervals);
    let digest: f64 = found.iter().zip(1..).map(|(c, i)| f64::from(i) * (c.time_s + c.per_minute)).sum();
    let rate = mean_heart_rate(&intervals).map_or(0.0, |rate| rate.per_minute + rate.corrected);
    let rounded = |value: f64| (value * 1e6).round();
    assert_eq!((VERSION, found.len(), rounded(digest), rounded(rate)), ("1.1.0", 4, 2_043_142_857.0, 68_526_751.0));
}

fn anything() -> impl Strategy<Value = f64> {
    prop_oneof![8 => 250.0..2500.0_f64, 1 => -1e3..1e9_f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => Just(0.0)]
}

proptest! {
    #[test]
    fn whatever_comes_in_rates_are_numbers_and_a_stored_detector_goes_on(
        lengths in prop::collection::vec(anything(), 0..200),
        share in 0.0..1.0_f64,
    ) {
        let place = |(i, &ms): (usize, &f64)| RrInterval { time_s: i as f64, ms, kind: Kind::Normal, after_gap: false };
        let intervals: Vec<RrInterval> = lengths.iter().enumerate().map(place).collect();
        let whole = changes(&intervals);
        prop_assert!(whole.iter().all(|change| change.per_minute.is_finite()));
        prop_assert!(mean_heart_rate(&intervals).is_none_or(|rate| rate.per_minute.is_finite()));
        let (before, after) = intervals.split_at((share * intervals.len() as f64) as usize);
        let mut detector = EpisodeDetector::new(Limits::default());
        let mut parts: Vec<EpisodeChange> = before.iter().filter_map(|interval| detector.push(interval)).collect();
        let stored = postcard::to_stdvec(&detector).unwrap_or_default();
        let Ok(mut detector) = postcard::from_bytes::<EpisodeDetector>(&stored) else {
            return Err(TestCaseError::fail("not restored"));
        };
        parts.extend(after.iter().filter_map(|interval| detector.push(interval)));
        prop_assert_eq!(parts, whole);
    }
}
