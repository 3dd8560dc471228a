mod alerts;
mod derived;

use super::*;
use crate::id::{DeviceKey, ResourceId, StreamName, TenantId};
use crate::session::association::Span;
use crate::session::clock::Reading;
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
    Track::resume(registry, &key(), with_one_patient(None), state)
}

/// A device that has always been with the same patient.
fn with_one_patient(model: Option<String>) -> Associations {
    Associations { model, spans: vec![span("p", i64::MIN, None)], revision: 1, ..Associations::default() }
}

fn span(patient: &str, from: i64, until: Option<i64>) -> Span {
    let wearer = Wearer { patient: ResourceId::new(patient).unwrap(), episode: None };
    Span { from: Instant(from), until: until.map(Instant), wearer }
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
    let at = |p: &RawPacket| Reading { at: Instant(p.device_time.0), added_us: 0, skew_us: None };
    packets.iter().flat_map(|p| track.push(registry, p, &seen(p), &at(p)).unwrap()).collect()
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
        state = Some(track.save());
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

#[test]
fn a_device_that_changes_hands_gives_each_patient_a_part_and_nobody_the_time_between() {
    let registry = Registry::builtin().unwrap();
    let heart = Heart::new(|_| 75.0, 320.0);
    let packets = packets(&heart, 310, 250);
    let at = |seconds: i64| START + seconds * MICROS;
    let associations = Associations {
        model: None,
        spans: vec![span("a", i64::MIN, Some(at(90))), span("b", at(200), None)],
        revision: 1,
        ..Associations::default()
    };
    let mut track = Track::resume(&registry, &key(), associations, None);
    let batches = run(&registry, &mut track, &packets);
    let rates = |patient: &str| -> Vec<i64> {
        let of = batches.iter().filter(|b| b.origin.patient.as_str() == patient);
        let all = of.flat_map(|b| &b.measured).filter(|m| m.signal.as_str() == "ecg");
        all.map(|m| (m.interval.start.0 - START) / MICROS).collect()
    };
    assert_eq!((rates("a"), rates("b")), (vec![0, 60], vec![180, 240]));
    let first_of_b = batches.iter().find(|b| b.origin.patient.as_str() == "b").unwrap();
    assert_eq!(first_of_b.packets.first, 200);
    assert!(!track.is_over());
}

#[test]
fn asking_what_is_open_changes_nothing() {
    let registry = Registry::builtin().unwrap();
    let heart = Heart::new(|_| 75.0, 320.0);
    let packets = packets(&heart, 310, 250);
    let whole = run(&registry, &mut track(&registry, None), &packets);
    let mut asked = track(&registry, None);
    let (before, after) = packets.split_at(90);
    let mut batches = run(&registry, &mut asked, before);
    let open = asked.open(&registry);
    assert!(measured(&open).iter().any(|m| m.signal.as_str() == "ecg"));
    batches.extend(run(&registry, &mut asked, after));
    assert_eq!(batches, whole);
}
