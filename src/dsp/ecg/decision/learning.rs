//! What a beat, and what was none, teach for the next.

use super::super::DetectedBeat;
use super::super::templates::Templates;
use super::{Candidate, Context, Decision, LEARNING_S, REFRACTORY_S, SILENCE_S};

/// Of the highest hump, what noise is at most assumed to be after a start.
const FIRST_NOISE_SHARE: f32 = 0.25;
/// After a silence, a hump this much like known beats is one; for this long, in seconds, only such a hump is.
const RECOGNIZED: f32 = 0.85;
const LONG_SILENCE_S: f32 = 30.0;
/// A longer interval says nothing about the rhythm, in seconds.
const LONGEST_INTERVAL_S: f32 = 3.0;
/// Share of a beat in the running likeness.
const LIKENESS_RATE: f32 = 0.25;
/// Likeness of noise, and of a sound beat.
const LIKENESS_BOUNDS: (f32, f32) = (0.5, 0.9);

impl Decision {
    /// A beat's interval, before anything is judged against the next.
    pub(super) fn follow_rhythm(&mut self, tick: u64, sure: bool) {
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

    pub(super) fn note_likeness(&mut self, beat: Candidate) {
        if let Some(measured) = beat.measured {
            self.quality.beat(measured.likeness.best);
            self.likeness += LIKENESS_RATE * (measured.likeness.best - self.likeness);
        }
    }

    /// A beat's height and shape.
    pub(super) fn learn(&mut self, candidate: Candidate, context: &Context) {
        let Some(measured) = candidate.measured else { return };
        self.levels.learn_beat(measured.heights);
        let age = context.now.saturating_sub(candidate.hump.tick);
        if context.bands.remembers(age) {
            context.bands.learn(&mut self.templates, age as usize);
        }
    }

    /// After a beat at `tick`, humps before it or in its refractory period cannot be beats any more.
    pub(super) fn drop_undecided(&mut self, tick: u64) {
        let refractory = self.ticks(REFRACTORY_S);
        for candidate in self.pending.iter().filter(|candidate| !candidate.taken) {
            if candidate.hump.tick + refractory < tick {
                self.levels.learn_noise(candidate.hump.height);
            }
        }
        self.pending.retain(|candidate| candidate.taken || candidate.hump.tick > tick + refractory);
    }

    pub(super) fn reject(&mut self, i: usize) {
        let candidate = self.pending.remove(i);
        if self.since_s(candidate.hump.tick).is_none_or(|since| since >= REFRACTORY_S) {
            self.levels.learn_noise(candidate.hump.height);
        }
    }

    pub(super) fn learn_levels(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
        let Some(first) = self.pending.first() else { return };
        if self.seconds(context.now.saturating_sub(first.hump.tick)) < LEARNING_S {
            return;
        }
        self.end_learning();
        if self.levels.known() {
            self.judge(context, beats);
        } else {
            self.pending.remove(0);
        }
    }

    /// The highest hump that looks like a beat is taken for one, the middle hump for noise. In asystole there is none:
    /// the levels stay unknown, and no beats are invented.
    pub(super) fn end_learning(&mut self) {
        let measured = self.pending.iter().filter_map(|candidate| candidate.measured);
        let alike = measured.clone().filter(|measured| measured.likeness.best >= RECOGNIZED);
        let highest = alike.map(|measured| measured.heights).max_by(|a, b| a.qrs.total_cmp(&b.qrs));
        let mut heights: Vec<f32> = measured.map(|measured| measured.heights.qrs).collect();
        heights.sort_by(f32::total_cmp);
        if let (Some(highest), Some(middle)) = (highest, heights.get(heights.len() / 2)) {
            self.levels.start(highest, middle.min(highest.qrs * FIRST_NOISE_SHARE));
        }
    }

    /// After a silence the levels may be wrong (another gain), after a long one the shapes too (another electrode):
    /// they are learned anew.
    pub(super) fn end_silence(&mut self, now: u64) {
        if self.levels.known() {
            self.levels.forget();
            self.last = None;
            self.pending.clear();
        } else {
            self.templates = Templates::default();
        }
        self.silent_until = now + self.ticks(LONG_SILENCE_S);
    }
}

/// Quality of a beat by its likeness.
pub(super) fn soundness(likeness: f32) -> f32 {
    ((likeness - LIKENESS_BOUNDS.0) / (LIKENESS_BOUNDS.1 - LIKENESS_BOUNDS.0)).clamp(0.0, 1.0)
}
