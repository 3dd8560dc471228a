//! The classification of Lipponen & Tarvainen 2019, sections 2.2 and 2.3.

use super::Kind;

/// Factor between the quartile deviation and a threshold: 5.2 covers 99.95 % of a normal distribution.
const ALPHA: f64 = 5.2;
/// Beats over which the spread is taken, and over which the median interval is taken.
const SPREAD_WINDOW: usize = 91;
const MEDIAN_WINDOW: usize = 11;
/// Slope and offset of the line that divides ectopic beats from others in the plane of successive differences.
const ECTOPIC_SLOPE: f64 = 0.13;
const ECTOPIC_OFFSET: f64 = 0.17;
/// An interval this many thresholds off the median is long or short whatever its neighbours.
const FAR_OFF: f64 = 3.0;
/// A threshold is never below this, in ms: in a perfectly regular (paced, synthetic) series any jitter would be ectopic.
const LEAST_THRESHOLD_MS: f64 = 15.0;

struct Series {
    lengths: Vec<f64>,
    medians: Vec<f64>,
    /// Successive differences and deviations from the median, in thresholds.
    differences: Vec<f64>,
    deviations: Vec<f64>,
    median_thresholds: Vec<f64>,
}

/// One verdict per interval.
pub(super) fn kinds(lengths: &[f64]) -> Vec<Kind> {
    let mut kinds = vec![Kind::Normal; lengths.len()];
    if lengths.len() < 3 {
        return kinds;
    }
    let series = Series::new(lengths);
    let mut i = 0;
    while i < lengths.len() {
        i += series.judge(i, &mut kinds);
    }
    kinds
}

impl Series {
    fn new(lengths: &[f64]) -> Self {
        let mut differences: Vec<f64> = lengths.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = differences.iter().sum::<f64>() / differences.len() as f64;
        differences.insert(0, mean);
        let thresholds = thresholds(&differences);
        differences.iter_mut().zip(&thresholds).for_each(|(difference, threshold)| *difference /= threshold);

        let medians = running(lengths, MEDIAN_WINDOW, |window| quantile(window, 0.5));
        // Short intervals count double: an extra beat halves an interval, a missed one doubles it.
        let weigh = |(length, median): (&f64, &f64)| (length - median) * if length < median { 2.0 } else { 1.0 };
        let mut deviations: Vec<f64> = lengths.iter().zip(&medians).map(weigh).collect();
        let median_thresholds = self::thresholds(&deviations);
        deviations.iter_mut().zip(&median_thresholds).for_each(|(deviation, threshold)| *deviation /= threshold);
        Self { lengths: lengths.to_vec(), medians, differences, deviations, median_thresholds }
    }

    /// Judges interval `i` (and sometimes the next), answers how many were judged.
    fn judge(&self, i: usize, kinds: &mut [Kind]) -> usize {
        let difference = self.differences[i];
        if difference.abs() <= 1.0 && self.deviations[i].abs() <= FAR_OFF {
            return 1;
        }
        let neighbour = self.larger_neighbour(i);
        let premature = difference > 1.0 && neighbour < -ECTOPIC_SLOPE * difference - ECTOPIC_OFFSET;
        let delayed = difference < -1.0 && neighbour > -ECTOPIC_SLOPE * difference + ECTOPIC_OFFSET;
        if premature || delayed {
            kinds[i] = Kind::Ectopic;
            return 1;
        }
        let next_too = self.difference(i + 1).abs() < self.difference(i + 2).abs() && i + 1 < kinds.len();
        (i..=i + usize::from(next_too)).find_map(|j| self.length_verdict(j).map(|kind| (j, kind))).map_or(
            1,
            |(j, kind)| {
                kinds[j] = kind;
                j - i + 1
            },
        )
    }

    fn length_verdict(&self, j: usize) -> Option<Kind> {
        let (difference, deviation) = (self.differences[j], self.deviations[j]);
        let long = difference > 1.0 && self.extreme_after(j) < -1.0;
        let short = difference < -1.0 && self.extreme_after(j) > 1.0;
        if !(long || short || deviation.abs() > FAR_OFF) {
            return None;
        }
        let threshold = self.median_thresholds[j];
        let median = self.medians[j];
        let next = self.lengths.get(j + 1);
        if short && next.is_some_and(|next| (self.lengths[j] + next - median).abs() < threshold) {
            return Some(Kind::Extra);
        }
        if long && (self.lengths[j] / 2.0 - median).abs() < threshold {
            return Some(Kind::Missed);
        }
        Some(Kind::LongOrShort)
    }

    /// The neighbouring difference furthest in the direction of difference `i` (subspace S12).
    fn larger_neighbour(&self, i: usize) -> f64 {
        let before = if i == 0 { self.difference(1) } else { self.differences[i - 1] };
        let after = self.difference(i + 1);
        if self.differences[i] > 0.0 { before.max(after) } else { before.min(after) }
    }

    /// The following two differences' extreme against the direction of difference `i` (subspace S22).
    fn extreme_after(&self, i: usize) -> f64 {
        let (next, second) = (self.difference(i + 1), self.difference(i + 2));
        if self.differences[i] >= 0.0 { next.min(second) } else { next.max(second) }
    }

    /// Difference `i`, reflected at the end of the series.
    fn difference(&self, i: usize) -> f64 {
        let last = self.differences.len() - 1;
        let reflected = if i > last { last.saturating_sub(i - last) } else { i };
        self.differences[reflected]
    }
}

fn thresholds(values: &[f64]) -> Vec<f64> {
    let sizes: Vec<f64> = values.iter().map(|value| value.abs()).collect();
    let spread = |window: &mut [f64]| ALPHA * (quantile(window, 0.75) - quantile(window, 0.25)) / 2.0;
    running(&sizes, SPREAD_WINDOW, spread).iter().map(|threshold| threshold.max(LEAST_THRESHOLD_MS)).collect()
}

/// `statistic` of the window centred on each value, cut off at the ends.
fn running(values: &[f64], window: usize, statistic: impl Fn(&mut [f64]) -> f64) -> Vec<f64> {
    let half = window / 2;
    let centred = |i: usize| {
        let mut part = values[i.saturating_sub(half)..(i + half + 1).min(values.len())].to_vec();
        statistic(&mut part)
    };
    (0..values.len()).map(centred).collect()
}

/// Quantile with linear interpolation between order statistics.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = share * (values.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] + (at - below as f64) * (values[above] - values[below])
}
