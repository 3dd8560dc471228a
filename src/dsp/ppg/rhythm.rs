//! What a beat is expected to look like: its strength against the other strokes', and its distance from the last beat.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::stroke::Stroke;

/// Beats remembered: long enough to outvote an artefact, short enough to follow a change within a few breaths.
const REMEMBERED: usize = 7;
/// Fewest intervals that make a rhythm.
const LEAST_INTERVALS: usize = 3;
/// A stroke is as likely a beat as not when it exceeds the others of the last beats (dicrotic waves, noise) by this
/// factor, within bounds relative to a usual beat.
const OVER_OTHERS: f64 = 1.5;
const EVEN: std::ops::RangeInclusive<f64> = 0.22..=0.6;
/// Strength of the others taken for granted before any was seen: a dicrotic wave's.
const FIRST_OTHERS: f64 = 0.3;
/// Others this strong make the followed intervals doubtful, and the wave's own period is asked instead.
const NOISY: f64 = 0.35;
/// Reward per e-fold of strength, and its bounds.
const STRENGTH_WEIGHT: f64 = 1.2;
const REWARD: (f64, f64) = (-3.0, 1.2);
/// What an interval pays per squared e-fold below the usual, and at most; more the less strength tells.
const SHORT_WEIGHT: (f64, f64) = (0.8, 6.0);
const SHORT_MOST: (f64, f64) = (0.3, 2.0);
/// What an interval pays per missing beat, and at most.
const MISSING_COST: f64 = 0.8;
const MISSING_MOST: f64 = 2.0;
/// Without beats for more than this many periods the expected strength halves in this time, so that a detector deafened
/// by an artefact, or by a gain that was turned down, hears again.
const SILENT_PERIODS: f64 = 1.5;
const HALVING_S: f64 = 1.0;

/// Expected strength and interval, learned from the beats.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rhythm {
    steps: VecDeque<f64>,
    heights: VecDeque<f64>,
    intervals: VecDeque<f64>,
    /// Strongest stroke after each beat that was none itself, relative to the usual strength.
    others: VecDeque<f64>,
    other: f64,
    expected: Expected,
    last_s: f64,
}

/// What the lists above amount to.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Expected {
    step: f64,
    height: f64,
    others: f64,
    period: Option<f64>,
    /// How far the expected strength has faded, 1 while beats come.
    faded: f64,
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
    /// Height of a usual beat; 0 while unknown.
    pub(super) fn height(&self) -> f64 {
        self.expected.height * self.expected.faded
    }

    /// Before a decision on a stroke at `at_s`, given the wave's own period: settles what is expected. Without any beat yet the
    /// candidates stand in; when beats stay away the expectation fades.
    pub(super) fn expect(&mut self, at_s: f64, wave_period_s: Option<f64>, candidates: &VecDeque<Stroke>) {
        let followed = if self.intervals.len() >= LEAST_INTERVALS { median(&self.intervals) } else { None };
        let others = median(&self.others).unwrap_or(FIRST_OTHERS);
        let period = if others < NOISY { followed.or(wave_period_s) } else { wave_period_s.or(followed) };
        let greatest = |of: fn(&Stroke) -> f64| candidates.iter().map(of).fold(0.0, f64::max);
        let silent_s = at_s - self.last_s - SILENT_PERIODS * period.unwrap_or(1.0);
        let fading = silent_s > 0.0 && !self.steps.is_empty();
        self.expected = Expected {
            step: median(&self.steps).unwrap_or_else(|| greatest(|stroke| stroke.step)),
            height: median(&self.heights).unwrap_or_else(|| greatest(|stroke| stroke.height)),
            others,
            period,
            faded: if fading { (-silent_s / HALVING_S).exp2() } else { 1.0 },
        };
    }

    /// Score of calling the stroke a beat.
    pub(super) fn reward(&self, stroke: &Stroke) -> f64 {
        let usual = (self.expected.step * self.expected.faded).max(f64::MIN_POSITIVE);
        let even = (OVER_OTHERS * self.expected.others).clamp(*EVEN.start(), *EVEN.end());
        (STRENGTH_WEIGHT * (stroke.step / usual / even).ln()).clamp(REWARD.0, REWARD.1)
    }

    /// Score of an interval between neighbouring beats, 0 at best.
    pub(super) fn interval(&self, seconds: f64) -> f64 {
        let Some(period) = self.expected.period else { return 0.0 };
        let ratio = seconds / period;
        if ratio >= 1.0 {
            return -(MISSING_COST * (ratio - 1.0)).min(MISSING_MOST);
        }
        let by_noise = |(base, more): (f64, f64)| base + more * self.expected.others;
        -(by_noise(SHORT_WEIGHT) * ratio.ln() * ratio.ln()).min(by_noise(SHORT_MOST))
    }

    /// Score of no beat for so long after the last one: only time beyond the usual interval counts.
    pub(super) fn silence(&self, seconds: f64) -> f64 {
        self.interval(seconds.max(self.expected.period.unwrap_or(seconds)))
    }

    /// Notes a stroke that was no beat.
    pub(super) fn pass(&mut self, stroke: &Stroke) {
        let relative = stroke.step / self.expected.step.max(f64::MIN_POSITIVE);
        self.other = self.other.max(relative.min(1.0));
    }

    /// Learns a beat and its interval from the one before.
    pub(super) fn learn(&mut self, beat: &Stroke, at_s: f64, interval_s: Option<f64>) {
        let faded = self.expected.faded;
        self.steps.iter_mut().chain(&mut self.heights).for_each(|value| *value *= faded);
        self.expected.faded = 1.0;
        remember(&mut self.steps, beat.step);
        remember(&mut self.heights, beat.height);
        let other = std::mem::take(&mut self.other);
        if let Some(interval) = interval_s {
            remember(&mut self.intervals, interval);
            remember(&mut self.others, other);
        }
        self.last_s = at_s;
    }

    /// The time axis restarts.
    pub(super) fn restart(&mut self) {
        self.last_s = 0.0;
        self.other = 0.0;
    }
}
