//! Scores pulse detection and pulse rate on BIDMC and on the Welltory camera recordings.
//!
//! `cargo run --release -p afferent-metrics --example ppg_score -- FOLDER` with `bidmc/` and `welltory_ppg/` inside.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

#[path = "support/mod.rs"]
mod support;

use afferent_dsp::ppg::{DetectedPulse, PulseDetector};
use afferent_metrics::pulse_rate::pulse_rate;
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
    println!("BIDMC\nrecord     Se     PPV      F1   FN   FP  delay  rate MAE");
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
            "{:>6} {:6.2} {:7.2} {:7.2} {:4} {:4} {:6.3} {:8.2}  {}",
            record.name,
            tally.sensitivity(),
            tally.precision(),
            tally.f1(),
            tally.missed,
            tally.extra,
            delay,
            mean_abs(&own),
            own.len()
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

fn score_noise(folder: &str) {
    for snr_db in [12.0, 6.0, 3.0, 0.0, -3.0] {
        let mut total = Tally::default();
        for record in bidmc(folder) {
            let beats = detect_beats(&record.ecg, record.rate_hz);
            let pulses = pulses_of(&support::with_noise(&record.pleth, record.rate_hz, snr_db), record.rate_hz);
            let at: Vec<f64> = pulses.iter().map(|pulse| pulse.sample / record.rate_hz).collect();
            total.add(support::match_delayed(&beats, &at).1);
        }
        println!("{snr_db:4} dB {:6.2} {:7.2} {:7.2}", total.sensitivity(), total.precision(), total.f1());
    }
}

fn score_welltory(folder: &str) {
    println!("Welltory\nsubject  PPG s   RR s  reference  found(R)  found(G)  found(B)");
    for record in welltory(folder) {
        let rr_s: f64 = record.rr_ms.iter().sum::<f64>() / 1000.0;
        let reference = 60.0 * record.rr_ms.len() as f64 / rr_s;
        let length = record.channels[0].len() as f64 / record.rate_hz;
        let found: Vec<String> = record
            .channels
            .iter()
            .map(|channel| {
                let pulses = pulses_of(channel, record.rate_hz);
                window_rate(&pulses, record.rate_hz, 0.0, 1e9)
                    .map_or("-".into(), |r| format!("{r:.2} ({})", pulses.len()))
            })
            .collect();
        println!("{} {length:7.1} {rr_s:7.1} {reference:7.2} {}", record.name, found.join("  "));
    }
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "../shared/signals/dev".into());
    score_bidmc(&folder);
    score_noise(&folder);
    score_welltory(&folder);
}
