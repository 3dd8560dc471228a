//! What a beat, and what was none, teach for the next.

use super::super::DetectedBeat;
use super::super::levels::Heights;
use super::{Candidate, Context, Decision, LEARNING_S, Measured, REFRACTORY_S, SILENCE_S};

/// Of the highest hump, what noise is at most assumed to be after a start.
const FIRST_NOISE_SHARE: f32 = 0.25;
/// After a silence, a hump this much like known beats may be one. It is one if there is another whose height is the same
/// within this factor: noise resembles a beat now and then, but not twice in a row.
const RECOGNIZED: f32 = 0.85;
const SAME_HEIGHT: f32 = 1.5;
/// After a silence this much longer, in seconds, the electrodes may have been moved: shapes are learned again, from humps
/// that exceed these shares of the latest beat and of the envelope's root mean square before them. P waves of a heart
/// whose ventricles stand still are lower, noise seldom stands out so.
const LONG_SILENCE_S: f32 = 30.0;
const STRANGER_OVER_BEAT: f32 = 0.15;
const STRANGER_OVER_SURROUNDINGS: f32 = 2.0;
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
        self.estranged = false;
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
        let measured = || self.pending.iter().filter_map(|candidate| Some((candidate.hump.tick, candidate.measured?)));
        let alike: Vec<(u64, Heights)> = measured()
            .filter(|(_, measured)| measured.likeness.best >= RECOGNIZED)
            .map(|(tick, measured)| (tick, measured.heights))
            .collect();
        let mut heights: Vec<f32> = measured().map(|(_, measured)| measured.heights.qrs).collect();
        heights.sort_by(f32::total_cmp);
        let highest = alike.iter().copied().max_by(|a, b| a.1.qrs.total_cmp(&b.1.qrs));
        let (Some((tick, highest)), Some(middle)) = (highest, heights.get(heights.len() / 2)) else { return };
        let mut others = alike.iter().map(|(tick, heights)| (*tick, heights.qrs)).chain(self.witness);
        let as_before = same_height(self.levels.previous, highest.qrs);
        if self.templates.is_empty() || as_before || others.any(|other| self.confirms(other, tick, highest.qrs)) {
            self.levels.start(highest, middle.min(highest.qrs * FIRST_NOISE_SHARE));
            self.witness = None;
        } else {
            self.witness = Some((tick, highest.qrs));
        }
    }

    /// Whether two humps that look like beats may both be beats of one heart.
    fn confirms(&self, (other_tick, other_height): (u64, f32), tick: u64, height: f32) -> bool {
        let distance_s = self.seconds(tick.abs_diff(other_tick));
        (REFRACTORY_S..LONGEST_INTERVAL_S).contains(&distance_s) && same_height(other_height, height)
    }

    /// After a silence the levels may be wrong (another gain), after a long one the shapes too (another electrode):
    /// they are learned anew.
    pub(super) fn end_silence(&mut self, now: u64) {
        if self.levels.known() {
            self.levels.forget();
            self.last = None;
            self.pending.clear();
            self.witness = None;
        } else {
            self.estranged = true;
        }
        self.silent_until = now + self.ticks(LONG_SILENCE_S);
    }

    /// After a long silence: takes in the shape of a hump that may be a beat nobody has seen before.
    pub(super) fn learn_stranger(&mut self, measured: Measured, context: &Context, age: usize) {
        let least = STRANGER_OVER_BEAT * self.levels.previous;
        let clear = STRANGER_OVER_SURROUNDINGS * measured.surroundings;
        if self.estranged && measured.heights.qrs > least.max(clear) {
            context.bands.learn(&mut self.templates, age);
        }
    }
}

fn same_height(one: f32, other: f32) -> bool {
    one < SAME_HEIGHT * other && other < SAME_HEIGHT * one
}

/// Quality of a beat by its likeness.
pub(super) fn soundness(likeness: f32) -> f32 {
    ((likeness - LIKENESS_BOUNDS.0) / (LIKENESS_BOUNDS.1 - LIKENESS_BOUNDS.0)).clamp(0.0, 1.0)
}
