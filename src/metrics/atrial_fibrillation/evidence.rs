//! What a run of intervals says about fibrillation.

/// Intervals judged together: long enough to tell irregular from regular, shorter than half a minute at rest.
pub const WINDOW: usize = 17;
/// Fewest intervals that are judged at all.
const FEWEST: usize = 6;
/// Two intervals are alike when they differ by less than this part of the median interval: the 30 ms of Lake & Moorman
/// at their mean interval.
const TOLERANCE: f64 = 0.05;
/// An interval below this part of the median is premature.
const PREMATURE: f64 = 0.9;
/// A pause compensates when it and the premature interval together are two medians, but for this part of one.
const COMPENSATED: f64 = 0.15;

/// Sample entropy (template length 1) and natural logarithm of the median of intervals in seconds; None for fewer than
/// six.
///
/// A premature interval and a pause that makes up for it are replaced by their mean first. An ectopic beat leaves the
/// sinus rhythm in step, so that what remains is regular; in fibrillation few neighbours happen to match, and it stays
/// irregular.
pub fn features(intervals_s: &[f64]) -> Option<[f64; 2]> {
    if intervals_s.len() < FEWEST {
        return None;
    }
    let middle = median(intervals_s);
    let mut settled = intervals_s.to_vec();
    compensate(&mut settled, middle);
    Some([sample_entropy(&settled, TOLERANCE * middle), middle.ln()])
}

fn compensate(intervals_s: &mut [f64], middle: f64) {
    for i in 1..intervals_s.len() {
        let (early, late) = (intervals_s[i - 1], intervals_s[i]);
        let in_step = (early + late - 2.0 * middle).abs() < COMPENSATED * middle;
        if early < PREMATURE * middle && late > middle && in_step {
            intervals_s[i - 1..=i].fill(f64::midpoint(early, late));
        }
    }
}

/// Negative logarithm of the share of alike pairs whose successors are alike too. Half a pair is added to both counts,
/// so that the entropy of the most irregular run stays finite.
fn sample_entropy(values: &[f64], tolerance: f64) -> f64 {
    let alike = |i: usize, j: usize| (values[i] - values[j]).abs() <= tolerance;
    let (mut short, mut long) = (0.5, 0.5);
    for i in 1..values.len() {
        for j in i + 1..values.len() {
            if alike(i - 1, j - 1) {
                short += 1.0;
                long += f64::from(u8::from(alike(i, j)));
            }
        }
    }
    f64::ln(short / long)
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[half - 1], sorted[half]) } else { sorted[half] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_rhythm_has_no_entropy() {
        let regular = features(&[0.8; WINDOW]).map(|[entropy, interval]| (entropy.abs() < 1e-9, interval));
        assert_eq!(regular, Some((true, 0.8_f64.ln())));
    }

    #[test]
    fn a_compensated_premature_beat_changes_nothing_and_an_uncompensated_one_does() {
        let mut intervals = [0.8; WINDOW];
        (intervals[6], intervals[7]) = (0.5, 1.1);
        assert_eq!(features(&intervals), features(&[0.8; WINDOW]));
        intervals[7] = 0.8;
        assert!(features(&intervals) > features(&[0.8; WINDOW]));
    }

    #[test]
    fn too_few_intervals_say_nothing() {
        assert_eq!(features(&[0.8; FEWEST - 1]), None);
    }
}
