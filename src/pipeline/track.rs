//! One stream's packets to batches: pure, and resumable from its serialized state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::alarms::Alarms;
use crate::algorithm::{Chain, Closed, PacketSeen, Rows, Said};
use crate::device::{self, Frame, Reading};
use crate::id::{EpisodeId, ResourceId, SignalCode};
use crate::packet::{PacketError, RawPacket};
use crate::projection::{Batch, ClockNote, Origin, encounter_id, flag_reference};
use crate::registry::{DeviceModel, Registry};
use crate::session::association::{Wearer, span_at};
use crate::session::clock;
use crate::signal::{Alert, Measured, PacketRange, Quality, Value};
use crate::store::{Associations, StreamKey};
use crate::time::{DeviceTime, Instant, Interval};

/// A stream with the state of its algorithms.
#[derive(Debug, Clone)]
pub struct Track {
    key: StreamKey,
    associations: Associations,
    state: State,
}

/// What is said of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    /// Its model, by whoever made the device known.
    pub model: Option<String>,
    /// Its firmware, by its packets.
    pub firmware: Option<String>,
    /// The software that sends them.
    pub sdk: Option<String>,
    /// Since when they say so.
    pub since: Option<Instant>,
}

/// The form of a state. A state of another form is of no use: what it holds is computed again.
const FORM: u32 = 1003;

/// What a checkpoint keeps: everything results depend on that the journal before it decided.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct State {
    form: u32,
    /// Ids and versions of the algorithms and rules the state belongs to.
    algorithms: Vec<(String, String)>,
    /// Whose the packet before was; `None`: nobody's.
    wearer: Option<Wearer>,
    /// Latest time of a packet.
    newest: Option<Instant>,
    /// What was added to the time of the packet before.
    added_us: i64,
    clock: Option<ClockNote>,
    firmware: Option<String>,
    sdk: Option<String>,
    /// Since when its packets say these two.
    stated: Option<Instant>,
    lead: Option<String>,
    chains: BTreeMap<SignalCode, Chain>,
    alarms: Alarms,
}

impl Track {
    /// A stream from its checkpoint, or from its beginning.
    ///
    /// State left by other algorithm versions is of no use to these: they start afresh where it stands.
    pub fn resume(registry: &Registry, key: &StreamKey, associations: Associations, state: Option<&[u8]>) -> Self {
        let algorithms = algorithms(registry);
        let saved: Option<State> = state.and_then(|bytes| postcard::from_bytes(bytes).ok());
        let state = saved.filter(|s| s.form == FORM && s.algorithms == algorithms);
        let state = state.unwrap_or_else(|| State { form: FORM, algorithms, ..State::default() });
        Self { key: key.clone(), associations, state }
    }

    /// The state, to be given to [`Track::resume`].
    pub fn save(&self) -> Vec<u8> {
        // Plain data always serializes; an empty state would mean starting afresh, not a wrong result.
        postcard::to_stdvec(&self.state).unwrap_or_default()
    }

    /// Who the stream is of.
    pub fn key(&self) -> &StreamKey {
        &self.key
    }

    /// What is said of its device.
    pub fn stated(&self) -> Stated {
        let State { firmware, sdk, stated, .. } = &self.state;
        let model = self.associations.model.clone();
        Stated { model, firmware: firmware.clone(), sdk: sdk.clone(), since: *stated }
    }

    /// The revision of the device's associations it works by.
    pub fn revision(&self) -> i64 {
        self.associations.revision
    }

    /// Latest time of a packet it has seen.
    pub fn newest(&self) -> Option<Instant> {
        self.state.newest
    }

    /// References of the Flags that are raised, or will be if what holds now goes on.
    pub fn flags(&self) -> Vec<String> {
        let Some(origin) = self.origin() else { return Vec::new() };
        self.state.alarms.onsets().map(|(rule, onset)| flag_reference(&origin, rule, onset)).collect()
    }

    /// Whether the stretch of time the latest packet lies in is over, or nobody's, by what is known of the device's
    /// associations: no packet need come for what is open to be complete.
    pub fn is_over(&self) -> bool {
        let span = self.state.newest.map(|at| span_at(&self.associations.spans, at));
        span.is_some_and(|span| span.is_none_or(|span| span.until.is_some()))
    }

    /// What the open windows give as they are. The stream goes on as if nobody had asked: what comes later still belongs
    /// to them.
    pub fn open(&self, registry: &Registry) -> Vec<Batch> {
        self.clone().finish(registry)
    }

    /// Takes the stream's next packet; gives what it completes.
    ///
    /// # Errors
    /// The packet cannot be read with this registry; the state is as before.
    pub fn push(
        &mut self,
        registry: &Registry,
        packet: &RawPacket,
        seen: &PacketSeen,
        clock: &clock::Reading,
    ) -> Result<Vec<Batch>, PacketError> {
        let start = clock.at;
        let wearer = self.wearer(start, packet);
        let frame = match &wearer {
            Some(_) => device::decode_at(packet, registry, self.associations.model.as_deref(), start)?,
            None => Frame::default(),
        };
        let mut batches = Vec::new();
        if wearer != self.state.wearer {
            batches.extend(self.finish(registry));
            self.state.wearer = wearer;
        }
        self.remember(packet, clock);
        for reading in frame.readings {
            let given = self.read(registry, reading, seen);
            let alerts = self.listen(registry, &given);
            batches.extend(given.into_iter().chain(alerts));
        }
        if packet.end_of_stream {
            batches.extend(self.finish(registry));
        }
        Ok(batches)
    }

    /// Whose a packet is. An episode of this server's goes before the one a packet names.
    fn wearer(&self, at: Instant, packet: &RawPacket) -> Option<Wearer> {
        let span = span_at(&self.associations.spans, at)?;
        let episode = span.wearer.episode.clone().or_else(|| packet.episode.clone());
        Some(Wearer { patient: span.wearer.patient.clone(), episode })
    }

    /// What the packet says about its device, for the windows that are open now.
    fn remember(&mut self, packet: &RawPacket, clock: &clock::Reading) {
        self.state.newest = self.state.newest.max(Some(clock.at));
        self.state.added_us = clock.added_us;
        self.state.clock = note(clock);
        for (known, said) in [(&mut self.state.firmware, &packet.firmware), (&mut self.state.sdk, &packet.sdk)] {
            if said.is_some() && known != said {
                known.clone_from(said);
                self.state.stated = Some(clock.at);
            }
        }
        if let Some(lead) = packet.samples.as_ref().and_then(|s| s.lead.as_ref()) {
            self.state.lead = Some(lead.clone());
        }
    }

    /// Where measurements come from now; from nowhere while the device is with nobody.
    fn origin(&self) -> Option<Origin> {
        let wearer = self.state.wearer.clone()?;
        Some(Origin {
            tenant: self.key.tenant.clone(),
            device: self.key.device.clone(),
            model: self.associations.model.clone(),
            stream: self.key.name.clone(),
            patient: wearer.patient,
            encounter: wearer.episode.as_ref().and_then(|episode| self.encounter(episode)),
            episode: wearer.episode,
            firmware: self.state.firmware.clone(),
            sdk: self.state.sdk.clone(),
            lead: self.state.lead.clone(),
            clock: self.state.clock,
        })
    }

    /// The Encounter an EHR sees an episode in.
    fn encounter(&self, episode: &EpisodeId) -> Option<ResourceId> {
        let identifier = self.associations.encounters.get(episode)?;
        Some(encounter_id(&self.key.tenant, identifier))
    }

    /// The row of the device's model.
    fn model<'a>(&self, registry: &'a Registry) -> Option<&'a DeviceModel> {
        self.associations.model.as_ref().and_then(|model| registry.devices.get(model))
    }

    fn read(&mut self, registry: &Registry, reading: Reading, seen: &PacketSeen) -> Vec<Batch> {
        let rows = Rows { registry, model: self.model(registry) };
        let chains = &mut self.state.chains;
        match reading {
            Reading::Samples(block) => {
                let stamp = DeviceTime(block.start.0);
                let mut closed = Vec::new();
                if chains.get(&block.signal).is_some_and(|c| c.rate_hz() != Some(block.rate_hz)) {
                    // Another rate is another recording: what is open is closed with what it has.
                    closed = chains.remove(&block.signal).map(|mut c| c.finish(rows)).unwrap_or_default();
                }
                let signal = block.signal.clone();
                let chain = chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::waveform(registry, signal, stamp, block.rate_hz));
                closed.extend(chain.push_samples(rows, seen, stamp, &block.values));
                self.batches(closed)
            }
            Reading::Intervals { signal, at, beats } => {
                let chain = chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::intervals(registry, signal, Instant(at.0 - 1)));
                let closed = chain.push_beats(rows, seen, &beats);
                self.batches(closed)
            }
            Reading::Scalar { signal, at, value, original } => {
                let closed = value.map_or_else(|_| Vec::new(), |value| self.follow(rows, seen, &signal, at, value));
                let value = value.map_or_else(Value::Absent, Value::Quantity);
                let mut batches: Vec<Batch> = self.point(seen, signal, at, value, original).into_iter().collect();
                batches.extend(self.batches(closed));
                batches
            }
            Reading::Panel { signal, at, components, originals } => {
                let original = originals.into_iter().next().map(|(_, value, unit)| (value, unit));
                self.point(seen, signal, at, Value::Components(components), original).into_iter().collect()
            }
        }
    }

    /// Gives a single value to the algorithms that follow its signal, if there are any.
    fn follow(
        &mut self,
        rows: Rows<'_>,
        seen: &PacketSeen,
        signal: &SignalCode,
        at: Instant,
        value: f64,
    ) -> Vec<Closed> {
        if !self.state.chains.contains_key(signal) {
            let Some(chain) = Chain::scalars(rows.registry, signal, at.plus(-1)) else { return Vec::new() };
            self.state.chains.insert(signal.clone(), chain);
        }
        self.state.chains.get_mut(signal).map(|c| c.push_scalar(rows, seen, at, value)).unwrap_or_default()
    }

    /// The stream, or its episode, has ended.
    fn finish(&mut self, registry: &Registry) -> Vec<Batch> {
        let rows = Rows { registry, model: self.model(registry) };
        let closed: Vec<Closed> = self.state.chains.values_mut().flat_map(|c| c.finish(rows)).collect();
        let batches = self.batches(closed);
        let alerts = self.listen(registry, &batches);
        let over = self.state.alarms.finish(registry);
        let over = self.alerts(over);
        self.state.chains.clear();
        batches.into_iter().chain(alerts).chain(over).collect()
    }

    /// Lets the rules hear what was said and measured; gives what calls for attention now, or no longer does.
    fn listen(&mut self, registry: &Registry, given: &[Batch]) -> Vec<Batch> {
        let State { alarms, chains, .. } = &mut self.state;
        let said: Vec<Said> = chains.values_mut().flat_map(Chain::take_said).collect();
        if said.is_empty() && given.is_empty() {
            return Vec::new();
        }
        let alerts = alarms.hear(registry, chains, &said, given);
        self.alerts(alerts)
    }

    fn alerts(&self, alerts: Vec<Alert>) -> Vec<Batch> {
        let Some(origin) = self.origin() else { return Vec::new() };
        alerts.into_iter().filter_map(|alert| Batch::of_alert(origin.clone(), alert)).collect()
    }

    /// What the device measured itself at one moment.
    fn point(
        &self,
        seen: &PacketSeen,
        signal: SignalCode,
        at: Instant,
        value: Value,
        original: Option<(f64, String)>,
    ) -> Option<Batch> {
        let interval = Interval { start: at, end: at };
        let measured = Measured {
            signal,
            interval,
            value,
            quality: Quality::GOOD,
            algorithm: None,
            derived_from: Vec::new(),
            original,
        };
        let packets = PacketRange::of(seen.sequence, &seen.sha256);
        let origin = self.origin()?;
        let added_us = self.state.added_us;
        Some(Batch {
            origin,
            window: interval,
            packets,
            measured: vec![measured],
            alerts: Vec::new(),
            added_us,
            sources: Vec::new(),
        })
    }

    fn batches(&self, closed: Vec<Closed>) -> Vec<Batch> {
        let Some(origin) = self.origin() else { return Vec::new() };
        let batch = |closed: Closed| Batch {
            origin: origin.clone(),
            window: closed.window,
            packets: closed.packets,
            measured: closed.measured,
            alerts: Vec::new(),
            added_us: 0,
            sources: Vec::new(),
        };
        closed.into_iter().map(batch).collect()
    }
}

/// What is to be said about the clock: nothing, where it was right.
fn note(clock: &clock::Reading) -> Option<ClockNote> {
    let note = |off_us: i64, is_corrected| ClockNote { off_ms: (off_us as f64 / 1e3).round() as i64, is_corrected };
    let corrected = (clock.added_us != 0).then(|| note(clock.added_us, true));
    corrected.or_else(|| clock.skew_us.map(|us| note(us, false)))
}

fn algorithms(registry: &Registry) -> Vec<(String, String)> {
    let rules = registry.alerts.values().map(|rule| (rule.id.clone(), rule.version.clone()));
    registry.algorithms.values().map(|row| (row.id.clone(), row.version.clone())).chain(rules).collect()
}

#[cfg(test)]
mod tests;
