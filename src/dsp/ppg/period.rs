//! The beat period from the wave itself: the first strong peak of its autocorrelation.
//!
//! Independent of which strokes were taken for beats, so that a rhythm followed wrongly does not confirm itself.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Compared stretch: five beats at rest.
const SPAN_S: f64 = 6.0;
/// Periods looked at: 220 down to 35 beats/min.
const SHORTEST_S: f64 = 0.27;
const LONGEST_S: f64 = 1.7;
/// A shorter period wins over its multiples from this part of their correlation on.
const NEARLY: f64 = 0.85;
/// Correlation below this is no rhythm.
const LEAST: f64 = 0.35;

/// Running autocorrelation, measured once a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Period {
    rate_hz: f64,
    wave: VecDeque<f64>,
    fresh: u32,
    seconds: Option<f64>,
}

impl Period {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { rate_hz, wave: VecDeque::new(), fresh: 0, seconds: None }
    }

    /// The period in seconds, when there is a clear one.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.seconds
    }

    pub(super) fn push(&mut self, value: f64) {
        if self.wave.len() as f64 >= SPAN_S * self.rate_hz {
            self.wave.pop_front();
        }
        self.wave.push_back(value);
        self.fresh += 1;
        if f64::from(self.fresh) >= self.rate_hz {
            self.fresh = 0;
            self.seconds = self.measure();
        }
    }

    fn measure(&self) -> Option<f64> {
        let wave: Vec<f64> = self.wave.iter().copied().collect();
        let first = (SHORTEST_S * self.rate_hz) as usize;
        let last = ((LONGEST_S * self.rate_hz) as usize).min(wave.len() / 2);
        let correlation: Vec<f64> = (first..=last).map(|lag| correlation(&wave, lag)).collect();
        let peaks = correlation.windows(3).enumerate().filter(|(_, part)| part[1] >= part[0] && part[1] > part[2]);
        let peaks: Vec<(usize, f64)> = peaks.map(|(i, part)| (first + i + 1, part[1])).collect();
        let highest = peaks.iter().fold(0.0, |highest, peak| f64::max(highest, peak.1));
        let period = peaks.iter().find(|peak| peak.1 >= NEARLY * highest && peak.1 >= LEAST)?;
        Some(period.0 as f64 / self.rate_hz)
    }

    pub(super) fn reset(&mut self) {
        self.wave.clear();
        self.fresh = 0;
    }
}

/// Correlation of the wave with itself `lag` samples on, over their common part.
fn correlation(wave: &[f64], lag: usize) -> f64 {
    let late = wave.get(lag..).unwrap_or_default();
    let (mut product, mut early_square, mut late_square) = (0.0, 0.0, 0.0);
    for (early, late) in wave.iter().zip(late) {
        product += early * late;
        early_square += early * early;
        late_square += late * late;
    }
    let norm = f64::sqrt(early_square * late_square);
    if norm > 0.0 { product / norm } else { 0.0 }
}
