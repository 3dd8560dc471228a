//! Which strokes are heart beats: the best-scoring path through the candidates of the last seconds.
//!
//! A path earns for strong strokes and pays for intervals the running rhythm does not explain. Every candidate is
//! decided once, [`LAG_S`] after it, on the best path through all that is known by then (fixed-lag Viterbi search), so a
//! dicrotic wave, a premature beat and a missing one are told apart by what follows them as well.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{rhythm::Rhythm, stroke::Stroke};

/// Delay of a decision: the next beat has come, down to 45 beats/min.
const LAG_S: f64 = 1.3;
/// Two beats are never closer: 220 beats/min, the fastest a pulse wave is measured at.
const REFRACTORY_S: f64 = 0.27;

/// What became of a candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Decision {
    Beat(Stroke),
    Passed,
}

/// Picks the beats among the strokes of one direction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Selector {
    rate_hz: f64,
    candidates: VecDeque<Stroke>,
    last: Option<Stroke>,
    rhythm: Rhythm,
}

impl Selector {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self { rate_hz, candidates: VecDeque::new(), last: None, rhythm: Rhythm::default() }
    }

    /// Height of a usual beat; 0 while unknown.
    pub(super) fn usual_height(&self) -> f64 {
        self.rhythm.height()
    }

    pub(super) fn push(&mut self, stroke: Stroke) {
        self.candidates.push_back(stroke);
    }

    /// Decides the next candidate if it is older than the lag at `now`; `None` when there is none.
    pub(super) fn decide(&mut self, now: f64, period_s: Option<f64>) -> Option<Decision> {
        let oldest = self.candidates.front()?;
        if now - oldest.at < LAG_S * self.rate_hz {
            return None;
        }
        self.rhythm.expect(self.seconds(oldest.at), period_s, &self.candidates);
        let is_beat = self.best_path_takes_first(now);
        let stroke = self.candidates.pop_front()?;
        if is_beat {
            let interval = self.last.map(|last| (stroke.at - last.at) / self.rate_hz);
            self.rhythm.learn(&stroke, self.seconds(stroke.at), interval);
            self.last = Some(stroke);
        } else {
            self.rhythm.pass(&stroke);
        }
        Some(if is_beat { Decision::Beat(stroke) } else { Decision::Passed })
    }

    /// The earliest undecided candidate.
    pub(super) fn earliest(&self) -> Option<f64> {
        self.candidates.front().map(|stroke| stroke.at)
    }

    /// Forgets positions, keeps what a beat looks like.
    pub(super) fn reset(&mut self) {
        self.candidates.clear();
        self.last = None;
        self.rhythm.restart();
    }

    fn seconds(&self, at: f64) -> f64 {
        at / self.rate_hz
    }

    /// Dynamic programming over the candidates: best score of a path that ends in each, and whether it takes the first.
    fn best_path_takes_first(&self, now: f64) -> bool {
        let mut ends: Vec<(f64, bool)> = Vec::with_capacity(self.candidates.len());
        let mut best = (self.rhythm.silence(self.last.map_or(0.0, |last| self.seconds(now - last.at))), false);
        for (i, stroke) in self.candidates.iter().enumerate() {
            let mut path = (self.since_last(stroke), i == 0);
            for (j, earlier) in self.candidates.iter().enumerate().take(i) {
                let (score, takes) = ends[j];
                let through = score + self.step_cost(earlier.at, stroke.at);
                if through > path.0 {
                    path = (through, takes);
                }
            }
            path.0 += self.rhythm.reward(stroke);
            ends.push(path);
            let total = path.0 + self.rhythm.silence(self.seconds(now - stroke.at));
            if total > best.0 {
                best = (total, path.1);
            }
        }
        best.1
    }

    fn since_last(&self, stroke: &Stroke) -> f64 {
        self.last.map_or(0.0, |last| self.step_cost(last.at, stroke.at))
    }

    fn step_cost(&self, from: f64, to: f64) -> f64 {
        let seconds = self.seconds(to - from);
        if seconds < REFRACTORY_S { f64::NEG_INFINITY } else { self.rhythm.interval(seconds) }
    }
}
