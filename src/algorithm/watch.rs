//! A row whose follower takes the events of a signal one by one. It says things later than detectors find events, so it
//! has windows of its own, which close when it has spoken about all of their time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::native::{Follower, Verdict, find};
use crate::id::SignalCode;
use crate::registry::{Algorithm, Registry};
use crate::signal::Beat;
use crate::time::Instant;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Watch {
    /// Row id.
    pub(super) row: String,
    /// What it follows.
    pub(super) input: SignalCode,
    pub(super) lane: Lane,
    pub(super) verdicts: VecDeque<Verdict>,
    follower: Follower,
}

impl Watch {
    /// The watches on a signal.
    pub(super) fn on(registry: &Registry, signal: &SignalCode) -> Vec<Self> {
        let rows = registry.algorithms.values().filter(|row| &row.input == signal);
        rows.filter_map(Self::new).collect()
    }

    fn new(row: &Algorithm) -> Option<Self> {
        let follower = find(&row.native)?.follower?();
        let (input, lane) = (row.input.clone(), Lane::new(row.window_s));
        Some(Self { row: row.id.clone(), input, lane, verdicts: VecDeque::new(), follower })
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

    /// Drops what no open window can need.
    pub(super) fn forget(&mut self) {
        let Some(needed) = self.lane.oldest_start() else { return };
        while self.verdicts.front().is_some_and(|v| v.at < needed) {
            self.verdicts.pop_front();
        }
    }
}
