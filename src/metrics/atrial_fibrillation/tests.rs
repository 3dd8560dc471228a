use super::*;
use crate::rr::Kind;

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

fn run(lengths: impl Iterator<Item = f64>) -> Vec<Score> {
    let (mut detector, mut scores, mut time_s) = (Detector::new(), Vec::new(), 0.0);
    for ms in lengths {
        time_s += ms / 1000.0;
        detector.push(&RrInterval { time_s, ms, kind: Kind::Normal, after_gap: false }, &mut scores);
    }
    detector.finish(&mut scores);
    scores
}

#[test]
fn every_interval_gets_one_score_in_order() {
    for count in [0, 5, 6, 40, 59, 60, 61, 62, 200] {
        let scores = run((0..count).map(sinus));
        assert_eq!(scores.len(), if count < 6 { 0 } else { count });
        assert!(scores.is_sorted_by(|a, b| a.time_s < b.time_s));
    }
}

#[test]
fn an_episode_has_an_onset_and_an_offset() {
    let rhythm = |i: usize| if (200..400).contains(&i) { fibrillation(i) } else { sinus(i) };
    let scores = run((0..600).map(rhythm));
    let changes: Vec<usize> = (0..600).filter(|&i| scores[i].change).collect();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].abs_diff(200) < 30 && changes[1].abs_diff(400) < 35, "{changes:?}");
    assert!(scores[300].fibrillation && scores[300].probability > 0.9);
}

#[test]
fn bigeminy_is_no_fibrillation() {
    let scores = run((0..300).map(|i| if i % 2 == 0 { 520.0 } else { 1050.0 } + 8.0 * uniform(i)));
    assert!(scores.iter().all(|score| !score.fibrillation));
}
