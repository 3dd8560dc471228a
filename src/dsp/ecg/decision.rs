//! Which humps are beats.
//!
//! A hump far above everything that was not a beat lately is a beat while it still rises. All others are judged when
//! their surroundings are known ([`Evidence::log_odds`]): clear ones at once, doubtful ones as part of the most likely
//! sequence of beats ([`path`]), when a clear beat follows or patience ends.

use super::DetectedBeat;
use super::bands::{Bands, MATURITY_S};
use super::hump::Hump;
use super::levels::{Heights, Levels};
use super::path;
use super::quality::Meter;
use super::score::{Evidence, Observation};
use super::templates::{Likeness, Templates};
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
/// Log odds at which a hump is a beat at once; at which its interval says something about the rhythm; at which its height
/// and shape are learned from.
const CLEAR: f32 = 3.0;
const SURE: f32 = 2.0;
const LEARNABLE: f32 = 0.0;
/// A hump with log odds within this of zero is doubtful: for `WARY_S` afterwards no beat is taken while it rises.
const DOUBTFUL: f32 = 3.0;
const WARY_S: f64 = 6.0;
/// A rising hump is a beat when it exceeds these shares of the level of beats and of the highest recent noise, this
/// long (in seconds, and in typical RR intervals) after the last beat.
const RISING_OVER_BEATS: f32 = 0.55;
const RISING_OVER_NOISE: f32 = 1.5;
const RISING_AFTER_S: f32 = 0.36;
const RISING_AFTER_INTERVALS: f32 = 0.6;
/// Below this height of the envelope, in mV, no complex is told from noise. IEC 60601-2-27 has complexes under 0.15 mV
/// peak to peak ignored; the envelope is about a third of that, and wearable leads are weaker.
/// From such a hump's share to its peak, in seconds.
const RISE_S: f64 = 0.02;
const FLOOR_MV: f32 = 0.015;
/// Of the highest hump, what noise is at most assumed to be after a start.
const FIRST_NOISE_SHARE: f32 = 0.25;
/// A longer interval says nothing about the rhythm, in seconds.
const LONGEST_INTERVAL_S: f32 = 3.0;
/// Share of a beat in the running likeness.
const LIKENESS_RATE: f32 = 0.25;
/// Likeness of noise, and of a sound beat.
const LIKENESS_BOUNDS: (f32, f32) = (0.5, 0.9);
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

enum Verdict {
    Wait,
    Drop,
    Beat,
    Decide,
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
    /// A beat was emitted while its hump was still rising: the seconds from the beat before it.
    rising_taken: Option<f32>,
    /// When levels are learned anew unless a beat comes.
    silent_until: u64,
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
            silent_until: (f64::from(SILENCE_S) * rate_hz) as u64,
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
        let patience = if self.levels.known() { PATIENCE_S } else { LEARNING_S };
        let due = |candidate: &Candidate| {
            let wait = if candidate.measured.is_none() { MATURITY_S as f32 } else { patience };
            candidate.hump.tick + self.ticks(wait) + 1
        };
        self.due = self.pending.iter().map(due).min().unwrap_or(u64::MAX);
    }

    /// The end of the stream, or of a stretch of it.
    pub(super) fn flush(&mut self, bands: &Bands, beats: &mut Vec<DetectedBeat>) {
        if !self.levels.known() {
            self.end_learning();
        }
        self.judge(&Context { now: u64::MAX, bands }, beats);
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

    /// So far above everything lately that it is a beat, whatever follows.
    fn stands_out(&self, moment: &Moment) -> bool {
        let height = moment.envelope;
        let enough = (RISING_OVER_BEATS * self.levels.beat.qrs).max(RISING_OVER_NOISE * self.levels.noise_peak);
        if !self.levels.known()
            || self.rising_taken.is_some()
            || moment.tick < self.wary_until
            || height < enough.max(FLOOR_MV)
        {
            return false;
        }
        let Some(since) = self.since_s(moment.tick) else { return false };
        let due = RISING_AFTER_INTERVALS * self.levels.rhythm().interval_s;
        since > RISING_AFTER_S.max(due)
    }

    fn take_rising(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        let peak = moment.tick + (RISE_S * self.rate_hz) as u64;
        let context = Context { now: moment.tick, bands: moment.bands };
        self.take_path(path::before(self, peak), &context, beats);
        self.rising_taken = Some(self.since_or_typical(peak));
        self.emit((moment.peak_near)(peak), soundness(self.likeness), beats);
        self.follow_rhythm(peak, true);
        self.drop_undecided(peak);
    }

    /// Looks closely at humps whose surroundings have become known.
    fn measure(&mut self, context: &Context) {
        let maturity = self.ticks(MATURITY_S as f32);
        for i in 0..self.pending.len() {
            let candidate = self.pending[i];
            let age = context.now.saturating_sub(candidate.hump.tick);
            if candidate.measured.is_some() || age < maturity {
                continue;
            }
            let age = age as usize;
            self.pending[i].measured = Some(Measured {
                heights: context.bands.heights(candidate.hump.height, age),
                surroundings: context.bands.surroundings(age),
                likeness: context.bands.likeness(&self.templates, age),
            });
            if candidate.taken {
                self.note_likeness(self.pending[i]);
                self.learn(self.pending[i], context);
            }
        }
    }

    fn judge(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        self.gather_evidence(context.now);
        self.pending.retain(|candidate| !candidate.taken || candidate.measured.is_none());
        let mut i = 0;
        while let Some(&candidate) = self.pending.get(i) {
            i = match self.verdict(i, candidate, context.now) {
                Verdict::Wait => i + 1,
                Verdict::Drop => {
                    self.reject(i);
                    i
                }
                Verdict::Beat => {
                    self.take_path(path::ending_at(self, i), context, beats);
                    0
                }
                Verdict::Decide => {
                    if self.decide_oldest(i, context, beats) {
                        0
                    } else {
                        i
                    }
                }
            };
        }
    }

    fn gather_evidence(&mut self, now: u64) {
        let rhythm = self.levels.rhythm();
        let last = self.last;
        let rate_hz = self.rate_hz;
        for candidate in &mut self.pending {
            if let (Some(measured), None) = (candidate.measured, candidate.evidence) {
                let Measured { heights, surroundings, likeness } = measured;
                let evidence = Observation::new(heights, &self.levels, surroundings, likeness).evidence();
                candidate.evidence = Some(evidence);
                let since = last.map_or(rhythm.interval_s, |last| {
                    (candidate.hump.tick.saturating_sub(last) as f64 / rate_hz) as f32
                });
                let since = candidate.since_s.unwrap_or(since);
                if since >= REFRACTORY_S {
                    self.quality.hump();
                    if evidence.log_odds(since, rhythm).abs() < DOUBTFUL {
                        self.wary_until = now.saturating_add((WARY_S * rate_hz) as u64);
                    }
                }
            }
        }
    }

    fn verdict(&self, i: usize, candidate: Candidate, now: u64) -> Verdict {
        let Some(evidence) = candidate.evidence else { return Verdict::Wait };
        if candidate.taken {
            return Verdict::Wait;
        }
        if self.since_s(candidate.hump.tick).is_some_and(|since| since < REFRACTORY_S) {
            return Verdict::Drop;
        }
        let since = self.since_or_typical(candidate.hump.tick);
        let log_odds = evidence.log_odds(since, self.levels.rhythm());
        if log_odds > CLEAR && !self.has_rival(i, log_odds) {
            return Verdict::Beat;
        }
        let age = self.seconds(now.saturating_sub(candidate.hump.tick));
        if age > PATIENCE_S { Verdict::Decide } else { Verdict::Wait }
    }

    /// Whether a hump too close for both to be beats is the better one, or may turn out to be.
    fn has_rival(&self, i: usize, log_odds: f32) -> bool {
        let candidate = self.pending[i];
        let rhythm = self.levels.rhythm();
        self.pending.iter().enumerate().any(|(j, &other)| {
            let distance = self.seconds(other.hump.tick.abs_diff(candidate.hump.tick));
            let better = || match other.evidence {
                Some(evidence) => evidence.log_odds(self.since_or_typical(other.hump.tick), rhythm) > log_odds,
                None => other.hump.height > candidate.hump.height,
            };
            j != i && distance < REFRACTORY_S && better()
        })
    }

    /// Settles whether the oldest undecided hump is on the best path; true if it was a beat.
    fn decide_oldest(&mut self, oldest: usize, context: &Context, beats: &mut Vec<DetectedBeat>) -> bool {
        let path = path::best(self, context.now);
        if path.first() == Some(&oldest) {
            self.take_path(vec![oldest], context, beats);
            return true;
        }
        self.reject(oldest);
        false
    }

    /// Takes the humps of a path, in ascending order.
    fn take_path(&mut self, path: Vec<usize>, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let path: Vec<Candidate> = path.iter().map(|&i| self.pending[i]).collect();
        for candidate in path {
            let odds = candidate.evidence.map_or(0.0, |evidence| {
                evidence.log_odds(self.since_or_typical(candidate.hump.tick), self.levels.rhythm())
            });
            self.note_likeness(candidate);
            let likeness = candidate.measured.map_or(0.0, |measured| measured.likeness.best);
            self.emit(candidate.sample, soundness(likeness) / (1.0 + (-odds).exp()), beats);
            self.follow_rhythm(candidate.hump.tick, odds > SURE);
            if odds > LEARNABLE {
                self.learn(candidate, context);
            }
            self.drop_undecided(candidate.hump.tick);
        }
    }

    /// A beat's interval, before anything is judged against the next.
    fn follow_rhythm(&mut self, tick: u64, sure: bool) {
        let interval = self.since_s(tick).filter(|&interval| interval < LONGEST_INTERVAL_S);
        match interval {
            Some(interval) if (sure && self.last_sure) || self.levels.rhythm_is_stale() => {
                self.levels.learn_interval(interval);
            }
            _ => self.levels.doubt_rhythm(),
        }
        self.last_sure = sure;
        self.last = Some(tick);
        self.silent_until = tick + self.ticks(SILENCE_S);
    }

    fn note_likeness(&mut self, beat: Candidate) {
        if let Some(measured) = beat.measured {
            self.quality.beat(measured.likeness.best);
            self.likeness += LIKENESS_RATE * (measured.likeness.best - self.likeness);
        }
    }

    /// A beat's height and shape.
    fn learn(&mut self, candidate: Candidate, context: &Context) {
        let Some(measured) = candidate.measured else { return };
        self.levels.learn_beat(measured.heights);
        let age = context.now.saturating_sub(candidate.hump.tick);
        if context.bands.remembers(age) {
            context.bands.learn(&mut self.templates, age as usize);
        }
    }

    /// After a beat at `tick`, humps before it or in its refractory period cannot be beats any more.
    fn drop_undecided(&mut self, tick: u64) {
        let refractory = self.ticks(REFRACTORY_S);
        for candidate in self.pending.iter().filter(|candidate| !candidate.taken) {
            if candidate.hump.tick + refractory < tick {
                self.levels.learn_noise(candidate.hump.height);
            }
        }
        self.pending.retain(|candidate| candidate.taken || candidate.hump.tick > tick + refractory);
    }

    fn reject(&mut self, i: usize) {
        let candidate = self.pending.remove(i);
        if self.since_s(candidate.hump.tick).is_none_or(|since| since >= REFRACTORY_S) {
            self.levels.learn_noise(candidate.hump.height);
        }
    }

    fn learn_levels(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let Some(first) = self.pending.first() else { return };
        if self.seconds(context.now.saturating_sub(first.hump.tick)) >= LEARNING_S {
            self.end_learning();
            self.judge(context, beats);
        }
    }

    /// The highest hump is taken for a beat, the middle one for noise.
    fn end_learning(&mut self) {
        let mut heights: Vec<Heights> =
            self.pending.iter().filter_map(|candidate| Some(candidate.measured?.heights)).collect();
        heights.sort_by(|a, b| a.qrs.total_cmp(&b.qrs));
        if let (Some(highest), Some(middle)) = (heights.last(), heights.get(heights.len() / 2)) {
            self.levels.start(*highest, middle.qrs.min(highest.qrs * FIRST_NOISE_SHARE));
        }
    }

    /// After a silence the levels may be wrong (another electrode, another gain): they are learned anew.
    fn end_silence(&mut self, now: u64) {
        self.silent_until = now + self.ticks(SILENCE_S);
        if self.levels.known() {
            self.levels.forget();
            self.last = None;
            self.pending.clear();
        }
    }

    fn emit(&mut self, sample: f64, quality: f32, beats: &mut Vec<DetectedBeat>) {
        beats.push(DetectedBeat { sample: sample.max(0.0), quality, after_gap: self.after_gap });
        self.after_gap = false;
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

/// Quality of a beat by its likeness.
fn soundness(likeness: f32) -> f32 {
    ((likeness - LIKENESS_BOUNDS.0) / (LIKENESS_BOUNDS.1 - LIKENESS_BOUNDS.0)).clamp(0.0, 1.0)
}
