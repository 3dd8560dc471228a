//! A row whose follower takes the events of a signal one by one. It says things later than detectors find events, so it
//! has windows of its own, which close when it has spoken about all of their time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::native::{Follower, Verdict, find};
use crate::id::SignalCode;
use crate::registry::{Algorithm, Registry};
use crate::signal::Beat;
use crate::time::{Instant, Interval};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Row id.
    pub(super) row: String,
    /// What it follows.
    pub(super) input: SignalCode,
    pub(super) lane: Lane,
    verdicts: VecDeque<Verdict>,
    /// The last verdict that was dropped.
    before: Option<Verdict>,
    follower: Follower,
}

impl Watch {
    /// The watches on a signal.
    pub(super) fn on(registry: &Registry, signal: &SignalCode) -> Vec<Self> {
        let rows = registry.algorithms.values().filter(|row| &row.input == signal && row.with.is_empty());
        rows.filter_map(Self::new).collect()
    }

    fn new(row: &Algorithm) -> Option<Self> {
        let follower = find(&row.native)?.follower?();
        let (input, lane) = (row.input.clone(), Lane::new(row.window_s));
        Some(Self { row: row.id.clone(), input, lane, verdicts: VecDeque::new(), before: None, follower })
    }

    pub(super) fn push(&mut self, beat: &Beat) {
        let verdicts = self.follower.push(beat);
        self.verdicts.extend(verdicts);
    }

    /// No event before `horizon` is to come: up to where nothing more will be said.
    pub(super) fn settle(&mut self, horizon: Instant) -> Instant {
        let verdicts = self.follower.quiet_until(horizon);
        self.verdicts.extend(verdicts);
        self.follower.horizon(horizon)
    }

    pub(super) fn flush(&mut self) {
        let verdicts = self.follower.flush();
        self.verdicts.extend(verdicts);
    }

    /// What was said about the time in a window, and the last before it.
    pub(super) fn about(&self, window: Interval) -> (Vec<Verdict>, Option<Verdict>) {
        let before = self.verdicts.iter().rfind(|v| v.at < window.start).copied().or(self.before);
        (self.verdicts.iter().filter(|v| window.contains(v.at)).copied().collect(), before)
    }

    /// Drops what no open window can need.
    pub(super) fn forget(&mut self) {
        let Some(needed) = self.lane.oldest_start() else { return };
        while self.verdicts.front().is_some_and(|v| v.at < needed) {
            self.before = self.verdicts.pop_front();
        }
    }
}
