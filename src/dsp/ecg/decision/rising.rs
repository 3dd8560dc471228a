//! Beats that are taken while their hump still rises, so that they come out within 50 ms.

use super::super::{DetectedBeat, path};
use super::learning::soundness;
use super::{Context, Decision, FLOOR_MV, Moment};

/// A rising hump is a beat when it exceeds these shares of the level of beats and of the highest recent noise, this
/// long (in seconds, and in typical RR intervals) after the last beat.
const RISING_OVER_BEATS: f32 = 0.55;
const RISING_OVER_NOISE: f32 = 2.5;
const RISING_AFTER_S: f32 = 0.36;
const RISING_AFTER_INTERVALS: f32 = 0.6;
/// From such a hump's share to its peak, in seconds.
const RISE_S: f64 = 0.02;

impl Decision {
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
        self.emit((moment.peak_near)(peak), soundness(self.likeness), beats);
        self.follow_rhythm(peak, true);
        self.drop_undecided(peak);
    }
}
