//! Counts and statistics of a comparison.

/// Result of comparing one recording (or, after [`Tally::add`], of several).
#[derive(Debug, Clone, Default)]
pub struct Tally {
    pub true_positive: u64,
    pub false_positive: u64,
    pub false_negative: u64,
    /// Positions of the errors, in samples: reference beats nobody found, detections nobody annotated.
    pub missed_at: Vec<f64>,
    pub extra_at: Vec<f64>,
    rate_hz: f64,
    offsets_ms: Vec<f64>,
}

impl Tally {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { rate_hz, ..Self::default() }
    }

    pub(super) fn matched(&mut self, offset: f64, _at: f64) {
        self.true_positive += 1;
        self.offsets_ms.push(offset / self.rate_hz * 1000.0);
    }

    pub(super) fn missed(&mut self, at: f64) {
        self.false_negative += 1;
        self.missed_at.push(at);
    }

    pub(super) fn extra(&mut self, at: f64) {
        self.false_positive += 1;
        self.extra_at.push(at);
    }

    /// Adds the counts and offsets of another recording; positions of errors stay with their own recording.
    pub fn add(&mut self, other: &Self) {
        self.true_positive += other.true_positive;
        self.false_positive += other.false_positive;
        self.false_negative += other.false_negative;
        self.offsets_ms.extend_from_slice(&other.offsets_ms);
    }

    /// Share of the reference beats that were found, in [0, 1]; NaN without reference beats.
    pub fn sensitivity(&self) -> f64 {
        self.true_positive as f64 / (self.true_positive + self.false_negative) as f64
    }

    /// Share of the detections that are beats, in [0, 1]; NaN without detections.
    pub fn positive_predictivity(&self) -> f64 {
        self.true_positive as f64 / (self.true_positive + self.false_positive) as f64
    }

    /// Harmonic mean of the two; NaN without beats.
    pub fn f1(&self) -> f64 {
        let twice = 2.0 * self.true_positive as f64;
        twice / (twice + (self.false_positive + self.false_negative) as f64)
    }

    pub fn errors(&self) -> u64 {
        self.false_positive + self.false_negative
    }

    /// Median of (detected - reference) in ms; NaN without matches.
    pub fn bias_ms(&self) -> f64 {
        self.offset_quantile_ms(0.5)
    }

    /// Half the width of the central 68 % of (detected - reference), in ms: the standard deviation of a normal
    /// distribution, but not ruled by the few beats whose fiducial mark is a matter of taste.
    pub fn jitter_ms(&self) -> f64 {
        0.5 * (self.offset_quantile_ms(0.84) - self.offset_quantile_ms(0.16))
    }

    /// Standard deviation of (detected - reference) in ms, outliers and all.
    pub fn offset_deviation_ms(&self) -> f64 {
        let count = self.offsets_ms.len() as f64;
        let mean = self.offsets_ms.iter().sum::<f64>() / count;
        let squares: f64 = self.offsets_ms.iter().map(|offset| (offset - mean).powi(2)).sum();
        (squares / count).sqrt()
    }

    fn offset_quantile_ms(&self, share: f64) -> f64 {
        let mut sorted = self.offsets_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
        sorted.get(at).copied().unwrap_or(f64::NAN)
    }

    /// The offsets themselves, in ms, in the order of the beats.
    pub fn offsets_ms(&self) -> &[f64] {
        &self.offsets_ms
    }
}
