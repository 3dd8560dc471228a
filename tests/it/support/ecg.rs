//! A synthetic electrocardiogram: known beats, every sample the same on every machine.

use serde_json::{Value, json};

use super::time;

/// Samples a second.
pub(crate) const RATE_HZ: u32 = 360;

/// Waves of a beat: offset from the R peak in seconds, width in seconds, height in mV.
const WAVES: [(f64, f64, f64); 5] =
    [(-0.17, 0.022, 0.12), (-0.035, 0.009, -0.12), (0.0, 0.010, 1.1), (0.032, 0.010, -0.22), (0.26, 0.045, 0.28)];

/// A small linear generator: tests need repeatable numbers, not good ones.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Brings a slice into a random order.
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = self.below(last as u64 + 1);
            items.swap(last, usize::try_from(other).unwrap());
        }
    }
}

/// A recording.
pub(crate) struct Ecg {
    /// Microvolts, in whole counts.
    samples: Vec<i32>,
}

impl Ecg {
    /// So many seconds of a heart that beats 60 to 90 times a minute, with a wandering baseline and noise.
    pub(crate) fn new(seconds: u32) -> Self {
        let mut random = Random::new(17);
        let beats = beats(f64::from(seconds), &mut random);
        let mut samples: Vec<f64> =
            (0..seconds * RATE_HZ).map(|n| 0.05 * (f64::from(n) / f64::from(RATE_HZ) * 1.6).sin()).collect();
        for beat in beats {
            add_beat(&mut samples, beat);
        }
        let noisy = samples.iter().map(|mv| (mv * 1000.0).round() as i32 + random.below(21) as i32 - 10);
        Self { samples: noisy.collect() }
    }

    /// The recording as one-second packets of a stream, the last one ending it.
    pub(crate) fn packets(&self, device: &str) -> Vec<Value> {
        let seconds = self.samples.chunks(RATE_HZ as usize).enumerate();
        let mut packets: Vec<Value> = seconds.map(|(second, samples)| packet(device, second, samples)).collect();
        if let Some(last) = packets.last_mut() {
            last["end_of_stream"] = json!(true);
        }
        packets
    }
}

fn packet(device: &str, second: usize, microvolts: &[i32]) -> Value {
    let at = time(i64::try_from(second).unwrap() * 1_000_000);
    json!({"device": device, "stream": "ecg", "sequence": second, "device_time": at, "firmware": "fw-1.0",
        "samples": {"signal": "ecg", "rate_hz": RATE_HZ, "unit": "uV", "lead": "II", "values": microvolts}})
}

/// Times of the R peaks: the rate drifts slowly, each interval a little off.
fn beats(seconds: f64, random: &mut Random) -> Vec<f64> {
    let mut beats = Vec::new();
    let mut at = 0.4;
    while at < seconds - 0.4 {
        beats.push(at);
        let rate = 75.0 + 12.0 * (at / 70.0).sin();
        at += 60.0 / rate + (random.below(41) as f64 - 20.0) / 1000.0;
    }
    beats
}

fn add_beat(samples: &mut [f64], beat: f64) {
    let rate = f64::from(RATE_HZ);
    for (offset, width, height) in WAVES {
        let centre = beat + offset;
        let first = ((centre - 5.0 * width) * rate).max(0.0) as usize;
        let last = (((centre + 5.0 * width) * rate) as usize).min(samples.len());
        for (index, sample) in samples.iter_mut().enumerate().take(last).skip(first) {
            let distance = (index as f64 / rate - centre) / width;
            *sample += height * (-0.5 * distance * distance).exp();
        }
    }
}
