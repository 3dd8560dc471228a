use super::*;

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
