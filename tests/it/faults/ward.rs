//! What is sent: two patients, each with a chest patch and a finger clip.

use afferent::packet::{Format, Limits, parse_one};
use afferent::synthetic::Heart;
use serde_json::{Value, json};

use super::journal::Packets;
use crate::support::{Client, time};

/// Patients.
const PATIENTS: u32 = 2;
/// Seconds from one single value to the next.
const SCALAR_S: u32 = 5;

/// Every device's packets, in the order it made them.
pub(super) struct Ward {
    pub(super) devices: Vec<Vec<Value>>,
}

impl Ward {
    /// So many seconds: a patch's electrocardiogram with the skin's temperature, a clip's pulse wave with the oxygen
    /// saturation. Only the wave's packets say which firmware the device has.
    pub(super) fn new(seconds: u32) -> Self {
        let mut devices = Vec::new();
        for patient in 1..=PATIENTS {
            let heart = Heart::new(|t| 62.0 + 9.0 * f64::from(patient) + t / 40.0, f64::from(seconds) + 2.0);
            let (patch, clip) = (format!("patch-{patient}"), format!("clip-{patient}"));
            let ecg = wave(&patch, "ecg", "mV", 250, seconds, |t| heart.ecg(t));
            devices.push(with_scalars(ecg, "body-temperature", "Cel", |n| 36.5 + f64::from(n % 4) / 10.0));
            let ppg = wave(&clip, "ppg", "1", 100, seconds, |t| 2.0 + heart.ppg(t));
            devices.push(with_scalars(ppg, "spo2", "%", |n| 94.0 + f64::from(n % 5)));
        }
        Self { devices }
    }

    /// Makes the devices known and puts each on its patient.
    pub(super) fn admit(client: &Client) {
        for patient in 1..=PATIENTS {
            for device in ["patch", "clip"] {
                client.link_device(&format!("{device}-{patient}"), &format!("p{patient}")).expect(201);
            }
        }
    }

    /// Every packet.
    pub(super) fn packets(&self) -> Packets {
        self.devices.iter().flatten().map(name_and_hash).collect()
    }

    /// Single values left out.
    pub(super) fn waves_alone(mut self) -> Self {
        self.devices.iter_mut().for_each(|packets| packets.retain(|p| p["samples"]["rate_hz"].is_number()));
        self
    }
}

/// What a packet is told by from all others, and the SHA-256 of its canonical form.
pub(super) fn name_and_hash(packet: &Value) -> ((String, String, u64), [u8; 32]) {
    let parsed = parse_one(Format::Json, packet.to_string().as_bytes(), Limits::default()).unwrap();
    let sha256 = parsed.canonical().unwrap().sha256;
    ((parsed.device.to_string(), parsed.stream.to_string(), parsed.sequence), sha256)
}

/// A second a packet, the last one ending the stream.
fn wave(device: &str, signal: &str, unit: &str, rate_hz: u32, seconds: u32, at: impl Fn(f64) -> f64) -> Vec<Value> {
    let packet = |second: u32| {
        let values: Vec<f64> = (0..rate_hz)
            .map(|i| at(f64::from(second) + f64::from(i) / f64::from(rate_hz)))
            .map(|v| (v * 1e4).round() / 1e4)
            .collect();
        let mut packet = json!({
            "device": device, "stream": signal, "sequence": second, "firmware": "fw-2.4.1",
            "device_time": time(i64::from(second) * 1_000_000),
            "samples": {"signal": signal, "rate_hz": rate_hz, "unit": unit, "values": values},
        });
        if second + 1 == seconds {
            packet["end_of_stream"] = json!(true);
        }
        packet
    };
    (0..seconds).map(packet).collect()
}

/// The same with a single value now and then, in a stream of its own.
fn with_scalars(wave: Vec<Value>, signal: &str, unit: &str, value: impl Fn(u32) -> f64) -> Vec<Value> {
    let mut all = Vec::new();
    for (second, packet) in (0_u32..).zip(wave) {
        let scalar = second.is_multiple_of(SCALAR_S).then(|| {
            let number = second / SCALAR_S;
            json!({
                "device": packet["device"], "stream": signal, "sequence": number, "device_time": packet["device_time"],
                "samples": {"signal": signal, "unit": unit, "values": [value(number)]},
            })
        });
        all.push(packet);
        all.extend(scalar);
    }
    all
}
