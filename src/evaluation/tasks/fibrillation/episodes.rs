//! Changes of rhythm and how long it took to see them.

use afferent_metrics::atrial_fibrillation::Score;

/// Beats of one rhythm that make it a rhythm, before and after a change.
const STEADY: usize = 30;

/// Delays of what was seen, and how many changes there were.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Episodes {
    /// Seconds from each onset of fibrillation to the verdict, where there was one before its end.
    pub(super) onset_s: Vec<f64>,
    /// Onsets.
    pub(super) onsets: usize,
    /// Seconds from each end of fibrillation to the verdict.
    pub(super) offset_s: Vec<f64>,
    /// Ends.
    pub(super) offsets: usize,
}

impl Episodes {
    /// From scores, each with the time it came out and the truth.
    pub(super) fn of(scores: &[(Score, f64, bool)]) -> Self {
        let mut found = Self::default();
        let runs: Vec<&[(Score, f64, bool)]> = scores.chunk_by(|a, b| a.2 == b.2).collect();
        for pair in runs.windows(2) {
            let [before, after] = pair else { continue };
            let (Some(first), true, true) = (after.first(), before.len() >= STEADY, after.len() >= STEADY) else {
                continue;
            };
            let truth = first.2;
            let seen = after.iter().find(|(score, _, _)| score.fibrillation == truth);
            let delay = seen.map(|(_, emitted_s, _)| emitted_s - first.0.time_s);
            let (delays, count) =
                if truth { (&mut found.onset_s, &mut found.onsets) } else { (&mut found.offset_s, &mut found.offsets) };
            delays.extend(delay);
            *count += 1;
        }
        found
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.onset_s.extend(&other.onset_s);
        self.offset_s.extend(&other.offset_s);
        self.onsets += other.onsets;
        self.offsets += other.offsets;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_when_its_verdict_comes_out() {
        let score = |beat: u32, fibrillation: bool| {
            let score = Score { time_s: f64::from(beat), length_s: 1.0, probability: 0.5, fibrillation, change: false };
            (score, f64::from(beat) + 7.0, (40..80).contains(&beat))
        };
        let scores: Vec<_> = (0..100).map(|beat| score(beat, (43..80).contains(&beat))).collect();
        let found = Episodes::of(&scores);
        assert_eq!((found.onset_s, found.onsets), (vec![10.0], 1));
        // What follows the episode is too short to be a rhythm.
        assert_eq!((found.offset_s, found.offsets), (vec![], 0));
    }
}
