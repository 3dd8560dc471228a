//! One direction's beats: selection, shape comparison, and the queue until the shape is complete.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{quality::Template, select::Selector, stroke::Stroke};

/// Beats among the upward or the downward strokes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lane {
    pub(super) selector: Selector,
    pub(super) template: Template,
}

impl Lane {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { selector: Selector::new(rate_hz), template: Template::new(rate_hz) }
    }

    /// Decided beats up to `now`, each with its likeness to the others.
    pub(super) fn decide(&mut self, now: f64, wave: &Wave, beats: &mut Vec<(Stroke, f64)>) {
        while let Some(decision) = self.selector.decide(now) {
            if let Some(beat) = decision {
                let shape = wave.cut(beat.at, self.template.before(), self.template.after());
                beats.push((beat, self.template.compare(&shape)));
            }
        }
    }
}

/// The last seconds of the band-passed wave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Wave {
    values: VecDeque<f64>,
    taken: u64,
}

impl Wave {
    pub(super) fn push(&mut self, value: f64) {
        self.values.push_back(value);
        self.taken += 1;
    }

    /// Samples pushed since the last reset.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Drops what lies before a position.
    pub(super) fn trim(&mut self, keep_from: f64) {
        while !self.values.is_empty() && ((self.taken - self.values.len() as u64) as f64) < keep_from {
            self.values.pop_front();
        }
    }

    /// Samples from `before` to `after` around a position between samples; 0 where there are none.
    fn cut(&self, at: f64, before: usize, after: usize) -> Vec<f64> {
        let oldest = self.taken as i64 - self.values.len() as i64;
        let start = at.floor() as i64 - before as i64 - oldest;
        let part = at - at.floor();
        let value = |index: i64| usize::try_from(index).ok().and_then(|i| self.values.get(i)).copied().unwrap_or(0.0);
        let between = |i: i64| value(i) + part * (value(i + 1) - value(i));
        (start..start + (before + after) as i64).map(between).collect()
    }

    pub(super) fn reset(&mut self) {
        self.values.clear();
        self.taken = 0;
    }
}
