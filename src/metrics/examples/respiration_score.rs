//! Scores respiratory rate from impedance and from the pulse wave on BIDMC.
//!
//! `cargo run --release -p afferent-metrics --example respiration_score -- FOLDER` with `bidmc/` inside. The reference is
//! the mean of the two annotators' rates, in windows where they agree within 2 per minute.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

#[path = "support/mod.rs"]
mod support;

use afferent_dsp::{
    ppg::{DetectedPulse, PulseDetector},
    respiration::{BreathDetector, DetectedBreath},
};
use afferent_metrics::respiratory_rate::{GATE, RespiratoryRate, from_breaths, from_pulse_wave};
use support::{Bidmc, bidmc, mean_abs};

const HOP_S: usize = 16;

fn marked_rate(breaths_s: &[f64], from: f64, to: f64) -> Option<f64> {
    let inside: Vec<f64> = breaths_s.iter().copied().filter(|t| (from..to).contains(t)).collect();
    (inside.len() > 2).then(|| 60.0 * (inside.len() - 1) as f64 / (inside[inside.len() - 1] - inside[0]))
}

fn reference(record: &Bidmc, from: f64, to: f64) -> Option<f64> {
    let [a, b] = [0, 1].map(|nth| marked_rate(&record.breaths[nth], from, to));
    let (a, b) = (a?, b?);
    ((a - b).abs() < 2.0).then_some(f64::midpoint(a, b))
}

/// Errors with their quality over all windows of `window_s`; windows without an answer are counted.
fn score(name: &str, window_s: usize, records: &[Bidmc], rate: impl Fn(usize, f64, f64) -> Option<RespiratoryRate>) {
    let (mut errors, mut silent, mut each) = (Vec::new(), 0, Vec::new());
    for (nth, record) in records.iter().enumerate() {
        let mut own = Vec::new();
        for start in (0..=480 - window_s).step_by(HOP_S) {
            let (from, to) = (start as f64, (start + window_s) as f64);
            let Some(expected) = reference(record, from, to) else { continue };
            match rate(nth, from, to) {
                Some(found) => own.push(((found.per_minute - expected).abs(), found.quality)),
                None => silent += 1,
            }
        }
        let all: Vec<f64> = own.iter().map(|(error, _)| *error).collect();
        each.push(format!("{}:{:.2}", record.name, mean_abs(&all)));
        errors.extend(own);
    }
    let all: Vec<f64> = errors.iter().map(|(error, _)| *error).collect();
    let kept: Vec<f64> = errors.iter().filter(|(_, quality)| *quality >= GATE).map(|(error, _)| *error).collect();
    println!(
        "{name:9} {window_s} s: MAE {:.2}, gated {:.2} at {:.0} % of {} ({silent} silent) {}",
        mean_abs(&all),
        mean_abs(&kept),
        100.0 * kept.len() as f64 / (all.len() + silent) as f64,
        all.len() + silent,
        each.join(" ")
    );
    errors.sort_by(|a, b| b.1.total_cmp(&a.1));
    for part in [0.95, 0.9, 0.86, 0.7] {
        let count = (part * errors.len() as f64).ceil() as usize;
        let best: Vec<f64> = errors[..count].iter().map(|(error, _)| *error).collect();
        println!("   best {:.0} %: MAE {:.2}, quality from {:.2}", part * 100.0, mean_abs(&best), errors[count - 1].1);
    }
}

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "../shared/signals/dev".into());
    let records = bidmc(&folder);
    let breaths: Vec<Vec<DetectedBreath>> = records.iter().map(breaths_of).collect();
    let pulses: Vec<Vec<DetectedPulse>> = records.iter().map(pulses_of).collect();
    for window_s in [32, 64] {
        score("impedance", window_s, &records, |nth, from, to| {
            let inside = |breath: &&DetectedBreath| (from..to).contains(&(breath.sample / 125.0));
            from_breaths(&breaths[nth].iter().filter(inside).copied().collect::<Vec<_>>(), 125.0)
        });
    }
    for window_s in [32, 64] {
        score("pulse", window_s, &records, |nth, from, to| {
            let (first, last) = ((from * 125.0) as usize, (to * 125.0) as usize);
            let samples = &records[nth].pleth[first..last.min(records[nth].pleth.len())];
            let inside = |pulse: &&DetectedPulse| (from..to).contains(&(pulse.sample / 125.0));
            let shifted = |pulse: &DetectedPulse| DetectedPulse { sample: pulse.sample - first as f64, ..*pulse };
            from_pulse_wave(samples, 125.0, &pulses[nth].iter().filter(inside).map(shifted).collect::<Vec<_>>())
        });
    }
}

fn breaths_of(record: &Bidmc) -> Vec<DetectedBreath> {
    let (mut detector, mut breaths) = (BreathDetector::new(record.rate_hz).unwrap(), Vec::new());
    detector.push(&record.resp, &mut breaths);
    detector.finish(&mut breaths);
    breaths
}

fn pulses_of(record: &Bidmc) -> Vec<DetectedPulse> {
    let (mut detector, mut pulses) = (PulseDetector::new(record.rate_hz).unwrap(), Vec::new());
    detector.push(&record.pleth, &mut pulses);
    detector.finish(&mut pulses);
    pulses
}
