//! Measuring humps, and the verdict on those that are clear or whose time is up.

use super::super::score::Observation;
use super::super::{DetectedBeat, path};
use super::learning::soundness;
use super::{Candidate, Context, Decision, MATURITY_S, Measured, PATIENCE_S, REFRACTORY_S};

/// Log odds at which a hump is a beat at once, and at which it is one when nothing better has come up by `LIKELY_S` after
/// it: beats are to be out 150 ms after their R peak, and the envelope is 60 ms late.
const CLEAR: f32 = 3.0;
const LIKELY: f32 = 2.0;
pub(super) const LIKELY_S: f32 = 0.08;
/// Log odds at which a beat's interval says something about the rhythm; at which its height and shape are learned from.
const SURE: f32 = 2.0;
const LEARNABLE: f32 = 1.0;
/// A hump with log odds within this of zero is doubtful: for `WARY_S` afterwards no beat is taken while it rises.
const DOUBTFUL: f32 = 3.0;
const WARY_S: f64 = 6.0;

/// What becomes of a hump.
enum Verdict {
    Wait,
    Drop,
    Beat,
    Decide,
}

impl Decision {
    /// Looks closely at humps whose surroundings have become known.
    pub(super) fn measure(&mut self, context: &Context) {
        let maturity = self.ticks(MATURITY_S as f32);
        for i in 0..self.pending.len() {
            let candidate = self.pending[i];
            let age = context.now.saturating_sub(candidate.hump.tick);
            if candidate.measured.is_some() || age < maturity {
                continue;
            }
            let age = age as usize;
            let measured = Measured {
                heights: context.bands.heights(candidate.hump.height, age),
                surroundings: context.bands.surroundings(age),
                likeness: context.bands.likeness(&self.templates, age),
            };
            self.pending[i].measured = Some(measured);
            self.learn_stranger(measured, context, age);
            if candidate.taken {
                self.note_likeness(self.pending[i]);
                self.learn(self.pending[i], context);
            }
        }
    }

    pub(super) fn judge(&mut self, context: &Context, beats: &mut Vec<DetectedBeat>) {
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
        let age = self.seconds(now.saturating_sub(candidate.hump.tick));
        let enough = if age >= LIKELY_S { LIKELY } else { CLEAR };
        if log_odds > enough && !self.has_rival(i, log_odds) {
            return Verdict::Beat;
        }
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
    pub(super) fn take_path(&mut self, path: Vec<usize>, context: &Context, beats: &mut Vec<DetectedBeat>) {
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

    pub(super) fn emit(&mut self, sample: f64, quality: f32, beats: &mut Vec<DetectedBeat>) {
        beats.push(DetectedBeat { sample: sample.max(0.0), quality, after_gap: self.after_gap });
        self.after_gap = false;
    }
}
