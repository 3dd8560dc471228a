use super::*;

fn compare(reference: &[f64], detected: &[f64]) -> (u64, u64, u64) {
    let tally = match_beats(reference, detected, 1000.0, &Scope::default());
    (tally.true_positive, tally.false_negative, tally.false_positive)
}

#[test]
fn beats_match_within_150_ms_only() {
    assert_eq!(compare(&[1000.0], &[1150.0]), (1, 0, 0));
    assert_eq!(compare(&[1000.0], &[850.0]), (1, 0, 0));
    assert_eq!(compare(&[1000.0], &[1151.0]), (0, 1, 1));
    assert_eq!(compare(&[], &[]), (0, 0, 0));
}

#[test]
fn a_beat_is_used_once_and_the_nearest_wins() {
    assert_eq!(compare(&[1000.0], &[940.0, 1010.0]), (1, 0, 1));
    let tally = match_beats(&[1000.0], &[940.0, 1010.0], 1000.0, &Scope::default());
    assert_eq!(tally.extra_at, [940.0]);
    assert_eq!(compare(&[900.0, 1000.0], &[1010.0]), (1, 1, 0));
    assert_eq!(compare(&[900.0, 1100.0], &[1000.0, 1200.0]), (2, 0, 0));
}

#[test]
fn what_is_out_of_scope_does_not_count() {
    let scope = Scope { from: 500.0, excluded: vec![(2000.0, 3000.0)] };
    let tally = match_beats(&[100.0, 1000.0, 2500.0], &[1010.0, 2200.0, 4000.0], 1000.0, &scope);
    assert_eq!((tally.true_positive, tally.false_negative, tally.false_positive), (1, 0, 1));
}

#[test]
fn bias_and_jitter() {
    let reference: Vec<f64> = (1..101).map(|i| 1000.0 * f64::from(i)).collect();
    let detected: Vec<f64> =
        reference.iter().enumerate().map(|(i, at)| at + 5.0 + if i % 2 == 0 { 2.0 } else { -2.0 }).collect();
    let tally = match_beats(&reference, &detected, 1000.0, &Scope::default());
    assert_eq!(tally.jitter_ms(), 2.0);
    assert!((tally.offset_deviation_ms() - 2.0).abs() < 1e-9);
    assert_eq!(tally.f1(), 1.0);
}
