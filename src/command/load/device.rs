//! The simulated devices: one heart, heard from different moments on.

use std::fmt::Write;
use std::time::Duration;

use super::super::encode::Cbor;
use crate::synthetic::Heart;
use crate::time::{DeviceTime, Instant, MICROS};

/// Beats a minute.
const RATE: f64 = 72.0;
/// The value of one count in mV.
const SCALE: f64 = 0.005;
/// Devices listen from up to this many seconds into the heart's life.
const SHIFTS: u32 = 60;

/// All devices.
pub(super) struct Fleet {
    names: Vec<String>,
    rate: u32,
    seconds: u32,
    json: bool,
    heart: Heart,
    counts: Vec<i16>,
}

/// A packet, written.
pub(super) struct Packet {
    pub(super) device: u32,
    pub(super) second: u32,
    pub(super) body: Vec<u8>,
}

impl Fleet {
    /// `run` tells this run's devices from those of others, whose sequence numbers are taken.
    pub(super) fn new(run: i64, devices: u32, rate: u32, seconds: u32, json: bool) -> Self {
        let length = seconds + SHIFTS;
        let heart = Heart::new(|_| RATE, f64::from(length));
        let count = |sample: u32| (heart.ecg(f64::from(sample) / f64::from(rate)) / SCALE).round() as i16;
        let counts = (0..length * rate).map(count).collect();
        let names = (0..devices).map(|d| format!("load-{:04}-{run}", d + 1)).collect();
        Self { names, rate, seconds, json, heart, counts }
    }

    pub(super) fn devices(&self) -> u32 {
        self.names.len() as u32
    }

    pub(super) fn seconds(&self) -> u32 {
        self.seconds
    }

    /// The name of a device.
    pub(super) fn device(&self, device: u32) -> &str {
        self.names.get(device as usize).map_or("", String::as_str)
    }

    /// Up to `most` devices, spread evenly.
    pub(super) fn sample(&self, most: usize) -> Vec<u32> {
        let count = most.min(self.names.len());
        (0..count).map(|i| (i * self.names.len() / count) as u32).collect()
    }

    /// When a device's packet of a second is complete, from the start of the run.
    pub(super) fn due(&self, device: u32, second: u32) -> Duration {
        Duration::from_secs(u64::from(second) + 1) + self.phase(device)
    }

    /// A device's share of the second.
    fn phase(&self, device: u32) -> Duration {
        Duration::from_secs(1).mul_f64(f64::from(device) / self.names.len() as f64)
    }

    /// The time of a device's first sample.
    pub(super) fn start(&self, device: u32, began: Instant) -> Instant {
        began.plus(self.phase(device).as_micros() as i64)
    }

    /// The heart rate a device heard in the minute from `from` seconds after its start.
    pub(super) fn heart_rate(&self, device: u32, from: f64) -> Option<f64> {
        let from = from + f64::from(device % SHIFTS);
        self.heart.rate(from, from + 60.0)
    }

    /// A device's packet of a second.
    pub(super) fn packet(&self, device: u32, second: u32, began: Instant) -> Packet {
        let first = ((device % SHIFTS + second) * self.rate) as usize;
        let counts = self.counts.get(first..first + self.rate as usize).unwrap_or_default();
        let time = DeviceTime(self.start(device, began).0 + i64::from(second) * MICROS).to_rfc3339();
        let last = second + 1 == self.seconds;
        let body = if self.json {
            self.as_json(device, second, &time, counts, last)
        } else {
            self.as_cbor(device, second, &time, counts, last)
        };
        Packet { device, second, body }
    }

    fn as_cbor(&self, device: u32, second: u32, time: &str, counts: &[i16], last: bool) -> Vec<u8> {
        let mut cbor = Cbor::default();
        cbor.map(5 + usize::from(last));
        cbor.text("device").text(self.device(device)).text("stream").text("ecg");
        cbor.text("sequence").unsigned(u64::from(second)).text("device_time").text(time);
        if last {
            cbor.text("end_of_stream").yes();
        }
        cbor.text("samples").map(6).text("signal").text("ecg").text("lead").text("II");
        cbor.text("rate_hz").unsigned(u64::from(self.rate)).text("unit").text("mV");
        cbor.text("scale").float(SCALE).text("values").int16(counts);
        cbor.finish()
    }

    fn as_json(&self, device: u32, second: u32, time: &str, counts: &[i16], last: bool) -> Vec<u8> {
        let end = if last { r#","end_of_stream":true"# } else { "" };
        let mut json = format!(
            r#"{{"device":"{}","stream":"ecg","sequence":{second},"device_time":"{time}"{end},"samples":{{"signal":"ecg","lead":"II","rate_hz":{},"unit":"mV","scale":{SCALE},"values":["#,
            self.device(device),
            self.rate
        );
        for (index, count) in counts.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(json, "{comma}{count}");
        }
        json.push_str("]}}");
        json.into_bytes()
    }
}

/// The patient a device is on.
pub(super) fn patient(device: u32) -> String {
    format!("load-{:04}", device + 1)
}
