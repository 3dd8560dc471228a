//! One direction's beats: selected on the coarse wave, placed and compared on the fine one.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    quality::Template,
    select::{Decision, Selector},
    stroke::Stroke,
};

/// Half of the coarse kernel's half: what it can have moved the steepest point by.
const REACH_S: f64 = 0.1;

/// Beats among the upward or the downward strokes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Lane {
    pub(super) selector: Selector,
    pub(super) template: Template,
    /// How far from the coarse wave's steepest point the fine one's is looked for.
    reach: f64,
}

impl Lane {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { selector: Selector::new(rate_hz), template: Template::new(rate_hz), reach: REACH_S * rate_hz }
    }

    /// How far before its stroke's steepest point a beat can be placed.
    pub(super) fn reach(&self) -> f64 {
        self.reach
    }

    /// Decided beats up to `now`, each placed and with its likeness to the others.
    pub(super) fn decide(&mut self, now: f64, wave_period_s: Option<f64>, wave: &Wave, beats: &mut Vec<(Stroke, f64)>) {
        while let Some(decision) = self.selector.decide(now, wave_period_s) {
            if let Decision::Beat(beat) = decision {
                let fine = wave.steepest(beat.at, self.reach, beat.up);
                let beat = Stroke { at: beat.at + self.template.clarity() * (fine - beat.at), ..beat };
                let shape = wave.cut(beat.at, self.template.before(), self.template.after());
                beats.push((beat, self.template.compare(&shape)));
            }
        }
    }
}

/// The last seconds of the fine wave.
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

    /// Drops what lies before a position.
    pub(super) fn trim(&mut self, keep_from: f64) {
        while !self.values.is_empty() && self.oldest() < keep_from {
            self.values.pop_front();
        }
    }

    fn oldest(&self) -> f64 {
        (self.taken - self.values.len() as u64) as f64
    }

    /// Value at a whole position; 0 where there is none.
    fn value(&self, index: f64) -> f64 {
        let offset = index - self.oldest();
        if offset < 0.0 { 0.0 } else { self.values.get(offset as usize).copied().unwrap_or(0.0) }
    }

    /// Samples from `before` to `after` around a position between samples.
    fn cut(&self, at: f64, before: usize, after: usize) -> Vec<f64> {
        let start = at.floor() - before as f64;
        let part = at - at.floor();
        let between = |i: f64| self.value(i) + part * (self.value(i + 1.0) - self.value(i));
        (0..before + after).map(|i| between(start + i as f64)).collect()
    }

    /// Steepest point within `reach` of a position, between samples; the position itself when there is none.
    fn steepest(&self, at: f64, reach: f64, up: bool) -> f64 {
        let sign = if up { 1.0 } else { -1.0 };
        let step = |index: f64| (self.value(index) - self.value(index - 1.0)) * sign;
        let first = (at - reach).ceil().max(self.oldest() + 2.0);
        let last = (at + reach).floor().min(self.taken as f64 - 2.0);
        let count = (last - first + 1.0).max(0.0) as usize;
        let mut best = (0.0, at);
        for index in (0..count).map(|i| first + i as f64) {
            let [before, middle, after] = [step(index - 1.0), step(index), step(index + 1.0)];
            if middle > best.0 && middle >= before && middle > after {
                let vertex = (before - after) / (2.0 * (before - 2.0 * middle + after));
                best = (middle, index - 0.5 + vertex);
            }
        }
        best.1
    }

    pub(super) fn reset(&mut self) {
        self.values.clear();
        self.taken = 0;
    }
}
