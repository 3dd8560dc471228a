//! One stream's packets to batches: pure, and resumable from its serialized state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::algorithm::{Chain, Closed, PacketSeen, Rows};
use crate::device::{self, Reading};
use crate::id::{EpisodeId, ResourceId, SignalCode, TenantId};
use crate::packet::{PacketError, RawPacket};
use crate::projection::{Batch, Origin};
use crate::registry::Registry;
use crate::signal::{Measured, PacketRange, Quality, Value};
use crate::store::StreamKey;
use crate::time::{DeviceTime, Instant, Interval};

/// A stream with the state of its algorithms.
#[derive(Debug)]
pub struct Track {
    origin: Origin,
    chains: BTreeMap<SignalCode, Chain>,
}

/// What a checkpoint keeps: everything results depend on that the journal before it decided.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// Algorithm ids and versions the state belongs to.
    algorithms: Vec<(String, String)>,
    episode: Option<EpisodeId>,
    firmware: Option<String>,
    sdk: Option<String>,
    lead: Option<String>,
    chains: BTreeMap<SignalCode, Chain>,
}

impl Track {
    /// A stream from its checkpoint, or from its beginning.
    ///
    /// State left by other algorithm versions is of no use to these: they start afresh where it stands.
    pub fn resume(
        registry: &Registry,
        key: &StreamKey,
        model: Option<String>,
        patient: ResourceId,
        state: Option<&[u8]>,
    ) -> Self {
        let saved: Option<Saved> = state.and_then(|bytes| postcard::from_bytes(bytes).ok());
        let saved = saved.filter(|s| s.algorithms == algorithms(registry));
        let (tenant, device, stream) = (key.tenant.clone(), key.device.clone(), key.name.clone());
        let mut origin =
            Origin { tenant, device, model, stream, patient, episode: None, firmware: None, sdk: None, lead: None };
        let Some(saved) = saved else { return Self { origin, chains: BTreeMap::new() } };
        (origin.episode, origin.firmware, origin.sdk, origin.lead) =
            (saved.episode, saved.firmware, saved.sdk, saved.lead);
        Self { origin, chains: saved.chains }
    }

    /// The state, to be given to [`Track::resume`].
    pub fn save(&self, registry: &Registry) -> Vec<u8> {
        let saved = Saved {
            algorithms: algorithms(registry),
            episode: self.origin.episode.clone(),
            firmware: self.origin.firmware.clone(),
            sdk: self.origin.sdk.clone(),
            lead: self.origin.lead.clone(),
            chains: self.chains.clone(),
        };
        // Plain data always serializes; an empty state would mean starting afresh, not a wrong result.
        postcard::to_stdvec(&saved).unwrap_or_default()
    }

    /// The tenant the stream is of.
    pub fn tenant(&self) -> &TenantId {
        &self.origin.tenant
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
    ) -> Result<Vec<Batch>, PacketError> {
        let start = Instant(packet.device_time.0);
        let frame = device::decode_at(packet, registry, self.origin.model.as_deref(), start)?;
        let mut batches = Vec::new();
        if packet.episode != self.origin.episode {
            batches.extend(self.finish(registry));
            self.origin.episode.clone_from(&packet.episode);
        }
        self.remember(packet);
        for reading in frame.readings {
            batches.extend(self.read(registry, reading, seen));
        }
        if packet.end_of_stream {
            batches.extend(self.finish(registry));
        }
        Ok(batches)
    }

    /// What the packet says about its device, for the windows that are open now.
    fn remember(&mut self, packet: &RawPacket) {
        if packet.firmware.is_some() {
            self.origin.firmware.clone_from(&packet.firmware);
        }
        if packet.sdk.is_some() {
            self.origin.sdk.clone_from(&packet.sdk);
        }
        if let Some(lead) = packet.samples.as_ref().and_then(|s| s.lead.as_ref()) {
            self.origin.lead = Some(lead.clone());
        }
    }

    fn read(&mut self, registry: &Registry, reading: Reading, seen: &PacketSeen) -> Vec<Batch> {
        let model = self.origin.model.as_ref().and_then(|m| registry.devices.get(m));
        let rows = Rows { registry, model };
        match reading {
            Reading::Samples(block) => {
                let stamp = DeviceTime(block.start.0);
                let mut closed = Vec::new();
                if self.chains.get(&block.signal).is_some_and(|c| c.rate_hz() != Some(block.rate_hz)) {
                    // Another rate is another recording: what is open is closed with what it has.
                    closed = self.chains.remove(&block.signal).map(|mut c| c.finish(rows)).unwrap_or_default();
                }
                let signal = block.signal.clone();
                let chain = self
                    .chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::waveform(registry, signal, stamp, block.rate_hz));
                closed.extend(chain.push_samples(rows, seen, stamp, &block.values));
                self.batches(closed)
            }
            Reading::Intervals { signal, at, beats } => {
                let chain = self
                    .chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::intervals(registry, signal, Instant(at.0 - 1)));
                let closed = chain.push_beats(rows, seen, &beats);
                self.batches(closed)
            }
            Reading::Scalar { signal, at, value, original } => {
                let closed = value.map_or_else(|_| Vec::new(), |value| self.follow(rows, seen, &signal, at, value));
                let value = value.map_or_else(Value::Absent, Value::Quantity);
                let mut batches = vec![self.point(seen, signal, at, value, original)];
                batches.extend(self.batches(closed));
                batches
            }
            Reading::Panel { signal, at, components, originals } => {
                let original = originals.into_iter().next().map(|(_, value, unit)| (value, unit));
                vec![self.point(seen, signal, at, Value::Components(components), original)]
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
        if !self.chains.contains_key(signal) {
            let Some(chain) = Chain::scalars(rows.registry, signal, at.plus(-1)) else { return Vec::new() };
            self.chains.insert(signal.clone(), chain);
        }
        self.chains.get_mut(signal).map(|c| c.push_scalar(rows, seen, at, value)).unwrap_or_default()
    }

    /// The stream, or its episode, has ended.
    fn finish(&mut self, registry: &Registry) -> Vec<Batch> {
        let model = self.origin.model.as_ref().and_then(|m| registry.devices.get(m));
        let rows = Rows { registry, model };
        let closed: Vec<Closed> =
            std::mem::take(&mut self.chains).into_values().flat_map(|mut c| c.finish(rows)).collect();
        self.batches(closed)
    }

    /// What the device measured itself at one moment.
    fn point(
        &self,
        seen: &PacketSeen,
        signal: SignalCode,
        at: Instant,
        value: Value,
        original: Option<(f64, String)>,
    ) -> Batch {
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
        Batch { origin: self.origin.clone(), window: interval, packets, measured: vec![measured], sources: Vec::new() }
    }

    fn batches(&self, closed: Vec<Closed>) -> Vec<Batch> {
        let batch = |closed: Closed| Batch {
            origin: self.origin.clone(),
            window: closed.window,
            packets: closed.packets,
            measured: closed.measured,
            sources: Vec::new(),
        };
        closed.into_iter().map(batch).collect()
    }
}

fn algorithms(registry: &Registry) -> Vec<(String, String)> {
    registry.algorithms.values().map(|row| (row.id.clone(), row.version.clone())).collect()
}

#[cfg(test)]
mod tests;
