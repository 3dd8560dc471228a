//! RR intervals: from beats, and corrected for ectopic, missed and extra beats.
//!
//! Correction after Lipponen & Tarvainen, "A robust algorithm for heart rate variability time series artefact
//! correction using novel beat classification", J Med Eng Technol 2019: thresholds follow the series' own spread over
//! 91 beats, so one rule serves a sleeping athlete and an infant.

use afferent_dsp::ecg::DetectedBeat;
use serde::{Deserialize, Serialize};

mod classify;

/// Changes whenever the same beats could give other intervals or corrections.
pub const VERSION: &str = "1.1.0";

/// One interval between two successive beats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RrInterval {
    /// Time of the later beat, in seconds since the stream's start.
    pub time_s: f64,
    /// Length in milliseconds.
    pub ms: f64,
    /// What is wrong with it, if anything.
    pub kind: Kind,
    /// The interval before it is not the one before it in time: samples were missing between.
    pub after_gap: bool,
}

impl RrInterval {
    /// A positive number at a known time.
    pub(crate) fn is_sound(&self) -> bool {
        self.ms.is_finite() && self.ms > 0.0 && self.time_s.is_finite()
    }
}

/// Verdict on an interval, or, after correction, where its value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// As measured, of a normal beat.
    Normal,
    /// Next to an ectopic beat; corrected: interpolated.
    Ectopic,
    /// Much longer or shorter than its neighbours; corrected: interpolated.
    LongOrShort,
    /// A beat was missed; corrected: split in two.
    Missed,
    /// A beat too many; corrected: joined with the next interval.
    Extra,
}

/// A corrected series.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Correction {
    /// The NN series: every interval usable, `kind` tells which were corrected.
    pub intervals: Vec<RrInterval>,
    pub ectopic: usize,
    pub long_or_short: usize,
    pub missed: usize,
    pub extra: usize,
}

impl Correction {
    /// Share of the measured intervals that had to be corrected, in [0, 1].
    pub fn share(&self) -> f64 {
        let corrected = self.ectopic + self.long_or_short + self.missed + self.extra;
        corrected as f64 / self.intervals.len().max(1) as f64
    }

    /// Lengths in milliseconds.
    pub fn nn_ms(&self) -> Vec<f64> {
        self.intervals.iter().map(|interval| interval.ms).collect()
    }
}

/// Intervals between `beats` (positions in samples at `rate_hz`, ascending). No interval spans a gap in the signal.
pub fn intervals(beats: &[DetectedBeat], rate_hz: f64) -> Vec<RrInterval> {
    let mut after_gap = false;
    let mut intervals = Vec::with_capacity(beats.len());
    for pair in beats.windows(2) {
        let ms = (pair[1].sample - pair[0].sample) / rate_hz * 1000.0;
        let interval = RrInterval { time_s: pair[1].sample / rate_hz, ms, kind: Kind::Normal, after_gap };
        if pair[1].after_gap || !interval.is_sound() {
            after_gap = true;
            continue;
        }
        intervals.push(interval);
        after_gap = false;
    }
    intervals
}

/// Neighbours on either side an interval is held against.
const NEIGHBOURS: usize = 5;
/// Below this part of its neighbours' median an interval is no heart beat's: even a premature beat on the T wave before it
/// follows at about half the usual distance.
const SHORTEST: f64 = 0.5;

/// The intervals without those that noise made: what is shorter than half the median of its neighbours is left out, and
/// what follows it counts as after a gap. Correction knows one extra beat between two, not a burst of them.
pub fn without_bursts(intervals: &[RrInterval]) -> Vec<RrInterval> {
    let mut kept = Vec::with_capacity(intervals.len());
    let mut left_out = false;
    for (i, interval) in intervals.iter().enumerate() {
        let near = &intervals[i.saturating_sub(NEIGHBOURS)..(i + NEIGHBOURS + 1).min(intervals.len())];
        let mut lengths: Vec<f64> = near.iter().map(|other| other.ms).collect();
        lengths.sort_by(f64::total_cmp);
        if interval.ms < SHORTEST * lengths[lengths.len() / 2] {
            left_out = true;
            continue;
        }
        kept.push(RrInterval { after_gap: interval.after_gap || left_out, ..*interval });
        left_out = false;
    }
    kept
}

/// Classifies and corrects `intervals`, each stretch between gaps for itself. Fewer than three intervals in a stretch
/// are left as they are: there is nothing to compare them with. What is no positive number is left out, as a gap.
pub fn correct(intervals: &[RrInterval]) -> Correction {
    let intervals = &sound(intervals);
    let mut correction = Correction::default();
    let mut start = 0;
    while start < intervals.len() {
        let rest = &intervals[start + 1..];
        let length = rest.iter().position(|interval| interval.after_gap).unwrap_or(rest.len()) + 1;
        correct_stretch(&intervals[start..start + length], &mut correction);
        start += length;
    }
    correction
}

fn sound(intervals: &[RrInterval]) -> Vec<RrInterval> {
    let mut left_out = false;
    let keep = |interval: &RrInterval| {
        let after_gap = interval.after_gap || left_out;
        left_out = !interval.is_sound();
        interval.is_sound().then_some(RrInterval { after_gap, ..*interval })
    };
    intervals.iter().filter_map(keep).collect()
}

fn correct_stretch(stretch: &[RrInterval], correction: &mut Correction) {
    let lengths: Vec<f64> = stretch.iter().map(|interval| interval.ms).collect();
    let kinds = classify::kinds(&lengths);
    let first = correction.intervals.len();
    let mut i = 0;
    while i < stretch.len() {
        let interval = RrInterval { kind: kinds[i], ..stretch[i] };
        match kinds[i] {
            Kind::Missed => push_halves(interval, correction),
            Kind::Extra if i + 1 < stretch.len() => {
                correction.extra += 1;
                i += 1;
                let joined = RrInterval { ms: interval.ms + stretch[i].ms, time_s: stretch[i].time_s, ..interval };
                correction.intervals.push(joined);
            }
            kind => {
                correction.ectopic += usize::from(kind == Kind::Ectopic);
                correction.long_or_short += usize::from(matches!(kind, Kind::LongOrShort | Kind::Extra));
                correction.intervals.push(interval);
            }
        }
        i += 1;
    }
    interpolate(&mut correction.intervals[first..]);
}

fn push_halves(interval: RrInterval, correction: &mut Correction) {
    correction.missed += 1;
    let half = interval.ms / 2.0;
    correction.intervals.push(RrInterval { ms: half, time_s: interval.time_s - half / 1000.0, ..interval });
    correction.intervals.push(RrInterval { ms: half, after_gap: false, ..interval });
}

/// Replaces ectopic and long or short intervals by the straight line between their sound neighbours.
fn interpolate(intervals: &mut [RrInterval]) {
    let doubtful = |interval: &RrInterval| matches!(interval.kind, Kind::Ectopic | Kind::LongOrShort);
    let sound: Vec<usize> = (0..intervals.len()).filter(|&i| !doubtful(&intervals[i])).collect();
    for i in 0..intervals.len() {
        if !doubtful(&intervals[i]) {
            continue;
        }
        let next = sound.partition_point(|&other| other < i);
        let before = next.checked_sub(1).and_then(|at| sound.get(at)).copied();
        intervals[i].ms = match (before, sound.get(next).copied()) {
            (Some(a), Some(b)) => {
                let share = (i - a) as f64 / (b - a) as f64;
                intervals[a].ms + share * (intervals[b].ms - intervals[a].ms)
            }
            (Some(only), None) | (None, Some(only)) => intervals[only].ms,
            (None, None) => intervals[i].ms,
        };
    }
}

#[cfg(test)]
mod tests;
