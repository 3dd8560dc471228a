//! Followers: events or scalars in, verdicts out, one after the other and across windows.

use afferent_metrics::atrial_fibrillation::{self, Score};
use afferent_metrics::heart_rate::{Arrhythmia, EpisodeDetector, Limits};
use afferent_metrics::rr::{Kind, RrInterval};
use afferent_metrics::temperature::Smoother;
use afferent_metrics::tissue_oxygen;
use serde::{Deserialize, Serialize};

use crate::signal::Beat;
use crate::time::{Instant, MICROS};

/// Silence after which what came before is judged by itself: longer than any pause of a beating heart.
const SILENCE: i64 = 10 * MICROS;

/// The signal whose codes tell what a moment's rhythm is, and those codes.
const RHYTHM: &str = "rhythm";
pub(super) const FIBRILLATION: &str = "atrial-fibrillation";
pub(super) const NO_FIBRILLATION: &str = "no-atrial-fibrillation";

/// Code of a rate within its limits.
pub(super) const NORMAL_RATE: &str = "normal-rate";

/// What a follower says about one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The moment.
    pub at: Instant,
    /// Seconds it speaks about, for a rhythm; rate, for an episode of it; smoothed value.
    pub value: f64,
    /// Whether the state holds, or the value counts.
    pub holds: bool,
    /// What begins or ends here.
    pub event: Option<Event>,
}

/// The beginning or end of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // the names say it
pub enum Event {
    FibrillationOnset,
    FibrillationOffset,
    BradycardiaOnset,
    BradycardiaOffset,
    TachycardiaOnset,
    TachycardiaOffset,
}

impl Verdict {
    /// The code in the value list of `rhythm` for its moment.
    pub(in crate::algorithm) fn rhythm(&self) -> &'static str {
        if self.holds { FIBRILLATION } else { NO_FIBRILLATION }
    }
}

impl Event {
    /// The state of the rate it leads to, a code in the value list of `rate-state`; none for what is about the rhythm.
    pub fn rate_state(self) -> Option<&'static str> {
        match self {
            Self::BradycardiaOnset => Some("bradycardia"),
            Self::TachycardiaOnset => Some("tachycardia"),
            Self::BradycardiaOffset | Self::TachycardiaOffset => Some(NORMAL_RATE),
            Self::FibrillationOnset | Self::FibrillationOffset => None,
        }
    }

    /// The code in the value list of `rhythm-event`.
    pub fn code(self) -> &'static str {
        match self {
            Self::FibrillationOnset => "atrial-fibrillation-onset",
            Self::FibrillationOffset => "atrial-fibrillation-offset",
            Self::BradycardiaOnset => "bradycardia-onset",
            Self::BradycardiaOffset => "bradycardia-offset",
            Self::TachycardiaOnset => "tachycardia-onset",
            Self::TachycardiaOffset => "tachycardia-offset",
        }
    }
}

/// A follower with its state.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Follower {
    state: State,
    /// The newest event.
    last: Option<Instant>,
    /// The next interval does not follow from the one before.
    broken: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum State {
    Fibrillation { detector: Box<atrial_fibrillation::Detector>, fibrillating: bool },
    Rate(EpisodeDetector),
    Smoothing(Smoother),
}

impl Follower {
    fn new(state: State) -> Self {
        Self { state, last: None, broken: true }
    }

    /// Takes the next event.
    pub(in crate::algorithm) fn push(&mut self, beat: &Beat) -> Vec<Verdict> {
        let mut verdicts = self.quiet_until(beat.at);
        self.last = Some(beat.at);
        let Some(value) = beat.interval_ms else {
            self.broken = true;
            return verdicts;
        };
        let time_s = beat.at.0 as f64 / MICROS as f64;
        let after_gap = std::mem::take(&mut self.broken);
        let interval = RrInterval { time_s, ms: value, kind: Kind::Normal, after_gap };
        match &mut self.state {
            State::Fibrillation { detector, fibrillating } => {
                let mut scores = Vec::new();
                detector.push(&interval, &mut scores);
                verdicts.extend(scores.iter().map(|score| judged(score, fibrillating)));
            }
            State::Rate(detector) => verdicts.extend(detector.push(&interval).map(|change| Verdict {
                at: instant(change.time_s),
                value: change.per_minute,
                holds: change.begins,
                event: Some(match (change.arrhythmia, change.begins) {
                    (Arrhythmia::Bradycardia, true) => Event::BradycardiaOnset,
                    (Arrhythmia::Bradycardia, false) => Event::BradycardiaOffset,
                    (Arrhythmia::Tachycardia, true) => Event::TachycardiaOnset,
                    (Arrhythmia::Tachycardia, false) => Event::TachycardiaOffset,
                }),
            })),
            State::Smoothing(smoother) => {
                let smoothed = smoother.push(time_s, value);
                let value = smoothed.unwrap_or_default();
                verdicts.push(Verdict { at: beat.at, value, holds: smoothed.is_some(), event: None });
            }
        }
        verdicts
    }

    /// Nothing happened before `horizon` but what was pushed: a long silence lets what came before be judged by itself.
    pub(in crate::algorithm) fn quiet_until(&mut self, horizon: Instant) -> Vec<Verdict> {
        if self.last.is_some_and(|last| horizon.0.saturating_sub(last.0) > SILENCE) { self.flush() } else { Vec::new() }
    }

    /// The stream has ended, or is interrupted.
    pub(in crate::algorithm) fn flush(&mut self) -> Vec<Verdict> {
        self.last = None;
        self.broken = true;
        let State::Fibrillation { detector, fibrillating } = &mut self.state else { return Vec::new() };
        let mut scores = Vec::new();
        detector.finish(&mut scores);
        scores.iter().map(|score| judged(score, fibrillating)).collect()
    }

    /// The signal whose codes its verdicts give moment by moment, where they do.
    pub(in crate::algorithm) fn speaks_of(&self) -> Option<&'static str> {
        matches!(self.state, State::Fibrillation { .. }).then_some(RHYTHM)
    }

    /// Before this nothing will be said any more, given that no event before `horizon` is to come.
    pub(in crate::algorithm) fn horizon(&self, horizon: Instant) -> Instant {
        let pending = match &self.state {
            State::Fibrillation { detector, .. } => detector.pending_since(),
            State::Rate(detector) => detector.pending_since(),
            State::Smoothing(_) => None,
        };
        pending.map_or(horizon, |since| instant(since).min(horizon))
    }
}

fn instant(time_s: f64) -> Instant {
    Instant((time_s * MICROS as f64).round() as i64)
}

/// A score as a verdict; the state is followed here because an episode may begin or end with a gap too.
fn judged(score: &Score, fibrillating: &mut bool) -> Verdict {
    let event = match (*fibrillating, score.fibrillation) {
        (false, true) => Some(Event::FibrillationOnset),
        (true, false) => Some(Event::FibrillationOffset),
        _ => None,
    };
    *fibrillating = score.fibrillation;
    Verdict { at: instant(score.time_s), value: score.length_s, holds: score.fibrillation, event }
}

pub(super) fn fibrillation() -> Follower {
    let detector = Box::new(atrial_fibrillation::Detector::new());
    Follower::new(State::Fibrillation { detector, fibrillating: false })
}

pub(super) fn rate_episodes() -> Follower {
    Follower::new(State::Rate(EpisodeDetector::new(Limits::default())))
}

pub(super) fn temperature() -> Follower {
    Follower::new(State::Smoothing(Smoother::temperature()))
}

pub(super) fn tissue_oxygen() -> Follower {
    Follower::new(State::Smoothing(tissue_oxygen::smoother()))
}
