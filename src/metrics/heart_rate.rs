//! Heart rate of a window of beats, and episodes of brady- and tachycardia.

use crate::rr::{Kind, RrInterval, correct};
use serde::{Deserialize, Serialize};

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
    let measured: f64 = intervals.iter().map(|interval| interval.ms).sum();
    // Splitting and joining keep the sum; interpolation does not, and is not wanted here.
    let count = correction.intervals.len();
    let per_minute = 60_000.0 * count as f64 / measured;
    let repaired = correction.intervals.iter().filter(|i| matches!(i.kind, Kind::Missed | Kind::Extra)).count();
    let corrected = repaired as f64 / count as f64;
    per_minute.is_finite().then_some(HeartRate { per_minute, intervals: count, corrected })
}

/// Limits of the rate, in /min, and for how long it must be beyond them, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    pub bradycardia_below: f64,
    pub tachycardia_above: f64,
    /// The rate must come back by this much before an episode ends, so that it does not flicker.
    pub hysteresis: f64,
    pub sustained_s: f64,
}

impl Default for Limits {
    /// Adult at rest: under 50 and over 100 /min (AHA/ACC/HRS 2018 guideline; general definition of tachycardia).
    fn default() -> Self {
        Self { bradycardia_below: 50.0, tachycardia_above: 100.0, hysteresis: 3.0, sustained_s: 10.0 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrhythmia {
    Bradycardia,
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

    pub fn push(&mut self, interval: &RrInterval) -> Option<EpisodeChange> {
        if interval.after_gap {
            self.latest_ms.clear();
            self.pending = None;
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
mod tests {
    use super::*;

    fn steady(per_minute: f64, count: usize, from_s: f64) -> Vec<RrInterval> {
        let ms = 60_000.0 / per_minute;
        let at = |i: usize| from_s + (i + 1) as f64 * ms / 1000.0;
        (0..count).map(|i| RrInterval { time_s: at(i), ms, kind: Kind::Normal, after_gap: false }).collect()
    }

    #[test]
    fn rate_of_a_steady_rhythm() {
        let rate = mean_heart_rate(&steady(72.0, 30, 0.0)).map(|rate| rate.per_minute);
        assert!(rate.is_some_and(|rate| (rate - 72.0).abs() < 1e-9));
    }

    #[test]
    fn a_missed_beat_does_not_lower_the_rate() {
        let mut intervals = steady(72.0, 30, 0.0);
        intervals[15].ms *= 2.0;
        let rate = mean_heart_rate(&intervals).map_or(0.0, |rate| rate.per_minute);
        assert!((rate - 72.0).abs() < 0.01, "{rate}");
    }

    #[test]
    fn too_few_intervals_give_no_rate() {
        assert_eq!(mean_heart_rate(&steady(72.0, 2, 0.0)), None);
    }

    #[test]
    fn an_episode_has_an_onset_and_an_offset() {
        let mut detector = EpisodeDetector::new(Limits::default());
        let mut intervals = steady(70.0, 60, 0.0);
        let onset_s = intervals[59].time_s;
        intervals.extend(steady(130.0, 60, onset_s));
        let offset_s = intervals[119].time_s;
        intervals.extend(steady(70.0, 60, offset_s));
        let changes: Vec<_> = intervals.iter().filter_map(|interval| detector.push(interval)).collect();
        assert_eq!(
            changes.iter().map(|c| (c.arrhythmia, c.begins)).collect::<Vec<_>>(),
            [(Arrhythmia::Tachycardia, true), (Arrhythmia::Tachycardia, false),]
        );
        assert!((changes[0].time_s - onset_s).abs() < 5.0 && (changes[1].time_s - offset_s).abs() < 6.0);
    }
}
