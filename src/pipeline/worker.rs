//! A thread that runs the algorithms of its share of the streams.
//!
//! A stream is brought up from its newest checkpoint and the journal after it, whether the server just started, its device
//! just got a patient, or a packet came so late that the stream has to go back: one way for all of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::claim::{claims, drafts};
use super::committer::{Commits, Finished, insist};
use super::later::{Later, Series, draw_strip};
use super::live::{Live, raised};
use super::{Parts, Work, sensor, together};
use crate::algorithm::PacketSeen;
use crate::fhir::Element;
use crate::packet::{PacketError, RawPacket};
use crate::pipeline::track::Track;
use crate::projection::{self, Batch, Organization, ProjectionError, Prompt};
use crate::registry::{ClockKind, Registry};
use crate::resource::Resource;
use crate::session::clock::{Clock, Discipline, Segment};
use crate::session::{Arrival, Sequencer};
use crate::store::{Checkpoint, Commit, Entry, KnownClock, Lease, NewEntry, Raised, StoreError, StreamId};
use crate::time::Instant;

/// Work waiting for a worker before the tail waits.
const QUEUE: usize = 8;
/// How long something waits before it is brought to an end.
const PAUSE: Duration = Duration::from_secs(3);
/// Packets in one read of a stream's journal.
const PAGE: i64 = 512;
/// Windows with series that may wait for a quiet moment.
const MOST_LATER: usize = 1024;

/// What a worker turns to.
enum Next {
    Work(Work),
    /// Something has waited long enough to be brought to an end.
    Pause,
    /// There is room in the committer's queue for what can wait.
    Room(mpsc::OwnedPermit<Finished>),
}

struct Worker {
    number: usize,
    parts: Parts,
    runtime: Handle,
    commits: Commits,
    /// What waits for a quiet moment, in the order it happened.
    later: VecDeque<Later>,
    /// Streams this process holds, where it shares the database; most of them rest and are in nobody's memory.
    leases: BTreeMap<StreamId, Lease>,
    live: BTreeMap<StreamId, Live>,
    /// Streams whose device was never with anybody.
    orphans: BTreeSet<StreamId>,
    /// Streams with something that may never become complete by itself: packets that wait for one before them, windows of a
    /// stretch of time that is over.
    restless: BTreeSet<StreamId>,
    /// When the first of them became so.
    restless_since: Option<tokio::time::Instant>,
    /// Algorithms' Devices, organizations and coincident timestamps as last handed over: they come with every batch and hardly ever
    /// change.
    known: BTreeMap<String, Element>,
}

pub(super) fn start(number: usize, parts: &Parts, commits: Commits) -> std::io::Result<mpsc::Sender<Work>> {
    let (tx, rx) = mpsc::channel(QUEUE);
    let worker = Worker {
        number,
        parts: parts.clone(),
        runtime: Handle::current(),
        commits,
        later: VecDeque::new(),
        leases: BTreeMap::new(),
        live: BTreeMap::new(),
        orphans: BTreeSet::new(),
        restless: BTreeSet::new(),
        restless_since: None,
        known: BTreeMap::new(),
    };
    std::thread::Builder::new().name(format!("pipeline-{number}")).spawn(move || worker.run(rx))?;
    Ok(tx)
}

impl Worker {
    fn run(mut self, mut queue: mpsc::Receiver<Work>) {
        while let Some(next) = self.next(&mut queue) {
            match next {
                Next::Work(Work::Entries(entries)) => entries.into_iter().for_each(|entry| self.entry(entry)),
                Next::Work(Work::Load(leases)) => self.take_up(leases),
                Next::Work(Work::Drop(streams)) => {
                    for stream in streams {
                        self.forget(stream);
                        self.leases.remove(&stream);
                    }
                    // What was handed over for them may have been refused.
                    self.known.clear();
                }
                Next::Work(Work::Reached(position)) => self.last().reached = Some((self.number, position)),
                Next::Pause => self.settle(),
                Next::Room(room) => {
                    if let Some(finished) = self.oldest() {
                        room.send(finished);
                    }
                }
            }
        }
    }

    /// What there is to do now: packets first. None when the server stops; then the journal still has what was not stored.
    fn next(&self, queue: &mut mpsc::Receiver<Work>) -> Option<Next> {
        let (pause, waits) = (self.restless_since.map(|since| since + PAUSE), !self.later.is_empty());
        // However much comes in: what waits has waited long enough.
        if pause.is_some_and(|due| due <= tokio::time::Instant::now()) {
            return Some(Next::Pause);
        }
        if pause.is_none() && !waits {
            return queue.blocking_recv().map(Next::Work);
        }
        let pause = async { tokio::time::sleep_until(pause.unwrap_or_else(tokio::time::Instant::now)).await };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                work = queue.recv() => work.map(Next::Work),
                () = pause, if self.restless_since.is_some() => Some(Next::Pause),
                room = self.commits.later.clone().reserve_owned(), if waits => room.ok().map(Next::Room),
            }
        })
    }

    /// Brings what has waited long enough to an end.
    fn settle(&mut self) {
        self.restless_since = None;
        for stream in std::mem::take(&mut self.restless) {
            if let (Some(first), Some(lease)) = (self.wind_up(stream), self.lease(stream)) {
                self.load(lease, Some(first));
            }
        }
    }

    /// The end of what waits: what is noted there is true when everything up to now is stored.
    fn last(&mut self) -> &mut Finished {
        let last = self.later.pop_back().unwrap_or_default();
        self.later.push_back(last);
        let place = self.later.len() - 1;
        &mut self.later[place].finished
    }

    /// Makes what has waited longest.
    fn oldest(&mut self) -> Option<Finished> {
        let Later { mut finished, series } = self.later.pop_front()?;
        let Some(series) = series else { return Some(finished) };
        let (batches, mut commit) = series.into_parts();
        for batch in &batches {
            let projected = self.project_series(batch);
            let news = projected.into_iter().filter(|r| self.is_news(r, batch)).collect();
            commit.drafts.extend(drafts(&self.parts.store, &commit.tenant, news));
        }
        finished.commit = Some(commit);
        Some(finished)
    }

    /// Puts something at the end of what waits; when that is too much, the oldest is made at once.
    fn put_off(&mut self, later: Later) {
        self.later.push_back(later);
        while self.later.len() > MOST_LATER {
            if let Some(finished) = self.oldest() {
                // The committer only goes away when the server stops.
                let _ = self.commits.later.blocking_send(finished);
            }
        }
    }

    /// Brings streams up from their checkpoints. Where processes share the database most of those that come rest, and are
    /// left until they have a packet.
    fn take_up(&mut self, leases: Vec<Lease>) {
        let mut due = leases;
        if self.parts.store.is_shared() {
            // What was handed over under earlier leases may have been refused.
            self.known.clear();
            due.iter().for_each(|lease| self.forget(lease.stream));
            self.leases.extend(due.iter().map(|lease| (lease.stream, *lease)));
            let resting = self.split_off_resting(&mut due);
            self.done(resting.len());
            self.last().ready.extend(resting);
        }
        for lease in due {
            self.load(lease, None);
            self.last().ready.push(lease);
            self.done(1);
        }
    }

    /// Takes out streams the journal has nothing new for. That is the journal as it is now, after the leases were got: what
    /// comes later comes as an entry.
    fn split_off_resting(&self, leases: &mut Vec<Lease>) -> Vec<Lease> {
        let streams: Vec<StreamId> = leases.iter().map(|lease| lease.stream).collect();
        let look = insist("streams cannot be taken up", || self.parts.store.unfinished_among(&streams));
        let unfinished: BTreeSet<StreamId> = self.runtime.block_on(look).into_iter().collect();
        leases.extract_if(.., |lease| !unfinished.contains(&lease.stream)).collect()
    }

    /// The lease of a stream, if this process holds it.
    fn lease(&self, stream: StreamId) -> Option<Lease> {
        if self.parts.store.is_shared() { self.leases.get(&stream).copied() } else { Some(Lease::sole(stream)) }
    }

    fn forget(&mut self, stream: StreamId) {
        self.live.remove(&stream);
        self.restless.remove(&stream);
        if self.orphans.remove(&stream) {
            self.parts.telemetry.orphans(-1);
        }
    }

    fn entry(&mut self, entry: Entry) {
        let stream = entry.stream;
        let is_known = self.live.contains_key(&stream) || self.orphans.contains(&stream);
        if let Some(lease) = self.lease(stream).filter(|_| !is_known) {
            self.load(lease, None);
        }
        let Some(live) = self.live.get_mut(&stream) else {
            // Orphaned: it stays in the journal until its device is with somebody. Or this process has got the stream just
            // now or lost it: then whoever is told to load it finds the packet in the journal.
            self.done(1);
            return;
        };
        if entry.position <= live.position {
            self.done(1);
            return;
        }
        let sequence = entry.sequence;
        live.position = entry.position;
        if live.sequencer.offer(sequence, entry) == Arrival::Late {
            self.parts.telemetry.rewound();
            let lease = live.lease;
            self.load(lease, Some(sequence));
            self.done(1);
            return;
        }
        let lease = live.lease;
        if let Some(first) = self.pump(stream, 1) {
            self.load(lease, Some(first));
        }
    }

    /// Brings a stream up from the newest checkpoint that has not read past `before`.
    fn load(&mut self, lease: Lease, mut before: Option<u64>) {
        loop {
            match self.try_load(lease, before) {
                Ok(None) => return,
                Ok(first) => before = first,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "stream cannot be loaded, trying again");
                    std::thread::sleep(std::time::Duration::from_millis(500));
                }
            }
        }
    }

    /// Tries to; gives the packet it has to go back to when more became known of the clock on the way.
    fn try_load(&mut self, lease: Lease, before: Option<u64>) -> Result<Option<u64>, StoreError> {
        let store = self.parts.store.clone();
        let runtime = self.runtime.clone();
        let stream = lease.stream;
        self.forget(stream);
        let key = runtime.block_on(store.stream_key(stream))?;
        let associations = runtime.block_on(store.associations(&key.tenant, &key.device))?;
        if associations.revision == 0 {
            self.orphans.insert(stream);
            self.parts.telemetry.orphans(1);
            return Ok(None);
        }
        // The journal as it is now: what becomes durable while the stream is read comes as an entry afterwards, and may
        // be late.
        let until = runtime.block_on(store.last_position())?;
        let overtaken = runtime.block_on(store.overtaken(stream))?;
        if let Some(from) = overtaken {
            let taken_back = store.take_back(&key, lease, from, &associations.spans, &self.parts);
            if !runtime.block_on(taken_back)? {
                return Ok(None);
            }
            self.known.clear();
        }
        let mut checkpoint = runtime.block_on(store.checkpoint(stream, before))?;
        while let Some(found) = &checkpoint {
            let Some(late) = runtime.block_on(store.late(stream, found.position, found.sequence))? else { break };
            checkpoint = runtime.block_on(store.checkpoint(stream, Some(late)))?;
        }
        let state = checkpoint.as_ref().map(|c| c.state.as_slice());
        let clock = runtime.block_on(store.clock(stream))?;
        let clock = clock_of(&self.parts.registry, self.parts.clock_bound_us, associations.model.as_deref(), clock);
        let track = Track::resume(&self.parts.registry, &key, associations, state);
        let sequencer = Sequencer::new(checkpoint.as_ref().map(|c| c.sequence));
        let (stated, gave_series) = (Vec::new(), false);
        let first = checkpoint.map_or(0, |c| c.sequence);
        let doubtful = runtime.block_on(store.raised_after(stream, first))?;
        let live = Live { lease, track, sequencer, clock, position: until, stated, doubtful, gave_series };
        self.live.insert(stream, live);
        let mut from = first;
        loop {
            let page = runtime.block_on(store.read_stream(stream, from, until, PAGE))?;
            let Some(last) = page.last() else { break };
            from = last.sequence + 1;
            for entry in page {
                if let Some(live) = self.live.get_mut(&stream) {
                    live.sequencer.offer(entry.sequence, entry);
                }
                if let Some(first) = self.pump(stream, 0) {
                    return Ok(Some(first));
                }
            }
        }
        // Also when it gave nothing: that it was computed under this revision has to be known.
        if overtaken.is_some() || (from > first && self.live.get(&stream).is_some_and(|live| live.track.is_over())) {
            return Ok(self.wind_up(stream));
        }
        Ok(None)
    }

    /// Brings what waits to an end: packets behind one that has not come, windows of a stretch of time that is over. Should
    /// more come for them after all, the stream goes back, or goes on from before, and gives them anew.
    ///
    /// Gives the packet the stream has to go back to instead, where that became known on the way.
    fn wind_up(&mut self, stream: StreamId) -> Option<u64> {
        while let Some((_, entry)) = self.live.get_mut(&stream).and_then(|live| live.sequencer.drain()) {
            if let Some(first) = self.take(stream, &entry, &mut 0) {
                return Some(first);
            }
        }
        let registry = Arc::clone(&self.parts.registry);
        let live = self.live.get(&stream)?;
        let newest = live.track.newest()?;
        let batches = if live.track.is_over() { live.track.open(&registry) } else { Vec::new() };
        self.give(stream, newest, batches, &mut 0);
        self.restless.remove(&stream);
        None
    }

    /// Processes what is in order; `packets` are done with it. Gives the packet the stream has to go back to, if it has to.
    fn pump(&mut self, stream: StreamId, mut packets: usize) -> Option<u64> {
        while let Some((_, entry)) = self.live.get_mut(&stream).and_then(|live| live.sequencer.next()) {
            if let Some(first) = self.take(stream, &entry, &mut packets) {
                self.done(packets);
                return Some(first);
            }
        }
        if self.live.get(&stream).is_some_and(|live| live.sequencer.held() > 0 || live.track.is_over()) {
            self.restless.insert(stream);
            self.restless_since.get_or_insert_with(tokio::time::Instant::now);
        }
        self.done(packets);
        None
    }

    /// Processes a packet and hands over what it gave, with `packets` that are done with it. Gives the packet the stream has
    /// to go back to instead, if it has to; it comes to this one again then.
    fn take(&mut self, stream: StreamId, entry: &Entry, packets: &mut usize) -> Option<u64> {
        if let Some(first) = self.tell_the_time(stream, entry) {
            return Some(first);
        }
        match self.process(stream, entry) {
            Ok(batches) => {
                if let Some(event) = batches.iter().map(|batch| batch.window.end).max() {
                    self.give(stream, event, batches, packets);
                }
            }
            Err(error) => self.set_aside(entry, &error.to_string()),
        }
        None
    }

    /// Lets a stream's clock see a packet. Gives an earlier packet when its time, and that of all since, is another one now.
    fn tell_the_time(&mut self, stream: StreamId, entry: &Entry) -> Option<u64> {
        let live = self.live.get_mut(&stream)?;
        let first = live.clock.observe(entry.sequence, entry.device, entry.received)?;
        if first >= entry.sequence {
            return None;
        }
        let (lease, known) = (live.lease, known(&live.clock));
        let store = self.parts.store.clone();
        self.runtime.block_on(insist("clock cannot be stored", || store.set_clock(lease, &known, first)));
        Some(first)
    }

    /// Packets are done with when all that was handed over before is stored, so word of it waits behind it.
    fn done(&mut self, packets: usize) {
        if packets > 0 {
            self.last().packets += packets;
        }
    }

    fn process(&mut self, stream: StreamId, entry: &Entry) -> Result<Vec<Batch>, PacketError> {
        let Some(live) = self.live.get_mut(&stream) else { return Ok(Vec::new()) };
        let seen = PacketSeen { sequence: entry.sequence, sha256: entry.sha256 };
        let time = live.clock.read(entry.sequence, entry.device);
        live.track.push(&self.parts.registry, &RawPacket::from_canonical(&entry.packet)?, &seen, &time)
    }

    /// Hands over what a stream gave: values at once, series later, and the state with what comes last, so that it is never
    /// stored before what led to it. Everything before `event` has been given out; `packets` are done with it.
    fn give(&mut self, stream: StreamId, event: Instant, mut batches: Vec<Batch>, packets: &mut usize) {
        let registry = Arc::clone(&self.parts.registry);
        let Some(live) = self.live.get_mut(&stream) else { return };
        let (Some(sequence), Some(newest)) = (live.sequencer.expected(), live.track.newest()) else { return };
        let checkpoint = Checkpoint {
            stream,
            event,
            sequence,
            position: live.position,
            newest,
            revision: live.track.revision(),
            state: live.track.save(),
        };
        live.gave_series |= batches.iter().any(projection::has_series);
        let statement = Some(sensor::statement(&live.track)).filter(|said| said.body != live.stated);
        if let Some(said) = &statement {
            live.stated.clone_from(&said.body);
        }
        let raised: Vec<Raised> = batches.iter().flat_map(|batch| raised(batch, sequence)).collect();
        let segment = live.clock.segment(sequence.saturating_sub(1)).filter(|s| s.corrects).cloned();
        let (waits, clock) = (live.gave_series, known(&live.clock));
        let mut soon = Box::new(Commit {
            tenant: live.track.key().tenant.clone(),
            drafts: Vec::new(),
            contributions: batches.iter().flat_map(|batch| together::contributions(&registry, batch)).collect(),
            claims: Vec::new(),
            withdrawn: live.withdrawn(&raised, sequence),
            raised,
            packets: span(&batches),
            episodes: batches.iter().filter_map(|batch| batch.origin.episode.clone()).collect(),
            statement,
            event,
            position: checkpoint.position,
            revision: checkpoint.revision,
            clock,
            checkpoint: Some(checkpoint),
            lease: live.lease,
        });
        for batch in &batches {
            self.project_prompt(batch, &mut soon);
        }
        let coincident = segment.zip(batches.first()).and_then(|(segment, batch)| self.coincident(batch, &segment));
        soon.drafts.extend(drafts(&self.parts.store, &soon.tenant, coincident.into_iter().collect()));
        let finished = Finished { packets: std::mem::take(packets), ..Finished::default() };
        if !waits {
            self.hand_over(Finished { commit: Some(soon), ..finished });
            return;
        }
        batches.retain(projection::has_series);
        let commit = Box::new(soon.split_off_state());
        self.hand_over(Finished { commit: Some(soon), ..Finished::default() });
        self.put_off(Later { finished, series: Some(Series::new(batches, commit)) });
    }

    fn hand_over(&self, finished: Finished) {
        // The committer only goes away when the server stops; then the journal still has the packets.
        let _ = self.commits.soon.blocking_send(finished);
    }

    /// Adds what of a batch is stored at once, with who answers for it.
    fn project_prompt(&mut self, batch: &Batch, commit: &mut Commit) {
        let organization = Organization::of(&batch.origin.tenant, &self.parts.organization);
        let registry = Arc::clone(&self.parts.registry);
        let draw = |block: &_, paper, lead: Option<&str>, quality| draw_strip(&registry, block, paper, lead, quality);
        match projection::prompt(batch, &registry, &organization, &draw) {
            Ok(Prompt { values, contested }) => {
                let (claims, others) = claims(&self.parts.store, &batch.origin, contested);
                let all = std::iter::once(organization.resource()).chain(values).chain(others);
                let news = all.filter(|r| self.is_news(r, batch)).collect();
                commit.drafts.extend(drafts(&self.parts.store, &commit.tenant, news));
                commit.claims.extend(claims);
            }
            Err(error) => has_no_form(&error),
        }
    }

    /// The series of a batch.
    fn project_series(&self, batch: &Batch) -> Vec<Resource> {
        let organization = Organization::of(&batch.origin.tenant, &self.parts.organization);
        let registry = &self.parts.registry;
        let draw = |block: &_, paper, lead: Option<&str>, quality| draw_strip(registry, block, paper, lead, quality);
        projection::series(batch, registry, &organization, &draw).unwrap_or_else(|error| {
            has_no_form(&error);
            Vec::new()
        })
    }

    /// What the device's clock showed, if that has not been written just so.
    fn coincident(&mut self, batch: &Batch, segment: &Segment) -> Option<Resource> {
        let organization = Organization::of(&batch.origin.tenant, &self.parts.organization);
        let resource = projection::coincident_timestamp(&batch.origin, segment, &organization);
        self.is_unknown(&resource, batch).then_some(resource)
    }

    /// Whether a resource has to be written: always, but for devices and organizations that are as they were.
    fn is_news(&mut self, resource: &Resource, batch: &Batch) -> bool {
        !matches!(resource.kind.as_str(), "Device" | "Organization") || self.is_unknown(resource, batch)
    }

    /// Whether a resource is another than it was when last handed over.
    fn is_unknown(&mut self, resource: &Resource, batch: &Batch) -> bool {
        let key = format!("{}/{}", batch.origin.tenant, resource.reference());
        if self.known.get(&key) == Some(&resource.element) {
            return false;
        }
        self.known.insert(key, resource.element.clone());
        true
    }

    fn set_aside(&self, entry: &Entry, reason: &str) {
        tracing::warn!(stream = entry.stream, sequence = entry.sequence, reason, "packet put into quarantine");
        self.parts.telemetry.quarantined();
        let aside = NewEntry {
            stream: entry.stream,
            sequence: entry.sequence,
            received: entry.received,
            device: entry.device,
            sha256: entry.sha256,
            packet: entry.packet.clone(),
        };
        self.runtime.block_on(insist("quarantine failed", || self.parts.store.quarantine(&aside, reason)));
    }
}

/// The rows are at fault, which a check at the start excludes, and not a packet.
fn has_no_form(error: &ProjectionError) {
    tracing::error!(error = error as &dyn std::error::Error, "batch has no FHIR form");
}

/// The first and the last of the packets behind batches.
fn span(batches: &[Batch]) -> Option<(u64, u64)> {
    let first = batches.iter().map(|batch| batch.packets.first).min()?;
    Some((first, batches.iter().map(|batch| batch.packets.last).max()?))
}

/// What is known of a device's clock, or nothing yet.
pub(super) fn clock_of(registry: &Registry, bound_us: i64, model: Option<&str>, known: Option<Vec<u8>>) -> Clock {
    let row = model.and_then(|model| registry.devices.get(model));
    let discipline = match row.map(|row| row.clock).unwrap_or_default() {
        ClockKind::Kept => Discipline::Kept { bound_us },
        ClockKind::Free => Discipline::Free,
    };
    let known = known.and_then(|state| postcard::from_bytes::<Clock>(&state).ok());
    known.filter(|clock| clock.discipline() == discipline).unwrap_or_else(|| Clock::new(discipline))
}

fn known(clock: &Clock) -> KnownClock {
    // Plain data always serializes; an empty state would mean surveying the clock anew, not a wrong time.
    KnownClock { revision: clock.revision(), state: postcard::to_stdvec(clock).unwrap_or_default() }
}
