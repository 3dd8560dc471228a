//! Heart rate of a window of beats, and episodes of brady- and tachycardia.

use crate::rr::{Kind, RrInterval, correct};
use serde::{Deserialize, Serialize};

/// Changes whenever the same intervals could give another rate or other episodes.
pub const VERSION: &str = "1.1.0";
/// Fewest intervals a rate is computed from.
pub const FEWEST_INTERVALS: usize = 3;

/// Rate of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeartRate {
    /// 60 000 over the mean NN interval in ms.
    pub per_minute: f64,
    /// Intervals it was computed from.
    pub intervals: usize,
    /// Share of them that had to be corrected, in [0, 1].
    pub corrected: f64,
}

/// Mean heart rate of a window of RR intervals, in /min. Missed and extra beats are corrected first; ectopic beats count
/// as they are, since the heart did beat. None with fewer than [`FEWEST_INTERVALS`].
pub fn mean_heart_rate(intervals: &[RrInterval]) -> Option<HeartRate> {
    if intervals.len() < FEWEST_INTERVALS {
        return None;
    }
    let correction = correct(intervals);
    let measured: f64 = intervals.iter().filter(|interval| interval.is_sound()).map(|interval| interval.ms).sum();
    // Splitting and joining keep the sum; interpolation does not, and is not wanted here.
    let count = correction.intervals.len();
    let per_minute = 60_000.0 * count as f64 / measured;
    let repaired = correction.intervals.iter().filter(|i| matches!(i.kind, Kind::Missed | Kind::Extra)).count();
    let corrected = repaired as f64 / count as f64;
    (count >= FEWEST_INTERVALS && per_minute.is_finite()).then_some(HeartRate {
        per_minute,
        intervals: count,
        corrected,
    })
}

/// Limits of the rate, in /min, and for how long it must be beyond them, in seconds. The default is for adults at rest:
/// athletes, children and sleepers need others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    pub bradycardia_below: f64,
    pub tachycardia_above: f64,
    /// The rate must come back by this much before an episode ends, so that it does not flicker.
    pub hysteresis: f64,
    /// Hold time, both for the onset and for the offset.
    pub sustained_s: f64,
}

impl Default for Limits {
    /// Under 50 /min (2018 ACC/AHA/HRS guideline on bradycardia, doi:10.1161/CIR.0000000000000628) and over 100 /min (2015
    /// ACC/AHA/HRS guideline on supraventricular tachycardia, doi:10.1161/CIR.0000000000000311).
    fn default() -> Self {
        Self { bradycardia_below: 50.0, tachycardia_above: 100.0, hysteresis: 3.0, sustained_s: 10.0 }
    }
}

/// Kind of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrhythmia {
    /// The rate is below [`Limits::bradycardia_below`].
    Bradycardia,
    /// The rate is above [`Limits::tachycardia_above`].
    Tachycardia,
}

/// An episode began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpisodeChange {
    pub arrhythmia: Arrhythmia,
    /// True at the onset, false at the offset.
    pub begins: bool,
    /// When the rate crossed the limit, in seconds since the stream's start.
    pub time_s: f64,
    /// Rate when the change became certain, in /min.
    pub per_minute: f64,
}

/// Beats the rate is averaged over.
const AVERAGED: usize = 8;

/// Streaming detector of episodes: one call per RR interval.
///
/// The rate is the mean over the last eight intervals (four after a gap), so a single premature beat or pause begins no
/// episode. A change is told [`Limits::sustained_s`] after the averaged rate crossed its limit, with the time of the
/// crossing, which itself follows a jump of the rate by up to eight beats. A gap ends the wait for a change, not an
/// episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpisodeDetector {
    limits: Limits,
    latest_ms: Vec<f64>,
    active: Option<Arrhythmia>,
    /// What the rate would change the state to, and since when.
    pending: Option<(Option<Arrhythmia>, f64)>,
}

impl EpisodeDetector {
    pub fn new(limits: Limits) -> Self {
        Self { limits, latest_ms: Vec::with_capacity(AVERAGED), active: None, pending: None }
    }

    /// Takes the next interval; answers the change it made certain. An interval that is no positive number is a gap.
    pub fn push(&mut self, interval: &RrInterval) -> Option<EpisodeChange> {
        if interval.after_gap || !interval.is_sound() {
            self.latest_ms.clear();
            self.pending = None;
        }
        if !interval.is_sound() {
            return None;
        }
        if self.latest_ms.len() == AVERAGED {
            self.latest_ms.remove(0);
        }
        self.latest_ms.push(interval.ms);
        if self.latest_ms.len() < AVERAGED / 2 {
            return None;
        }
        let rate = 60_000.0 * self.latest_ms.len() as f64 / self.latest_ms.iter().sum::<f64>();
        self.follow(rate, interval.time_s)
    }

    /// Since when the rate has been beyond what the state says, in seconds: what comes next may begin there.
    pub fn pending_since(&self) -> Option<f64> {
        self.pending.map(|(_, since)| since)
    }

    fn follow(&mut self, rate: f64, time_s: f64) -> Option<EpisodeChange> {
        let state = self.state_at(rate);
        if state == self.active {
            self.pending = None;
            return None;
        }
        let since = match self.pending {
            Some((pending, since)) if pending == state => since,
            _ => time_s,
        };
        self.pending = Some((state, since));
        if time_s - since < self.limits.sustained_s {
            return None;
        }
        // An episode ends before another kind begins; the other follows with the next interval.
        let ending = self.active.take();
        let arrhythmia = ending.or(state)?;
        if ending.is_none() {
            self.active = state;
            self.pending = None;
        }
        Some(EpisodeChange { arrhythmia, begins: ending.is_none(), time_s: since, per_minute: rate })
    }

    fn state_at(&self, rate: f64) -> Option<Arrhythmia> {
        let slack = |arrhythmia| if self.active == Some(arrhythmia) { self.limits.hysteresis } else { 0.0 };
        if rate < self.limits.bradycardia_below + slack(Arrhythmia::Bradycardia) {
            Some(Arrhythmia::Bradycardia)
        } else if rate > self.limits.tachycardia_above - slack(Arrhythmia::Tachycardia) {
            Some(Arrhythmia::Tachycardia)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
