//! The whole chain of one ECG lead: filter, R peaks, quality, corrected RR intervals, heart rate, HRV, atrial
//! fibrillation, in the windows of `registry/algorithm`.
//! `cargo bench -p afferent-metrics`
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a command-line report")]

#[path = "../../dsp/benches/ecg/harness.rs"]
mod harness;

use afferent_dsp::ecg::{BeatDetector, DetectedBeat};
use afferent_metrics::atrial_fibrillation::{Detector, Score};
use afferent_metrics::hrv::{self, NnInterval};
use afferent_metrics::rr::{self, RrInterval};
use afferent_metrics::{autonomic_state, heart_rate};
use harness::Lead;
use serde::Serialize;
use std::hint::black_box;

const MINUTE: usize = 60;
const FIVE_MINUTES: usize = 300;

fn main() {
    let lead = harness::lead();
    println!("{}: {} samples at {} Hz, by CPU time of one core", lead.name, lead.samples.len(), lead.rate_hz);
    harness::floor(&lead);
    harness::times_real_time("whole chain, a second at a time", &lead, |lead| {
        black_box(run(lead));
    });
    println!("state of one channel: {} bytes serialized", postcard::to_allocvec(&run(&lead)).unwrap().len());
}

/// What is kept of one live channel.
#[derive(Serialize)]
struct Channel {
    beats: BeatDetector,
    fibrillation: Detector,
    /// Beats of the window that is open, the last one of the window before it first.
    window: Vec<DetectedBeat>,
}

/// The lead a second at a time; the channel as it is at the end.
fn run(lead: &Lead) -> Channel {
    let beats = BeatDetector::new(lead.rate_hz).unwrap();
    let mut channel = Channel { beats, fibrillation: Detector::new(), window: Vec::new() };
    let mut scores = Vec::new();
    for (second, samples) in lead.samples.chunks(lead.rate_hz as usize).enumerate() {
        let known = channel.window.len();
        channel.beats.push(samples, &mut channel.window);
        black_box(channel.beats.take_signal_quality());
        follow(&mut channel.fibrillation, &channel.window[known.saturating_sub(1)..], lead.rate_hz, &mut scores);
        if (second + 1) % MINUTE == 0 {
            let start = (second + 1 - MINUTE) as f64 * lead.rate_hz;
            let from = channel.window.partition_point(|beat| beat.sample < start);
            black_box(heart_rate::mean_heart_rate(&intervals(&channel.window[from..], lead.rate_hz)));
        }
        if (second + 1) % FIVE_MINUTES == 0 {
            variability(&intervals(&channel.window, lead.rate_hz));
            channel.window.drain(..channel.window.len().saturating_sub(1));
        }
    }
    black_box(scores);
    channel
}

fn follow(detector: &mut Detector, beats: &[DetectedBeat], rate_hz: f64, scores: &mut Vec<Score>) {
    for interval in rr::intervals(beats, rate_hz) {
        detector.push(&interval, scores);
    }
}

fn intervals(beats: &[DetectedBeat], rate_hz: f64) -> Vec<RrInterval> {
    rr::without_bursts(&rr::intervals(beats, rate_hz))
}

fn variability(intervals: &[RrInterval]) {
    let correction = rr::correct(intervals);
    let nn: Vec<NnInterval> = correction.intervals.iter().map(|i| NnInterval { at_s: i.time_s, ms: i.ms }).collect();
    let time = hrv::time_domain(&correction.nn_ms());
    let frequency = hrv::frequency_domain(&nn);
    let state = time.as_ref().zip(frequency.as_ref()).and_then(|(t, f)| autonomic_state::classify(t, f));
    black_box((time, frequency, state));
}
