//! Which humps are beats.
//!
//! A hump far above everything that was not a beat lately is a beat while it still rises. All others are judged when
//! their surroundings are known ([`Evidence::log_odds`]): clear ones at once, doubtful ones after waiting for a better
//! rival ([`SETTLING_S`]), weak ones only when a beat is overdue.

use super::DetectedBeat;
use super::bands::{Bands, MATURITY_S};
use super::hump::Hump;
use super::levels::{Heights, Levels};
use super::score::Evidence;
use super::templates::{Likeness, Templates};
use serde::{Deserialize, Serialize};

/// Two ventricular depolarisations are never closer than this, in seconds.
const REFRACTORY_S: f32 = 0.20;
/// Humps this close belong to one complex.
const SAME_COMPLEX_S: f32 = 0.12;
/// A doubtful hump waits this long for a better rival: the longest PR interval.
const SETTLING_S: f32 = 0.26;
/// No hump waits longer than this.
const PATIENCE_S: f32 = 1.3;
/// Levels are learned from this much signal after a start, and again when no beat came for `SILENCE_S`.
const LEARNING_S: f32 = 1.2;
const SILENCE_S: f32 = 4.0;
/// Log odds at which a hump is a beat at once, after settling, and when a beat is overdue.
const CLEAR: f32 = 3.0;
const LIKELY: f32 = 0.0;
const POSSIBLE: f32 = -2.5;
/// A beat is overdue after this multiple of the typical RR interval.
const OVERDUE: f32 = 1.5;
/// A rising hump is a beat when it exceeds these shares of the level of beats and of the highest recent noise, this
/// long (in seconds, and in typical RR intervals) after the last beat.
const RISING_OVER_BEATS: f32 = 0.55;
const RISING_OVER_NOISE: f32 = 1.5;
const RISING_AFTER_S: f32 = 0.36;
const RISING_AFTER_INTERVALS: f32 = 0.6;
/// Below this height of the envelope, in mV, no complex is told from noise. IEC 60601-2-27 has complexes under 0.15 mV
/// peak to peak ignored; the envelope is about a third of that, and wearable leads are weaker.
/// From such a hump's share to its peak, in seconds.
const RISE_S: f64 = 0.025;
const FLOOR_MV: f32 = 0.015;
/// Of the highest hump, what noise is at most assumed to be after a start.
const FIRST_NOISE_SHARE: f32 = 0.25;
/// A longer interval says nothing about the rhythm, in seconds.
const LONGEST_INTERVAL_S: f32 = 3.0;
const MOST_PENDING: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Candidate {
    hump: Hump,
    sample: f64,
    measured: Option<Measured>,
    evidence: Option<Evidence>,
    /// Emitted already; waits for its surroundings to be learned from.
    taken: bool,
    /// Waited for rivals without being taken: counts as noise unless a beat turns out to be overdue.
    settled: bool,
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
    Settle,
    Beat,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Decision {
    rate_hz: f64,
    levels: Levels,
    templates: Templates,
    /// Humps that are not decided yet, and beats not learned from yet, in ascending order.
    pending: Vec<Candidate>,
    /// Tick of the latest beat.
    last: Option<u64>,
    /// A beat was emitted while its hump was still rising.
    rising_taken: bool,
    /// Highest hump since the latest beat that was not taken.
    rivals: f32,
    /// Since when there has been no beat.
    silent_since: u64,
    after_gap: bool,
}

impl Decision {
    pub(super) fn new(rate_hz: f64) -> Self {
        Self {
            rate_hz,
            levels: Levels::new(rate_hz),
            templates: Templates::default(),
            pending: Vec::new(),
            last: None,
            rising_taken: false,
            rivals: 0.0,
            silent_since: 0,
            after_gap: false,
        }
    }

    /// The signal was interrupted: the time since the last beat means nothing any more.
    pub(super) fn interrupt(&mut self) {
        self.after_gap |= self.last.is_some();
        self.last = None;
        self.rising_taken = false;
        self.rivals = 0.0;
    }

    /// Position in samples of the oldest hump that may still become a beat.
    pub(super) fn oldest_pending(&self) -> f64 {
        let open = self.pending.iter().filter(|candidate| !candidate.taken);
        open.map(|candidate| candidate.sample).fold(f64::INFINITY, f64::min)
    }

    pub(super) fn advance(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        self.levels.pass();
        self.mind_silence(moment.tick);
        if let Some(hump) = moment.hump {
            self.add(hump, moment);
        } else if moment.rising && self.stands_out(moment) {
            self.take_rising(moment, beats);
        }
        if self.pending.is_empty() {
            return;
        }
        let context = Context { now: moment.tick, bands: moment.bands };
        self.measure(&context);
        if self.levels.known() {
            self.judge(&context, beats);
        } else {
            self.learn_levels(&context, beats);
        }
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
        let taken = std::mem::take(&mut self.rising_taken);
        if taken {
            self.last = Some(hump.tick);
        }
        let in_shadow = !taken && self.since_s(hump.tick).is_some_and(|since| since < REFRACTORY_S);
        if hump.height < FLOOR_MV || in_shadow {
            return;
        }
        let sample = (moment.peak_near)(hump.tick);
        let candidate = Candidate { hump, sample, taken, measured: None, evidence: None, settled: false };
        let same_complex = SAME_COMPLEX_S * self.rate_hz as f32;
        if let Some(previous) = self.pending.last_mut() {
            let same = ((hump.tick - previous.hump.tick) as f32) < same_complex;
            if same && !previous.taken && !previous.settled {
                if hump.height > previous.hump.height {
                    *previous = candidate;
                }
                return;
            }
        }
        if self.pending.len() == MOST_PENDING {
            self.pending.remove(0);
        }
        self.pending.push(candidate);
    }

    /// So far above everything lately that it is a beat, whatever follows.
    fn stands_out(&self, moment: &Moment) -> bool {
        let height = moment.envelope;
        let enough = (RISING_OVER_BEATS * self.levels.beat.qrs).max(RISING_OVER_NOISE * self.levels.noise_peak);
        if !self.levels.known() || self.rising_taken || height < enough.max(FLOOR_MV) {
            return false;
        }
        let Some(since) = self.since_s(moment.tick) else { return false };
        let due = RISING_AFTER_INTERVALS * self.levels.rhythm().interval_s;
        since > RISING_AFTER_S.max(due)
    }

    fn take_rising(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        let peak = moment.tick + (RISE_S * self.rate_hz) as u64;
        self.rising_taken = true;
        self.emit((moment.peak_near)(peak), 1.0, beats);
        self.follow_rhythm(peak);
        self.drop_undecided(peak);
    }

    /// Looks closely at humps whose surroundings have become known.
    fn measure(&mut self, context: &Context) {
        let maturity = (MATURITY_S * self.rate_hz) as u64;
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
                self.learn(self.pending[i], context);
            }
        }
        self.pending.retain(|candidate| !candidate.taken || candidate.measured.is_none());
    }

    fn judge(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        self.gather_evidence();
        let mut i = 0;
        while let Some(&candidate) = self.pending.get(i) {
            i = match self.verdict(i, candidate, context.now) {
                Verdict::Wait => i + 1,
                Verdict::Drop => {
                    self.reject(i);
                    i
                }
                Verdict::Settle => {
                    self.count_as_noise(candidate.hump);
                    self.pending[i].settled = true;
                    i + 1
                }
                Verdict::Beat => {
                    self.take(i, context, beats);
                    0
                }
            };
        }
        self.take_overdue(context, beats);
    }

    fn gather_evidence(&mut self) {
        let mut rivals = self.rivals;
        for candidate in &mut self.pending {
            if let (Some(measured), None) = (candidate.measured, candidate.evidence) {
                let Measured { heights, surroundings, likeness } = measured;
                candidate.evidence = Some(Evidence::new(heights, &self.levels, rivals, surroundings, likeness));
            }
            rivals = rivals.max(candidate.hump.height);
        }
    }

    fn verdict(&self, i: usize, candidate: Candidate, now: u64) -> Verdict {
        let Some(log_odds) = self.log_odds(candidate) else { return Verdict::Wait };
        if candidate.taken {
            return Verdict::Wait;
        }
        let age = self.seconds(now.saturating_sub(candidate.hump.tick));
        if self.since_s(candidate.hump.tick).is_some_and(|since| since < REFRACTORY_S) {
            return Verdict::Drop;
        }
        if candidate.settled {
            return if age > PATIENCE_S { Verdict::Drop } else { Verdict::Wait };
        }
        if log_odds > CLEAR && !self.has_rival(i, log_odds) {
            return Verdict::Beat;
        }
        if age < SETTLING_S && log_odds > POSSIBLE {
            return Verdict::Wait;
        }
        if log_odds > LIKELY && !self.has_rival(i, log_odds) { Verdict::Beat } else { Verdict::Settle }
    }

    /// Whether a hump too close for both to be beats is the better one, or may turn out to be.
    fn has_rival(&self, i: usize, log_odds: f32) -> bool {
        let candidate = self.pending[i];
        self.pending.iter().enumerate().any(|(j, &other)| {
            let distance = self.seconds(other.hump.tick.abs_diff(candidate.hump.tick));
            let close = j != i && !other.settled && distance < REFRACTORY_S;
            close && self.log_odds(other).map_or(other.hump.height > candidate.hump.height, |odds| odds > log_odds)
        })
    }

    fn take_overdue(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let overdue = OVERDUE * self.levels.rhythm().interval_s + SETTLING_S;
        if self.since_s(context.now).is_some_and(|since| since > overdue) {
            self.take_best_before(context.now, context, beats);
        }
    }

    /// The best of the weak humps before `end`, if any is possible at all.
    fn take_best_before(&mut self, end: u64, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let refractory = (REFRACTORY_S * self.rate_hz as f32) as u64;
        let settled =
            self.pending.iter().enumerate().filter(|(_, other)| other.settled && other.hump.tick + refractory < end);
        let rated = settled.filter_map(|(i, &candidate)| Some((i, self.log_odds(candidate)?)));
        if let Some((i, log_odds)) = rated.max_by(|a, b| a.1.total_cmp(&b.1))
            && log_odds > POSSIBLE
        {
            self.take(i, context, beats);
        }
    }

    fn take(&mut self, i: usize, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let candidate = self.pending[i];
        let skipped = OVERDUE * self.levels.rhythm().interval_s;
        if !candidate.settled && self.since_s(candidate.hump.tick).is_some_and(|since| since > skipped) {
            self.take_best_before(candidate.hump.tick, context, beats);
        }
        let odds = self.log_odds(candidate).unwrap_or(0.0);
        self.emit(candidate.sample, 1.0 / (1.0 + (-odds).exp()), beats);
        self.follow_rhythm(candidate.hump.tick);
        self.learn(candidate, context);
        self.drop_undecided(candidate.hump.tick);
    }

    /// A beat's interval, before anything is judged against the next.
    fn follow_rhythm(&mut self, tick: u64) {
        if let Some(interval) = self.since_s(tick).filter(|&interval| interval < LONGEST_INTERVAL_S) {
            self.levels.learn_interval(interval);
        }
        self.last = Some(tick);
        self.silent_since = tick;
        self.rivals = 0.0;
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
        let refractory = (REFRACTORY_S * self.rate_hz as f32) as u64;
        self.pending.retain(|candidate| candidate.taken || candidate.hump.tick > tick + refractory);
    }

    fn reject(&mut self, i: usize) {
        let candidate = self.pending.remove(i);
        let far = self.since_s(candidate.hump.tick).is_none_or(|since| since >= REFRACTORY_S);
        if far && !candidate.settled {
            self.count_as_noise(candidate.hump);
        }
    }

    fn count_as_noise(&mut self, hump: Hump) {
        self.levels.learn_noise(hump.height);
        self.rivals = self.rivals.max(hump.height);
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
    fn mind_silence(&mut self, now: u64) {
        if self.levels.known() && self.seconds(now.saturating_sub(self.silent_since)) > SILENCE_S {
            self.levels.forget();
            self.silent_since = now;
            self.last = None;
            self.pending.clear();
        }
    }

    fn log_odds(&self, candidate: Candidate) -> Option<f32> {
        let rhythm = self.levels.rhythm();
        let since = self.since_s(candidate.hump.tick).unwrap_or(rhythm.interval_s);
        candidate.evidence.map(|evidence| evidence.log_odds(since, rhythm))
    }

    fn emit(&mut self, sample: f64, quality: f32, beats: &mut Vec<DetectedBeat>) {
        beats.push(DetectedBeat { sample: sample.max(0.0), quality, after_gap: self.after_gap });
        self.after_gap = false;
    }

    fn seconds(&self, ticks: u64) -> f32 {
        (ticks as f64 / self.rate_hz) as f32
    }

    /// Seconds from the latest beat to `tick`.
    fn since_s(&self, tick: u64) -> Option<f32> {
        self.last.map(|last| self.seconds(tick.saturating_sub(last)))
    }
}
