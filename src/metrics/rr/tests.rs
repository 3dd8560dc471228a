use super::*;
use proptest::prelude::*;

fn series(lengths: &[f64]) -> Vec<RrInterval> {
    let mut time_s = 0.0;
    let interval = |&ms: &f64| {
        time_s += ms / 1000.0;
        RrInterval { time_s, ms, kind: Kind::Normal, after_gap: false }
    };
    lengths.iter().map(interval).collect()
}

/// A sinus rhythm of 75 /min with respiratory arrhythmia.
fn sinus(count: usize) -> Vec<f64> {
    (0..count).map(|i| 800.0 + 25.0 * (i as f64 * 1.3).sin() + 7.0 * (i as f64 * 0.37).cos()).collect()
}

#[test]
fn sinus_rhythm_is_left_alone() {
    let correction = correct(&series(&sinus(120)));
    assert_eq!(correction.share(), 0.0);
    assert_eq!(correction.nn_ms(), sinus(120));
}

#[test]
fn a_missed_beat_is_split() {
    let mut lengths = sinus(100);
    let doubled = lengths[50] + lengths[51];
    lengths.splice(50..52, [doubled]);
    let correction = correct(&series(&lengths));
    assert_eq!((correction.missed, correction.intervals.len()), (1, 100));
    assert!((correction.intervals[50].ms - doubled / 2.0).abs() < 1e-9);
}

#[test]
fn an_extra_beat_is_joined() {
    let mut lengths = sinus(100);
    let whole = lengths[50];
    lengths.splice(50..=50, [0.4 * whole, 0.6 * whole]);
    let correction = correct(&series(&lengths));
    assert_eq!((correction.extra, correction.intervals.len()), (1, 100));
    assert!((correction.intervals[50].ms - whole).abs() < 1e-9);
}

#[test]
fn an_ectopic_beat_is_interpolated() {
    let mut lengths = sinus(100);
    lengths[50] -= 350.0;
    lengths[51] += 350.0;
    let correction = correct(&series(&lengths));
    assert!(correction.ectopic + correction.long_or_short >= 2);
    assert!((correction.intervals[50].ms - 800.0).abs() < 60.0);
    assert!((correction.intervals[51].ms - 800.0).abs() < 60.0);
}

#[test]
fn no_interval_spans_a_gap() {
    let beat = |sample: f64, after_gap: bool| DetectedBeat { sample, quality: 1.0, after_gap };
    let beats = [beat(0.0, false), beat(200.0, false), beat(900.0, true), beat(1100.0, false)];
    let found = intervals(&beats, 250.0);
    assert_eq!(found.iter().map(|interval| interval.ms).collect::<Vec<_>>(), [800.0, 800.0]);
    assert_eq!(found.iter().map(|interval| interval.after_gap).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn short_and_empty_series_pass_through() {
    for count in 0..4 {
        assert_eq!(correct(&series(&sinus(count))).intervals.len(), count);
    }
}

#[test]
fn a_burst_of_noise_between_two_beats_is_left_out() {
    let measured = [970.0, 960.0, 980.0, 970.0, 340.0, 364.0, 1185.0, 965.0, 975.0, 970.0];
    let kept = without_bursts(&series(&measured));
    let lengths: Vec<f64> = kept.iter().map(|i| i.ms).collect();
    assert_eq!(lengths, [970.0, 960.0, 980.0, 970.0, 1185.0, 965.0, 975.0, 970.0]);
    assert!(kept[4].after_gap && kept.iter().filter(|i| i.after_gap).count() == 1);
}

#[test]
fn a_premature_beat_and_its_pause_are_no_burst() {
    let premature = series(&[970.0, 960.0, 980.0, 560.0, 1380.0, 965.0, 975.0]);
    assert_eq!(without_bursts(&premature), premature);
}

/// The kinds the paper tells apart, each in a series of its own: undisturbed, a premature beat with its pause (the early
/// interval is short, the late one bears the ectopic verdict), a long and a short interval, a missed and an extra beat.
#[test]
fn each_kind_of_artefact_is_told_apart() {
    let disturbed = |change: &dyn Fn(&mut Vec<f64>)| {
        let mut lengths = sinus(100);
        change(&mut lengths);
        let correction = correct(&series(&lengths));
        [correction.ectopic, correction.long_or_short, correction.missed, correction.extra]
    };
    let set = |at: usize, changes: &'static [f64]| {
        move |lengths: &mut Vec<f64>| changes.iter().enumerate().for_each(|(i, change)| lengths[at + i] += change)
    };
    let found = [
        disturbed(&|_| ()),
        disturbed(&set(50, &[-250.0, 250.0])),
        disturbed(&set(50, &[300.0])),
        disturbed(&set(50, &[-300.0])),
        disturbed(&set(50, &[800.0])),
        disturbed(&|lengths| {
            lengths.splice(50..=50, [0.5 * lengths[50], 0.5 * lengths[50]]);
        }),
    ];
    assert_eq!(found, [[0, 0, 0, 0], [1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]);
}

/// When this fails the output has changed: raise [`VERSION`] and note the new values beside it.
#[test]
fn output_changes_only_with_the_version() {
    let mut lengths = sinus(200);
    (lengths[40], lengths[41]) = (lengths[40] - 280.0, lengths[41] + 270.0);
    lengths[80] += 790.0;
    lengths[120] += 350.0;
    lengths.splice(160..=160, [0.45 * lengths[160], 0.55 * lengths[160]]);
    let correction = correct(&series(&lengths));
    let counts = [correction.ectopic, correction.long_or_short, correction.missed, correction.extra];
    let digest: f64 = correction.nn_ms().iter().enumerate().map(|(i, ms)| ms * (i % 13) as f64).sum();
    assert_eq!((VERSION, counts, (digest * 1e6).round()), ("1.1.0", [1, 2, 1, 1], 947_770_112_507.0));
}

#[test]
fn what_is_no_number_is_a_gap() {
    let mut intervals = series(&sinus(50));
    intervals[20].ms = f64::NAN;
    intervals[21].ms = -5.0;
    let corrected = correct(&intervals).intervals;
    assert_eq!(corrected.len(), 48);
    assert_eq!(corrected.iter().position(|interval| interval.after_gap), Some(20));
}

proptest! {
    #[test]
    fn whatever_comes_in_intervals_come_out(
        lengths in prop::collection::vec(prop_oneof![9 => 200.0..3000.0_f64, 1 => -1e9..1e12_f64, 1 => Just(f64::NAN)], 0..200),
    ) {
        let place = |(i, &ms): (usize, &f64)| RrInterval { time_s: i as f64, ms, kind: Kind::Normal, after_gap: false };
        let intervals: Vec<RrInterval> = lengths.iter().enumerate().map(place).collect();
        let correction = correct(&intervals);
        prop_assert!(correction.intervals.iter().all(RrInterval::is_sound));
        prop_assert!((0.0..=1.0).contains(&correction.share()));
        prop_assert!(without_bursts(&correction.intervals).len() <= correction.intervals.len());
    }
}
