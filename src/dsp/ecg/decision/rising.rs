//! Beats that are taken while their hump still rises, so that they come out within 50 ms.

use super::super::{DetectedBeat, path};
use super::learning::soundness;
use super::{Context, Decision, FLOOR_MV, Moment};
use serde::{Deserialize, Serialize};

/// A rising hump is a beat when it exceeds these shares of the level of beats and of the highest recent noise, this
/// long (in seconds, and in typical RR intervals) after the last beat.
const RISING_OVER_BEATS: f32 = 0.55;
const RISING_OVER_NOISE: f32 = 2.5;
const RISING_AFTER_S: f32 = 0.36;
const RISING_AFTER_INTERVALS: f32 = 0.6;
/// From such a hump's share to its peak, in seconds.
const RISE_S: f64 = 0.02;
/// Such a beat comes out at most so much later, when more of its QRS complex is seen and the R peak is placed better.
/// Shorter than `RISE_S`, so that the horizon has not passed the beat by then.
const HOLD_S: f64 = 0.012;

/// A beat that is certain, but whose R peak is not wholly seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Owed {
    peak: u64,
    /// The R peak as far as it was seen when the beat was taken.
    sample: f64,
    quality: f32,
    due: u64,
}

impl Decision {
    /// Emits the beat that was taken while it rose, once enough of it is seen.
    pub(super) fn settle(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        if let Some(owed) = self.owed.take_if(|owed| moment.tick >= owed.due || moment.hump.is_some()) {
            self.emit((moment.peak_near)(owed.peak), owed.quality, beats);
        }
    }

    /// The signal ended before enough of it was seen.
    pub(super) fn settle_unseen(&mut self, beats: &mut Vec<DetectedBeat>) {
        if let Some(owed) = self.owed.take() {
            self.emit(owed.sample, owed.quality, beats);
        }
    }

    /// So far above everything lately that it is a beat, whatever follows.
    pub(super) fn stands_out(&self, moment: &Moment) -> bool {
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

    pub(super) fn take_rising(&mut self, moment: &Moment, beats: &mut Vec<DetectedBeat>) {
        let peak = moment.tick + (RISE_S * self.rate_hz) as u64;
        let context = Context { now: moment.tick, bands: moment.bands };
        self.take_path(path::before(self, peak), &context, beats);
        self.rising_taken = Some(self.since_or_typical(peak));
        let due = moment.tick + (HOLD_S * self.rate_hz) as u64;
        let sample = (moment.peak_near)(peak);
        self.owed = Some(Owed { peak, sample, quality: soundness(self.likeness), due });
        self.follow_rhythm(peak, true);
        self.drop_undecided(peak);
    }
}
