mod derived;

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
