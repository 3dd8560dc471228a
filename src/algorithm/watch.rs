//! A row whose follower takes the events of a signal one by one. It says things later than detectors find events, so it
//! has windows of its own, which close when it has spoken about all of their time.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::lane::Lane;
use super::native::{Follower, Verdict, find};
use crate::id::SignalCode;
use crate::registry::{Algorithm, Registry};
use crate::signal::{Beat, PacketRange, Quality};
use crate::time::{Instant, Interval};

/// What a follower said of a moment, for the rules of `registry/alert`: they need not wait for a window to close.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The signal.
    pub signal: SignalCode,
    /// The moment.
    pub at: Instant,
    /// A code of the signal's value list.
    pub code: &'static str,
    /// Quality of the event at that moment.
    pub quality: Quality,
    /// The packets of its window so far.
    pub packets: PacketRange,
}

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
    /// The signal a rule listens to, and what no rule has taken yet.
    pub(super) heard: Option<SignalCode>,
    #[serde(skip)]
    said: Vec<Said>,
    /// Events nothing has been said about yet, where a rule listens.
    unjudged: VecDeque<(Instant, Quality)>,
}

impl Watch {
    /// The watches on a signal.
    pub(super) fn on(registry: &Registry, signal: &SignalCode) -> Vec<Self> {
        let rows = registry.algorithms.values().filter(|row| &row.input == signal && row.with.is_empty());
        rows.filter_map(|row| Self::new(registry, row)).collect()
    }

    fn new(registry: &Registry, row: &Algorithm) -> Option<Self> {
        let follower = find(&row.native)?.follower?();
        let signal = row.outputs.iter().find(|output| follower.speaks_of() == Some(output.as_str()));
        let heard = signal.filter(|&signal| registry.alerts.values().any(|rule| rule.signal == *signal)).cloned();
        Some(Self {
            row: row.id.clone(),
            input: row.input.clone(),
            lane: Lane::new(row.window_s),
            verdicts: VecDeque::new(),
            before: None,
            follower,
            heard,
            said: Vec::new(),
            unjudged: VecDeque::new(),
        })
    }

    pub(super) fn push(&mut self, beat: &Beat) {
        if self.heard.is_some() {
            self.unjudged.push_back((beat.at, beat.quality));
        }
        let verdicts = self.follower.push(beat);
        self.keep(verdicts);
    }

    fn keep(&mut self, verdicts: Vec<Verdict>) {
        if let Some(signal) = &self.heard {
            for verdict in &verdicts {
                while self.unjudged.front().is_some_and(|(at, _)| *at < verdict.at) {
                    self.unjudged.pop_front();
                }
                let event = self.unjudged.front().filter(|(at, _)| *at == verdict.at);
                let packets = self.lane.packets_at(verdict.at);
                self.said.extend(event.zip(packets).map(|((at, quality), packets)| Said {
                    signal: signal.clone(),
                    at: *at,
                    code: verdict.rhythm(),
                    quality: *quality,
                    packets: packets.clone(),
                }));
            }
        }
        self.verdicts.extend(verdicts);
    }

    /// What was said since this was last asked for.
    pub(super) fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// No event before `horizon` is to come: up to where nothing more will be said.
    pub(super) fn settle(&mut self, horizon: Instant) -> Instant {
        let verdicts = self.follower.quiet_until(horizon);
        self.keep(verdicts);
        self.follower.horizon(horizon)
    }

    pub(super) fn flush(&mut self) {
        let verdicts = self.follower.flush();
        self.keep(verdicts);
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
