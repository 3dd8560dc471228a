//! Which humps are beats.
//!
//! A hump far above everything that was not a beat lately is a beat while it still rises. All others are judged when
//! their surroundings are known ([`Evidence::log_odds`]): clear ones at once, doubtful ones as part of the most likely
//! sequence of beats ([`super::path`]), when a clear beat follows or patience ends.

mod judging;
mod learning;
mod rising;

use super::DetectedBeat;
use super::bands::{Bands, MATURITY_S};
use super::hump::Hump;
use super::levels::{Heights, Levels};
use super::quality::Meter;
use super::score::Evidence;
use super::templates::{Likeness, Templates};
use judging::LIKELY_S;
use rising::Owed;
use serde::{Deserialize, Serialize};

/// Two ventricular depolarisations are never closer than this, in seconds.
const REFRACTORY_S: f32 = 0.20;
/// Humps this close belong to one complex.
const SAME_COMPLEX_S: f32 = 0.12;
/// No hump waits longer than this.
const PATIENCE_S: f32 = 1.2;
/// Levels are learned from this much signal after a start, and again when no beat came for `SILENCE_S`.
const LEARNING_S: f32 = 1.1;
const SILENCE_S: f32 = 4.0;
/// Below this height of the envelope, in mV, no complex is told from noise. IEC 60601-2-27 has complexes under 0.15 mV
/// peak to peak ignored; the envelope is about a third of that, and wearable leads are weaker.
const FLOOR_MV: f32 = 0.015;
const MOST_PENDING: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Candidate {
    hump: Hump,
    sample: f64,
    measured: Option<Measured>,
    evidence: Option<Evidence>,
    /// If it was taken while it rose: the seconds since the beat before.
    since_s: Option<f32>,
    /// Emitted already; waits for its surroundings to be learned from.
    taken: bool,
}

/// What is asked of a hump once its surroundings are known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Measured {
    heights: Heights,
    surroundings: f32,
    likeness: Likeness,
}

/// What one internal sample brings to the decision.
pub(super) struct Moment<'a> {
    /// Number of the internal sample the envelope value belongs to.
    pub(super) tick: u64,
    pub(super) envelope: f32,
    /// A hump that ended here.
    pub(super) hump: Option<Hump>,
    /// The envelope is on its way up.
    pub(super) rising: bool,
    pub(super) bands: &'a Bands,
    /// Position, in samples, of the R peak near an internal sample.
    pub(super) peak_near: &'a dyn Fn(u64) -> f64,
}

/// Where the stream is.
struct Context<'a> {
    now: u64,
    bands: &'a Bands,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decision {
    rate_hz: f64,
    levels: Levels,
    templates: Templates,
    quality: Meter,
    /// Likeness of the latest beats.
    likeness: f32,
    /// Humps that are not decided yet, and beats not learned from yet, in ascending order.
    pending: Vec<Candidate>,
    /// Tick of the latest beat.
    last: Option<u64>,
    /// It was clear, so that the next interval says something about the rhythm.
    last_sure: bool,
    /// Until when humps are not trusted before they have ended: something doubtful was seen.
    wary_until: u64,
    /// A beat was taken while its hump was still rising: the seconds from the beat before it.
    rising_taken: Option<f32>,
    /// That beat, until it is emitted.
    owed: Option<Owed>,
    /// When levels are learned anew unless a beat comes.
    silent_until: u64,
    /// The highest hump that looked like a beat lately while levels are unknown: when, and how high.
    witness: Option<(u64, f32)>,
    /// No beat for so long that the shapes may be others.
    estranged: bool,
    /// When a pending hump is next to be looked at.
    due: u64,
    after_gap: bool,
}

impl Decision {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            levels: Levels::new(rate_hz),
            templates: Templates::default(),
            quality: Meter::new(rate_hz),
            likeness: 0.0,
            pending: Vec::new(),
            last: None,
            last_sure: false,
            wary_until: 0,
            rising_taken: None,
            owed: None,
            silent_until: (f64::from(SILENCE_S) * rate_hz) as u64,
            witness: None,
            estranged: false,
            due: 0,
            after_gap: false,
        }
    }

    /// The signal was interrupted: the time since the last beat means nothing any more.
    pub(super) fn interrupt(&mut self) {
        self.after_gap |= self.last.is_some();
        self.last = None;
        self.rising_taken = None;
    }

    pub(super) fn quality(&mut self) -> &mut Meter {
        &mut self.quality
    }

    /// Position in samples of the oldest hump that may still become a beat.
    pub(super) fn oldest_pending(&self) -> f64 {
        let open = self.pending.iter().filter(|candidate| !candidate.taken);
        open.map(|candidate| candidate.sample).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn advance(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        self.levels.pass();
        if moment.tick >= self.silent_until {
            self.end_silence(moment.tick);
        }
        if let Some(hump) = moment.hump {
            self.add(hump, moment);
        } else if moment.rising && self.stands_out(moment) {
            self.take_rising(moment, beats);
        }
        self.settle(moment, beats);
        if moment.tick >= self.due {
            self.review(&Context { now: moment.tick, bands: moment.bands }, beats);
        }
    }

    /// Measures and judges what has become ready, and finds out when that will be the case again.
    fn review(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        self.measure(context);
        if self.levels.known() {
            self.judge(context, beats);
        } else {
            self.learn_levels(context, beats);
        }
        let due = |candidate: &Candidate| {
            let since = |wait| candidate.hump.tick + self.ticks(wait) + 1;
            match candidate.measured {
                None => since(MATURITY_S as f32),
                _ if !self.levels.known() => since(LEARNING_S),
                _ if since(LIKELY_S) > context.now => since(LIKELY_S),
                _ => since(PATIENCE_S),
            }
        };
        self.due = self.pending.iter().map(due).min().unwrap_or(u64::MAX);
    }

    /// The end of the stream, or of a stretch of it.
    pub(super) fn flush(&mut self, bands: &Bands, beats: &mut Vec<DetectedBeat>) {
        self.settle_unseen(beats);
        if !self.levels.known() {
            self.end_learning();
        }
        if self.levels.known() {
            self.judge(&Context { now: u64::MAX, bands }, beats);
        }
        self.pending.clear();
    }

    fn add(&mut self, hump: Hump, moment: &Moment) {
        let since_s = self.rising_taken.take();
        let taken = since_s.is_some();
        if taken {
            self.last = Some(hump.tick);
        }
        let in_shadow = !taken && self.since_s(hump.tick).is_some_and(|since| since < REFRACTORY_S);
        if hump.height < FLOOR_MV || in_shadow {
            return;
        }
        let sample = (moment.peak_near)(hump.tick);
        let candidate = Candidate { hump, sample, taken, measured: None, evidence: None, since_s };
        let same_complex = SAME_COMPLEX_S * self.rate_hz as f32;
        if let Some(previous) = self.pending.last_mut() {
            let same = (hump.tick.saturating_sub(previous.hump.tick) as f32) < same_complex;
            if same && !previous.taken {
                if hump.height > previous.hump.height {
                    *previous = candidate;
                    self.due = 0;
                }
                return;
            }
        }
        if self.pending.len() == MOST_PENDING {
            self.pending.remove(0);
        }
        self.due = self.due.min(hump.tick + self.ticks(MATURITY_S as f32));
        self.pending.push(candidate);
    }

    pub(super) fn pending_len(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn typical_interval_s(&self) -> f32 {
        self.levels.rhythm().interval_s
    }

    /// Log odds of hump `to` given a beat at hump `from` (or the latest beat), and the seconds between. None if both
    /// cannot be beats.
    pub(super) fn step(&self, from: Option<usize>, to: usize) -> Option<(f32, f32)> {
        let candidate = self.pending.get(to)?;
        let gap = self.gap_s(from, candidate.hump.tick)?;
        Some((candidate.evidence?.log_odds(gap, self.levels.rhythm()), gap))
    }

    /// Seconds from hump `from` (or the latest beat) to a beat at `tick`; None if it is too close.
    pub(super) fn gap_s(&self, from: Option<usize>, tick: u64) -> Option<f32> {
        if from.is_some_and(|from| self.pending[from].hump.tick >= tick) {
            return None;
        }
        Some(self.seconds_from(from, tick)).filter(|&gap| gap >= REFRACTORY_S)
    }

    /// Seconds from hump `from` (or the latest beat; a typical interval if there is none) to `tick`.
    pub(super) fn seconds_from(&self, from: Option<usize>, tick: u64) -> f32 {
        match from {
            Some(from) => self.seconds(tick.saturating_sub(self.pending[from].hump.tick)),
            None => self.since_or_typical(tick),
        }
    }

    fn since_or_typical(&self, tick: u64) -> f32 {
        self.since_s(tick).unwrap_or(self.levels.rhythm().interval_s)
    }

    fn ticks(&self, seconds: f32) -> u64 {
        (f64::from(seconds) * self.rate_hz) as u64
    }

    fn seconds(&self, ticks: u64) -> f32 {
        (ticks as f64 / self.rate_hz) as f32
    }

    /// Seconds from the latest beat to `tick`.
    fn since_s(&self, tick: u64) -> Option<f32> {
        self.last.map(|last| self.seconds(tick.saturating_sub(last)))
    }
}
