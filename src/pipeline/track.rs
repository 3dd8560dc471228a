//! One stream's packets to batches: pure, and resumable from its serialized state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::algorithm::{Chain, Closed, PacketSeen};
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
        match reading {
            Reading::Samples(block) => {
                let stamp = DeviceTime(block.start.0);
                let mut closed = Vec::new();
                if self.chains.get(&block.signal).is_some_and(|c| c.rate_hz() != Some(block.rate_hz)) {
                    // Another rate is another recording: what is open is closed with what it has.
                    closed = self.chains.remove(&block.signal).map(|mut c| c.finish(registry)).unwrap_or_default();
                }
                let signal = block.signal.clone();
                let chain = self
                    .chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::waveform(registry, signal, stamp, block.rate_hz));
                closed.extend(chain.push_samples(registry, seen, stamp, &block.values));
                self.batches(closed)
            }
            Reading::Intervals { signal, at, beats } => {
                let chain = self
                    .chains
                    .entry(signal)
                    .or_insert_with_key(|signal| Chain::intervals(registry, signal, Instant(at.0 - 1)));
                let closed = chain.push_beats(registry, seen, &beats);
                self.batches(closed)
            }
            Reading::Scalar { signal, at, value, original } => {
                let value = value.map_or_else(Value::Absent, Value::Quantity);
                vec![self.point(seen, signal, at, value, original)]
            }
            Reading::Panel { signal, at, components, originals } => {
                let original = originals.into_iter().next().map(|(_, value, unit)| (value, unit));
                vec![self.point(seen, signal, at, Value::Components(components), original)]
            }
        }
    }

    /// The stream, or its episode, has ended.
    fn finish(&mut self, registry: &Registry) -> Vec<Batch> {
        let closed: Vec<Closed> =
            std::mem::take(&mut self.chains).into_values().flat_map(|mut c| c.finish(registry)).collect();
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
        Batch { origin: self.origin.clone(), window: interval, packets, measured: vec![measured] }
    }

    fn batches(&self, closed: Vec<Closed>) -> Vec<Batch> {
        let batch = |closed: Closed| Batch {
            origin: self.origin.clone(),
            window: closed.window,
            packets: closed.packets,
            measured: closed.measured,
        };
        closed.into_iter().map(batch).collect()
    }
}

fn algorithms(registry: &Registry) -> Vec<(String, String)> {
    registry.algorithms.values().map(|row| (row.id.clone(), row.version.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{DeviceKey, StreamName};
    use crate::synthetic::Heart;
    use crate::time::MICROS;

    const HZ: f64 = 250.0;
    const START: i64 = 1_767_225_600 * MICROS; // 2026-01-01, on a minute

    fn key() -> StreamKey {
        StreamKey {
            tenant: TenantId::new("t").unwrap(),
            device: DeviceKey::new("d").unwrap(),
            name: StreamName::new("ecg").unwrap(),
        }
    }

    fn track(registry: &Registry, state: Option<&[u8]>) -> Track {
        Track::resume(registry, &key(), None, ResourceId::new("p").unwrap(), state)
    }

    /// Packets of `per_packet` samples covering `seconds`.
    fn packets(heart: &Heart, seconds: usize, per_packet: usize) -> Vec<RawPacket> {
        let samples: Vec<f64> = (0..seconds * HZ as usize).map(|i| heart.ecg(i as f64 / HZ)).collect();
        let packet = |(sequence, values): (usize, &[f64])| {
            let at = START + (sequence * per_packet).cast_signed() as i64 * MICROS / HZ as i64;
            serde_json::from_value(serde_json::json!({
                "device": "d", "stream": "ecg", "sequence": sequence,
                "device_time": DeviceTime(at).to_rfc3339(),
                "samples": {"signal": "ecg", "rate_hz": HZ, "unit": "mV", "values": values},
            }))
            .unwrap()
        };
        samples.chunks(per_packet).enumerate().map(packet).collect()
    }

    fn run(registry: &Registry, track: &mut Track, packets: &[RawPacket]) -> Vec<Batch> {
        let seen = |p: &RawPacket| PacketSeen { sequence: p.sequence, sha256: p.canonical().unwrap().sha256 };
        packets.iter().flat_map(|p| track.push(registry, p, &seen(p)).unwrap()).collect()
    }

    fn measured(batches: &[Batch]) -> Vec<&Measured> {
        batches.iter().flat_map(|b| &b.measured).collect()
    }

    #[test]
    fn heart_rates_are_those_of_the_heart_and_windows_give_what_their_rows_say() {
        let registry = Registry::builtin().unwrap();
        let heart = Heart::new(|t| 60.0 + t / 60.0, 620.0);
        let batches = run(&registry, &mut track(&registry, None), &packets(&heart, 610, 250));
        let of = |code: &str| measured(&batches).into_iter().filter(|m| m.signal.as_str() == code).collect::<Vec<_>>();
        let rates = of("heart-rate");
        assert_eq!(rates.len(), 10);
        for rate in rates {
            let from = (rate.interval.start.0 - START) as f64 / 1e6;
            let truth = heart.rate(from, from + 60.0).unwrap();
            assert!(matches!(rate.value, Value::Quantity(v) if (v - truth).abs() < 1.0), "{:?} {truth}", rate.value);
        }
        assert_eq!((of("ecg").len(), of("rr-interval").len(), of("hrv-sdnn").len()), (10, 10, 2));
        assert!(matches!(of("hrv-autonomic-state")[0].value, Value::Concept(_)));
        assert_eq!(of("hrv-sdnn")[0].derived_from.len(), 5);
    }

    #[test]
    fn the_cut_into_packets_does_not_show_in_the_values() {
        let registry = Registry::builtin().unwrap();
        let heart = Heart::new(|_| 75.0, 320.0);
        let whole = run(&registry, &mut track(&registry, None), &packets(&heart, 310, 250));
        for per_packet in [50, 125, 1000] {
            let cut = run(&registry, &mut track(&registry, None), &packets(&heart, 310, per_packet));
            assert_eq!(measured(&cut), measured(&whole), "{per_packet} samples a packet");
        }
    }

    #[test]
    fn a_resumed_track_gives_what_an_uninterrupted_one_gives() {
        let registry = Registry::builtin().unwrap();
        let heart = Heart::new(|_| 75.0, 320.0);
        let packets = packets(&heart, 310, 250);
        let whole = run(&registry, &mut track(&registry, None), &packets);
        let mut batches = Vec::new();
        let mut state: Option<Vec<u8>> = None;
        for piece in packets.chunks(37) {
            let mut track = track(&registry, state.as_deref());
            batches.extend(run(&registry, &mut track, piece));
            state = Some(track.save(&registry));
        }
        assert_eq!(batches, whole);
        assert!(state.unwrap().len() < 128 * 1024);
    }

    #[test]
    fn the_end_of_a_stream_closes_what_is_open_but_short_windows_give_no_rate() {
        let registry = Registry::builtin().unwrap();
        let heart = Heart::new(|_| 75.0, 100.0);
        let mut packets = packets(&heart, 65, 250);
        packets.last_mut().unwrap().end_of_stream = true;
        let batches = run(&registry, &mut track(&registry, None), &packets);
        let count = |code: &str| measured(&batches).iter().filter(|m| m.signal.as_str() == code).count();
        assert_eq!((count("ecg"), count("rr-interval"), count("heart-rate"), count("hrv-sdnn")), (2, 2, 1, 0));
    }
}
