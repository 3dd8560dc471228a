//! What a beat is expected to look like: its strength and its distance from the one before.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::stroke::Stroke;

/// Beats remembered: long enough to outvote an artefact, short enough to follow a change within a few breaths.
const REMEMBERED: usize = 9;
/// A dicrotic wave follows its systole within this time.
pub(super) const DICROTIC_S: f64 = 0.5;
/// Strength relative to the usual at which a stroke is as likely a beat as not.
const EVEN: f64 = 0.25;
/// A stroke soon after a stronger one has to exceed the dicrotic waves seen lately by this factor, within bounds.
const OVER_DICROTIC: f64 = 1.5;
const EVEN_AFTER: (f64, f64) = (0.25, 0.6);
/// Dicrotic strength taken for granted before any was seen.
const FIRST_DICROTIC: f64 = 0.3;
/// Reward per e-fold of strength, and its bounds.
const STRENGTH_WEIGHT: f64 = 1.2;
const REWARD: (f64, f64) = (-3.0, 1.2);
/// What an interval pays per squared e-fold below the usual, and at most.
const SHORT_WEIGHT: f64 = 1.2;
const SHORT_MOST: f64 = 0.5;
/// What an interval pays per missing beat.
const MISSING_COST: f64 = 0.8;
const MISSING_MOST: f64 = 2.0;
/// Without beats the expected strength halves in this time, so that a detector deafened by an artefact hears again.
const HALVING_S: f64 = 1.5;

/// Expected strength and interval, learned from the beats.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rhythm {
    strengths: VecDeque<f64>,
    heights: VecDeque<f64>,
    intervals: VecDeque<f64>,
    /// Strongest stroke soon after each beat that was none itself, relative to the usual strength.
    dicrotics: VecDeque<f64>,
    dicrotic: f64,
    usual: f64,
    height: f64,
    period: Option<f64>,
    last_s: f64,
    faded: f64,
}

/// Height times steepness under a root: both are greater in systoles than in dicrotic waves and in noise.
pub(super) fn strength(stroke: &Stroke) -> f64 {
    (stroke.height * stroke.step).sqrt()
}

fn median(values: &VecDeque<f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

fn remember(values: &mut VecDeque<f64>, value: f64) {
    if values.len() == REMEMBERED {
        values.pop_front();
    }
    values.push_back(value);
}

impl Rhythm {
    pub(super) fn height(&self) -> f64 {
        self.height * self.faded
    }

    /// Before a decision at `now_s`: fades the expectation when beats stay away, and makes a first one from the
    /// candidates when there is none.
    pub(super) fn wake(&mut self, now_s: f64, candidates: &VecDeque<Stroke>) {
        if self.strengths.is_empty() {
            let strongest = candidates.iter().map(strength).fold(0.0, f64::max);
            let highest = candidates.iter().map(|stroke| stroke.height).fold(0.0, f64::max);
            (self.usual, self.height, self.faded) = (strongest, highest, 1.0);
            return;
        }
        let silent_s = now_s - self.last_s - 1.3 - 2.0 * self.period.unwrap_or(1.0);
        self.faded = if silent_s > 0.0 { (-silent_s / HALVING_S).exp2() } else { 1.0 };
    }

    /// Score of calling the stroke a beat, given the strongest stroke shortly before it.
    pub(super) fn reward(&self, stroke: &Stroke, before: f64) -> f64 {
        let strength = strength(stroke);
        let relative = strength / (self.usual * self.faded).max(f64::MIN_POSITIVE);
        let usual = median(&self.dicrotics).unwrap_or(FIRST_DICROTIC);
        let after = (OVER_DICROTIC * usual).clamp(EVEN_AFTER.0, EVEN_AFTER.1);
        let even = if before > strength { after } else { after };
        (STRENGTH_WEIGHT * (relative / even).ln()).clamp(REWARD.0, REWARD.1)
    }

    pub(super) fn dbg(&self, stroke: &Stroke) -> (f64, f64, f64, f64, f64) {
        (
            strength(stroke) / self.usual / self.faded,
            stroke.height / self.height,
            self.faded,
            self.period.unwrap_or(0.0),
            median(&self.dicrotics).unwrap_or(FIRST_DICROTIC),
        )
    }

    /// Score of an interval between neighbouring beats, 0 at best.
    pub(super) fn interval(&self, seconds: f64) -> f64 {
        let Some(period) = self.period else { return 0.0 };
        let ratio = seconds / period;
        if ratio < 1.0 {
            let n = median(&self.dicrotics).unwrap_or(FIRST_DICROTIC);
            let e = |k: &str, d: f64| std::env::var(k).ok().and_then(|v| v.parse().ok()).unwrap_or(d);
            -((e("SW", 1.2) + e("SWN", 6.0) * n) * ratio.ln() * ratio.ln()).min(e("SM", 0.5) + e("SMN", 2.0) * n)
        } else {
            -(MISSING_COST * (ratio - 1.0)).min(MISSING_MOST)
        }
    }

    /// Score of no beat for so long after the last one: only time beyond the usual interval counts.
    pub(super) fn silence(&self, seconds: f64) -> f64 {
        self.interval(seconds.max(self.period.unwrap_or(seconds)))
    }

    /// Notes a stroke soon after the last beat that was no beat.
    pub(super) fn pass(&mut self, stroke: &Stroke) {
        let relative = strength(stroke) / self.usual.max(f64::MIN_POSITIVE);
        self.dicrotic = self.dicrotic.max(relative.min(1.0));
    }

    pub(super) fn learn(&mut self, beat: &Stroke, at_s: f64, interval_s: Option<f64>) {
        if self.faded < 1.0 {
            self.strengths.iter_mut().for_each(|strength| *strength *= self.faded);
            self.heights.iter_mut().for_each(|height| *height *= self.faded);
            self.faded = 1.0;
        }
        remember(&mut self.strengths, strength(beat));
        remember(&mut self.heights, beat.height);
        if let Some(interval) = interval_s {
            remember(&mut self.dicrotics, std::mem::take(&mut self.dicrotic));
            remember(&mut self.intervals, interval);
        }
        self.usual = median(&self.strengths).unwrap_or(0.0);
        self.height = median(&self.heights).unwrap_or(0.0);
        self.period = if self.intervals.len() >= 3 { median(&self.intervals) } else { None };
        self.last_s = at_s;
    }

    /// The time axis restarts.
    pub(super) fn pause(&mut self) {
        self.last_s = 0.0;
    }
}
