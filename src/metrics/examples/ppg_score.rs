//! Scores pulse detection and pulse rate on BIDMC (as recorded and with noise), and on camera recordings.
//!
//! `cargo run --release -p afferent-metrics --example ppg_score -- FOLDER` with `bidmc/`, `welltory_ppg/` and
//! `phonecam_spo2/` inside; what is absent is left out. `-v` lists the errors.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

#[path = "support/mod.rs"]
mod support;

use afferent_dsp::ppg::{DetectedPulse, PulseDetector};
use afferent_metrics::pulse_rate::{PulseRate, pulse_rate};
use support::{Tally, bidmc, detect_beats, mean_abs, welltory};

fn pulses_of(samples: &[f32], rate_hz: f64) -> Vec<DetectedPulse> {
    let mut detector = PulseDetector::new(rate_hz).unwrap();
    let mut pulses = Vec::new();
    detector.push(samples, &mut pulses);
    detector.finish(&mut pulses);
    pulses
}

/// Rate of reference beats in a window: the mean interval.
fn beat_rate(beats_s: &[f64], from: f64, to: f64) -> Option<f64> {
    let inside: Vec<f64> = beats_s.iter().copied().filter(|t| (from..to).contains(t)).collect();
    let (first, last) = (inside.first()?, inside.last()?);
    (inside.len() > 3).then(|| 60.0 * (inside.len() - 1) as f64 / (last - first))
}

fn window_rate(pulses: &[DetectedPulse], rate_hz: f64, from: f64, to: f64) -> Option<f64> {
    let inside: Vec<DetectedPulse> =
        pulses.iter().copied().filter(|pulse| (from..to).contains(&(pulse.sample / rate_hz))).collect();
    pulse_rate(&inside, rate_hz).map(|rate| rate.per_minute)
}

fn score_bidmc(folder: &str) {
    println!("BIDMC\nrecord     Se     PPV      F1   FN   FP  delay  rate MAE  |PP-RR| ms");
    let (mut total, mut errors) = (Tally::default(), Vec::new());
    for record in bidmc(folder) {
        let beats = detect_beats(&record.ecg, record.rate_hz);
        let pulses = pulses_of(&record.pleth, record.rate_hz);
        let at: Vec<f64> = pulses.iter().map(|pulse| pulse.sample / record.rate_hz).collect();
        let (delay, tally) = support::match_delayed(&beats, &at);
        let mut own = Vec::new();
        for start in (0..=450).step_by(15).map(f64::from) {
            let reference = beat_rate(&beats, start, start + 30.0);
            let found = window_rate(&pulses, record.rate_hz, start, start + 30.0);
            if let (Some(reference), Some(found)) = (reference, found) {
                own.push((found - reference).abs());
            }
        }
        println!(
            "{:>6} {:6.2} {:7.2} {:7.2} {:4} {:4} {:6.3} {:8.2} {:6.1}",
            record.name,
            tally.sensitivity(),
            tally.precision(),
            tally.f1(),
            tally.missed,
            tally.extra,
            delay,
            mean_abs(&own),
            support::interval_error_ms(&beats, &at, delay)
        );
        if std::env::args().any(|a| a == "-v") {
            support::print_errors(&beats, &at, delay);
        }
        total.add(tally);
        errors.extend(own);
    }
    println!(
        "   all {:6.2} {:7.2} {:7.3} {:4} {:4}        {:8.3}  {}",
        total.sensitivity(),
        total.precision(),
        total.f1(),
        total.missed,
        total.extra,
        mean_abs(&errors),
        errors.len()
    );
}

/// All beats again, with the wave spoiled in some way.
fn score_spoiled(folder: &str, how: &str, spoil: impl Fn(&[f32], f64) -> Vec<f32>) {
    let mut total = Tally::default();
    for record in bidmc(folder) {
        let beats = detect_beats(&record.ecg, record.rate_hz);
        let pulses = pulses_of(&spoil(&record.pleth, record.rate_hz), record.rate_hz);
        let at: Vec<f64> = pulses.iter().map(|pulse| pulse.sample / record.rate_hz).collect();
        total.add(support::match_delayed(&beats, &at).1);
    }
    println!("{how:>8} {:6.2} {:7.2} {:7.2}", total.sensitivity(), total.precision(), total.f1());
}

/// The rate of the channel whose pulses look most alike, over the whole recording, against the chest strap.
fn score_welltory(folder: &str) {
    println!("Welltory\nsubject  reference  found  (channels: rate, quality)");
    let mut errors = Vec::new();
    for record in welltory(folder) {
        let reference = 60_000.0 * record.rr_ms.len() as f64 / record.rr_ms.iter().sum::<f64>();
        let rates: Vec<_> =
            record.channels.iter().map(|c| pulse_rate(&pulses_of(c, record.rate_hz), record.rate_hz)).collect();
        let best = rates.iter().flatten().max_by(|a, b| a.quality.total_cmp(&b.quality)).unwrap();
        errors.push(best.per_minute - reference);
        let text =
            |rate: &Option<_>| rate.map_or("-".into(), |r: PulseRate| format!("{:.2} {:.2}", r.per_minute, r.quality));
        let all: Vec<String> = rates.iter().map(text).collect();
        println!("{:>7} {reference:10.2} {:6.2}  {}", record.name, best.per_minute, all.join(" | "));
    }
    println!("    MAE {:.2}", mean_abs(&errors));
}

/// Pulse rate of the green channel in 30 s windows during induced hypoxaemia, against the oximeters' median.
fn score_phonecam(folder: &str) {
    println!("Phone camera, green, 30 s");
    for record in support::phonecam(folder) {
        let pulses = pulses_of(&record.channels[1], 30.0);
        let (mut errors, mut good) = (Vec::new(), Vec::new());
        for start in (0..record.pulse.len().saturating_sub(30)).step_by(15) {
            let shown: Vec<f64> = record.pulse[start..start + 30].iter().flatten().copied().collect();
            let (from, to) = (start as f64 * 30.0, (start + 30) as f64 * 30.0);
            let inside: Vec<DetectedPulse> =
                pulses.iter().copied().filter(|pulse| (from..to).contains(&pulse.sample)).collect();
            let (Some(rate), true) = (pulse_rate(&inside, 30.0), shown.len() > 20) else { continue };
            let error = rate.per_minute - shown.iter().sum::<f64>() / shown.len() as f64;
            errors.push(error);
            if rate.quality > 0.7 {
                good.push(error);
            }
        }
        println!(
            "{:>14} MAE {:.2} of {}, at quality above 0.7 {:.2} of {}",
            record.name,
            mean_abs(&errors),
            errors.len(),
            mean_abs(&good),
            good.len()
        );
    }
}

/// Seconds of a 125 Hz wave per second of this machine, over a repeated recording.
fn score_speed(folder: &str) {
    let Some(record) = bidmc(folder).into_iter().next() else { return };
    let begin = std::time::Instant::now();
    let found: usize = (0..5).map(|_| pulses_of(&record.pleth, record.rate_hz).len()).sum();
    let seconds = 5.0 * record.pleth.len() as f64 / record.rate_hz;
    println!("Speed: {:.0} x real time ({found} pulses)", seconds / begin.elapsed().as_secs_f64());
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "../shared/signals/dev".into());
    score_bidmc(&folder);
    for snr_db in [12.0, 6.0, 3.0, 0.0, -3.0] {
        let spoil = |wave: &[f32], rate_hz: f64| support::with_noise(wave, rate_hz, snr_db);
        score_spoiled(&folder, &format!("{snr_db} dB"), spoil);
    }
    score_spoiled(&folder, "gain", support::with_swinging_gain);
    score_welltory(&folder);
    score_phonecam(&folder);
    score_speed(&folder);
}
