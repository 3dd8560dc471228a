//! How much of the time the atria fibrillated.

use super::Score;

/// Shortest judged time a burden is computed from, in seconds: thirty seconds of fibrillation are the least that counts
/// as an episode (2020 ESC guidelines, doi:10.1093/eurheartj/ehaa612).
pub const MIN_BURDEN_S: f64 = 30.0;

/// Atrial fibrillation burden: share of the judged time that belongs to fibrillation, in [0, 1]. Time that was not judged
/// (gaps, stretches too short) does not count. None below [`MIN_BURDEN_S`] of judged time.
pub fn burden(scores: &[Score]) -> Option<f64> {
    let seconds = |scores: &mut dyn Iterator<Item = &Score>| scores.map(|score| score.length_s).sum::<f64>();
    let judged = seconds(&mut scores.iter());
    (judged >= MIN_BURDEN_S).then(|| seconds(&mut scores.iter().filter(|score| score.fibrillation)) / judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(length_s: f64, fibrillation: bool) -> Score {
        Score { time_s: 0.0, length_s, probability: 0.5, fibrillation, change: false }
    }

    #[test]
    fn burden_is_a_share_of_time_not_of_beats() {
        let scores: Vec<Score> = (0..60).map(|i| if i < 30 { score(0.5, true) } else { score(1.0, false) }).collect();
        assert!(burden(&scores).is_some_and(|burden| (burden - 1.0 / 3.0).abs() < 1e-12));
    }

    #[test]
    fn too_little_time_has_no_burden() {
        assert_eq!(burden(&[score(1.0, true); 29]), None);
        assert_eq!(burden(&[]), None);
    }
}
