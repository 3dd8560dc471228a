//! Two sensors with clocks of their own, on a real heart: an electrocardiogram and a photoplethysmogram recorded together, as
//! if they were a patch and a finger clip.
//!
//! BIDMC PPG and Respiration Dataset 1.0.0 (ODC-By 1.0; Pimentel et al. 2016, Goldberger et al. 2000).

use afferent::algorithm::PacketSeen;
use afferent::id::{DeviceKey, ResourceId, StreamName, TenantId};
use afferent::packet::RawPacket;
use afferent::pipeline::Track;
use afferent::recording::Recording;
use afferent::registry::Registry;
use afferent::session::association::{Span, Wearer};
use afferent::session::clock::{Clock, Discipline, Reading};
use afferent::signal::{Beat, Value};
use afferent::store::{Associations, StreamKey};
use afferent::time::{DeviceTime, Instant};
use serde_json::json;

use crate::support::{Random, shared};

const START_US: i64 = 1_768_744_800_000_000;

/// A sensor's clock and link.
#[derive(Clone, Copy)]
struct Sensor {
    signal: &'static str,
    unit: &'static str,
    column: &'static str,
    offset_us: f64,
    drift: f64,
    jitter_us: u64,
}

/// A packet, and when it came.
struct Sent {
    packet: RawPacket,
    received: Instant,
}

impl Sensor {
    /// A quarter of a second a packet, stamped by the sensor's own clock.
    fn send(self, values: &[f32], rate_hz: f64, random: &mut Random) -> Vec<Sent> {
        let per_packet = (rate_hz / 4.0).round() as usize;
        let sent = |(sequence, values): (usize, &[f32])| {
            let made_us = (sequence * per_packet) as f64 / rate_hz * 1e6;
            let says = START_US + (made_us * (1.0 + self.drift) + self.offset_us).round() as i64;
            let came = made_us + 30e3 + random.below(self.jitter_us) as f64;
            let values: Vec<f64> = values.iter().map(|v| (f64::from(*v) * 1e4).round() / 1e4).collect();
            let packet = json!({"device": self.signal, "stream": self.signal, "sequence": sequence,
                "device_time": DeviceTime(says).to_rfc3339(),
                "samples": {"signal": self.signal, "unit": self.unit, "rate_hz": rate_hz, "values": values}});
            Sent { packet: serde_json::from_value(packet).unwrap(), received: Instant(START_US + came as i64) }
        };
        values.chunks(per_packet).enumerate().map(sent).collect()
    }
}

/// The beats a stream gives when its packets' times are read like this.
fn beats(registry: &Registry, sent: &[Sent], read: impl Fn(&RawPacket) -> Reading) -> Vec<Beat> {
    let name = sent[0].packet.stream.as_str();
    let key = StreamKey {
        tenant: TenantId::new("t").unwrap(),
        device: DeviceKey::new(name).unwrap(),
        name: StreamName::new(name).unwrap(),
    };
    let wearer = Wearer { patient: ResourceId::new("p").unwrap(), episode: None };
    let spans = vec![Span { from: Instant::MIN, until: None, wearer }];
    let mut track = Track::resume(registry, &key, Associations { spans, revision: 1, ..Associations::default() }, None);
    let mut beats = Vec::new();
    for Sent { packet, .. } in sent {
        let seen = PacketSeen { sequence: packet.sequence, sha256: [0; 32] };
        for batch in track.push(registry, packet, &seen, &read(packet)).unwrap() {
            for measured in batch.measured {
                if let Value::Beats(found) = measured.value {
                    beats.extend(found);
                }
            }
        }
    }
    beats
}

/// How far, in milliseconds, the clock model leaves each beat from where it was.
fn errors_ms(registry: &Registry, sensor: Sensor, values: &[f32], rate_hz: f64, random: &mut Random) -> Vec<f64> {
    let perfect = Sensor { offset_us: 0.0, drift: 0.0, ..sensor }.send(values, rate_hz, random);
    let truth = beats(registry, &perfect, |p| Reading { at: Instant(p.device_time.0), added_us: 0, skew_us: None });
    let sent = sensor.send(values, rate_hz, random);
    let mut clock = Clock::new(Discipline::Free);
    for Sent { packet, received } in &sent {
        clock.observe(packet.sequence, packet.device_time, *received);
    }
    let found = beats(registry, &sent, |p| clock.read(p.sequence, p.device_time));
    let nearest = |beat: &Beat| truth.iter().map(|t| beat.at.0 - t.at.0).min_by_key(|d| d.abs()).unwrap_or(i64::MAX);
    found.iter().map(|beat| nearest(beat) as f64 / 1e3).filter(|ms| ms.abs() < 200.0).collect()
}

#[test]
#[ignore = "needs the recordings in AFFERENT_SHARED"]
fn an_electrocardiogram_and_a_pulse_stay_together_though_their_clocks_do_not() {
    let registry = Registry::builtin().unwrap();
    let path = shared().join("signals/dev/bidmc/bidmc_01_Signals.csv.gz");
    let recording = Recording::open(&path, Some(125.0), &registry).unwrap();
    let values = |column: &str| {
        let channel = recording.channels.iter().find(|channel| channel.name.trim() == column);
        let names: Vec<&str> = recording.channels.iter().map(|c| c.name.as_str()).collect();
        channel.unwrap_or_else(|| panic!("no {column} among {names:?}")).values()
    };
    let ecg = Sensor { signal: "ecg", unit: "mV", column: "II", offset_us: 3.2e6, drift: 50e-6, jitter_us: 0 };
    let ppg = Sensor { signal: "ppg", unit: "1", column: "PLETH", offset_us: -41.7e6, drift: -50e-6, jitter_us: 0 };
    for (jitter_us, most_ms) in [(100_000, 5.0), (2_000_000, 25.0)] {
        let mut apart: Vec<f64> = Vec::new();
        for seed in 1..=5 {
            let mut random = Random::new(seed);
            let [of_ecg, of_ppg] = [ecg, ppg].map(|sensor| {
                errors_ms(&registry, Sensor { jitter_us, ..sensor }, &values(sensor.column), 125.0, &mut random)
            });
            assert!(of_ecg.len() > 500 && of_ppg.len() > 500, "{} {}", of_ecg.len(), of_ppg.len());
            apart.extend(of_ecg.iter().zip(&of_ppg).map(|(a, b)| (a - b).abs()));
        }
        apart.sort_by(f64::total_cmp);
        let at = |share: f64| apart[((apart.len() - 1) as f64 * share) as usize];
        println!(
            "eight minutes, delivery jittered by {} ms: ECG and PPG apart by {:.2} ms (median), {:.2} (95 %), {:.2} (most)",
            jitter_us / 1000,
            at(0.5),
            at(0.95),
            at(1.0)
        );
        assert!(at(0.95) < most_ms);
    }
}
