//! How fast R peaks are found, beside how fast the samples can be read or filtered at all, and beside what Python's
//! libraries need for the same samples.
//! `cargo bench -p afferent-dsp` (Python: `AFFERENT_BENCH_PYTHON`, else `python3`)
#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::disallowed_methods, reason = "a command-line report")]

mod harness;
mod peers;

use afferent_dsp::ecg::BeatDetector;
use harness::Lead;
use std::hint::black_box;

fn main() {
    let lead = harness::lead();
    println!("{}: {} samples at {} Hz, by CPU time of one core", lead.name, lead.samples.len(), lead.rate_hz);
    harness::floor(&lead);
    let second = lead.rate_hz as usize;
    harness::times_real_time("R peaks, a second at a time", &lead, |lead| detect(lead, second));
    harness::times_real_time("R peaks, 100 ms at a time", &lead, |lead| detect(lead, second / 10));
    harness::times_real_time("R peaks, all at once", &lead, |lead| detect(lead, lead.samples.len()));
    peers::run(&lead);
    println!("state of one channel: {} bytes serialized", state_bytes(&lead));
}

fn detect(lead: &Lead, chunk: usize) {
    let (mut detector, mut beats) = (BeatDetector::new(lead.rate_hz).unwrap(), Vec::new());
    for samples in lead.samples.chunks(chunk) {
        detector.push(samples, &mut beats);
        black_box(detector.take_quality());
    }
    detector.finish(&mut beats);
    black_box(beats);
}

fn state_bytes(lead: &Lead) -> usize {
    let mut detector = BeatDetector::new(lead.rate_hz).unwrap();
    detector.push(&lead.samples, &mut Vec::new());
    postcard::to_allocvec(&detector).unwrap().len()
}
