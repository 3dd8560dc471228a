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
    /// Quality of the signal at that moment, or of the event where the signal's is not known.
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
    /// Quality of the signal up to each of these times, from the one before on.
    spans: VecDeque<(Instant, Quality)>,
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
            spans: VecDeque::new(),
        })
    }

    pub(super) fn push(&mut self, beat: &Beat) {
        if self.heard.is_some() {
            self.unjudged.push_back((beat.at, beat.quality));
        }
        let verdicts = self.follower.push(beat);
        self.keep(verdicts);
    }

    /// Tells the quality of the signal up to a time.
    pub(super) fn weigh(&mut self, until: Instant, quality: Quality) {
        if self.heard.is_some() {
            self.spans.push_back((until, quality));
        }
    }

    fn keep(&mut self, verdicts: Vec<Verdict>) {
        if let Some(signal) = &self.heard {
            for verdict in &verdicts {
                drop_until(&mut self.unjudged, |at| at < verdict.at);
                drop_until(&mut self.spans, |until| until <= verdict.at);
                let event = self.unjudged.front().filter(|(at, _)| *at == verdict.at);
                // Of a beat that is the last of its stream no more is known than how sure it is.
                let quality = self.spans.front().or(event).map(|(_, quality)| *quality);
                let packets = self.lane.packets_at(verdict.at);
                self.said.extend(event.and(quality).zip(packets).map(|(quality, packets)| Said {
                    signal: signal.clone(),
                    at: verdict.at,
                    code: verdict.rhythm(),
                    quality,
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

/// Drops the first entries, as long as their time is one of these.
fn drop_until(entries: &mut VecDeque<(Instant, Quality)>, is_past: impl Fn(Instant) -> bool) {
    while entries.front().is_some_and(|(at, _)| is_past(*at)) {
        entries.pop_front();
    }
}
