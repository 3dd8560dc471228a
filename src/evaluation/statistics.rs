//! Small statistics of what was compared.

/// The value below which this share of the values lies; NaN without values.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// The middle value; NaN without values.
pub(super) fn median(values: &[f64]) -> f64 {
    let (low, high) = (quantile_floor(values), quantile(values, 0.5));
    f64::midpoint(low, high)
}

/// The value at the middle, or the lower of the two around it.
fn quantile_floor(values: &[f64]) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
}

/// The mean of the values that are numbers; NaN without any.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().filter(|v| !v.is_nan()).fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / count
}

/// The mean absolute value; NaN without values.
pub(super) fn mean_absolute(values: &[f64]) -> f64 {
    mean(values.iter().map(|v| v.abs()))
}

/// The root of the mean square; NaN without values.
pub(super) fn root_mean_square(values: &[f64]) -> f64 {
    mean(values.iter().map(|v| v * v)).sqrt()
}

/// The standard deviation around the mean.
pub(super) fn deviation(values: &[f64]) -> f64 {
    let centre = mean(values.iter().copied());
    mean(values.iter().map(|v| (v - centre).powi(2))).sqrt()
}

/// Scores of a decision between two classes, with the truth: the receiver operating characteristic (Fawcett 2006,
/// doi:10.1016/j.patrec.2005.10.010).
#[derive(Debug, Clone, Default)]
pub(super) struct Scores {
    /// Score and whether the reference says yes.
    pairs: Vec<(f64, bool)>,
}

impl Scores {
    pub(super) fn push(&mut self, score: f64, truth: bool) {
        self.pairs.push((score, truth));
    }

    pub(super) fn extend(&mut self, other: &Self) {
        self.pairs.extend_from_slice(&other.pairs);
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// How many the reference says yes to.
    pub(super) fn positives(&self) -> usize {
        self.pairs.iter().filter(|(_, truth)| *truth).count()
    }

    /// (1 - specificity, sensitivity) for every threshold from the highest to the lowest, ties together.
    pub(super) fn curve(&self) -> Vec<(f64, f64)> {
        let mut sorted = self.pairs.clone();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let yes = self.positives() as f64;
        let no = self.len() as f64 - yes;
        let mut curve = vec![(0.0, 0.0)];
        let (mut hits, mut alarms) = (0.0, 0.0);
        for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
            let more = tied.iter().filter(|(_, truth)| *truth).count() as f64;
            hits += more;
            alarms += tied.len() as f64 - more;
            curve.push((alarms / no, hits / yes));
        }
        curve
    }

    /// Area under the curve; NaN where one of the classes is missing.
    pub(super) fn area(&self) -> f64 {
        self.curve().windows(2).map(|p| (p[1].0 - p[0].0) * f64::midpoint(p[0].1, p[1].1)).sum()
    }

    /// The best specificity at which the sensitivity is at least this; NaN where one of the classes is missing.
    pub(super) fn specificity_at(&self, sensitivity: f64) -> f64 {
        self.curve().iter().find(|(_, hits)| *hits >= sensitivity).map_or(f64::NAN, |(alarms, _)| 1.0 - alarms)
    }
}

/// Yes and no against yes and no.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Decisions {
    pub(super) true_positive: u64,
    pub(super) false_positive: u64,
    pub(super) true_negative: u64,
    pub(super) false_negative: u64,
}

impl Decisions {
    pub(super) fn push(&mut self, said: bool, truth: bool) {
        match (said, truth) {
            (true, true) => self.true_positive += 1,
            (true, false) => self.false_positive += 1,
            (false, false) => self.true_negative += 1,
            (false, true) => self.false_negative += 1,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.true_negative += other.true_negative;
        self.false_negative += other.false_negative;
    }

    pub(super) fn total(&self) -> u64 {
        self.true_positive + self.false_positive + self.true_negative + self.false_negative
    }

    /// In %; NaN where the reference never says yes.
    pub(super) fn sensitivity(&self) -> f64 {
        100.0 * self.true_positive as f64 / (self.true_positive + self.false_negative) as f64
    }

    /// In %; NaN where the reference never says no.
    pub(super) fn specificity(&self) -> f64 {
        100.0 * self.true_negative as f64 / (self.true_negative + self.false_positive) as f64
    }

    /// In %; NaN where nobody says yes.
    pub(super) fn predictivity(&self) -> f64 {
        100.0 * self.true_positive as f64 / (self.true_positive + self.false_positive) as f64
    }

    /// Harmonic mean of sensitivity and positive predictivity; NaN where nobody says yes.
    pub(super) fn f1(&self) -> f64 {
        let twice = 2.0 * self.true_positive as f64;
        twice / (twice + (self.false_positive + self.false_negative) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_leave_out_what_is_no_number() {
        assert_eq!(median(&[3.0, f64::NAN, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 3.0, 4.0]), 2.5);
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 1.0), 3.0);
        assert!(median(&[]).is_nan() && mean([f64::NAN]).is_nan() && quantile(&[], 0.5).is_nan());
        assert_eq!((mean_absolute(&[-1.0, 3.0]), deviation(&[1.0, 3.0])), (2.0, 1.0));
    }

    #[test]
    fn the_area_counts_ties_as_half() {
        let mut scores = Scores::default();
        for (score, truth) in [(0.9, true), (0.5, true), (0.5, false), (0.1, false)] {
            scores.push(score, truth);
        }
        assert_eq!(scores.area(), 0.875);
        assert_eq!((scores.specificity_at(0.5), scores.specificity_at(1.0)), (1.0, 0.5));
        let mut one_class = Scores::default();
        one_class.push(0.3, true);
        assert!(one_class.area().is_nan());
    }

    #[test]
    fn decisions_have_shares() {
        let mut all = Decisions::default();
        for (said, truth) in [(true, true), (true, false), (false, false), (false, false), (false, true)] {
            all.push(said, truth);
        }
        assert_eq!((all.sensitivity(), all.f1(), all.predictivity(), all.total()), (50.0, 0.5, 50.0, 5));
        assert!((all.specificity() - 66.666).abs() < 0.01);
    }
}
