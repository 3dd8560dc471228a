//! Scores respiratory rate from impedance, the pulse wave, the ECG and both of these on BIDMC.
//!
//! `cargo run --release -p afferent-metrics --example respiration_score -- FOLDER` with `bidmc/` inside. The reference is
//! the mean of the two annotators' rates, in windows where they agree within 2 per minute.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a command line report")]

#[path = "support/mod.rs"]
mod support;

use afferent_dsp::{
    ecg::{BeatDetector, DetectedBeat},
    ppg::{DetectedPulse, PulseDetector},
    respiration::{BreathDetector, DetectedBreath},
};
use afferent_metrics::respiratory_rate::{
    GATE, RespiratoryRate, Window, from_breaths, from_ecg, from_pulse_wave, fuse,
};
use support::{Bidmc, bidmc, mean_abs};

const HOP_S: usize = 16;
const RATE_HZ: f64 = 125.0;

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
    let beats: Vec<Vec<DetectedBeat>> = records.iter().map(beats_of).collect();
    for window_s in [32, 64] {
        score("impedance", window_s, &records, |nth, from, to| {
            let inside = |breath: &&DetectedBreath| (from..to).contains(&(breath.sample / 125.0));
            from_breaths(&breaths[nth].iter().filter(inside).copied().collect::<Vec<_>>(), 125.0)
        });
    }
    for window_s in [32, 64] {
        let of_pulses =
            |nth: usize, from, to| cut(&records[nth].pleth, &pulses[nth], |pulse| &mut pulse.sample, from, to);
        let of_beats = |nth: usize, from, to| cut(&records[nth].ecg, &beats[nth], |beat| &mut beat.sample, from, to);
        score("pulse", window_s, &records, |nth, from, to| {
            let (samples, pulses) = of_pulses(nth, from, to);
            from_pulse_wave(samples, RATE_HZ, &pulses)
        });
        score("ecg", window_s, &records, |nth, from, to| {
            let (samples, beats) = of_beats(nth, from, to);
            from_ecg(samples, RATE_HZ, &beats)
        });
        score("fused", window_s, &records, |nth, from, to| {
            let (pleth, pulses) = of_pulses(nth, from, to);
            let (ecg, beats) = of_beats(nth, from, to);
            fuse(
                &Window { samples: pleth, rate_hz: RATE_HZ, beats: &pulses },
                &Window { samples: ecg, rate_hz: RATE_HZ, beats: &beats },
            )
        });
    }
}

/// The window's samples, and what was detected in it with positions counted from its first sample.
fn cut<'a, B: Copy>(
    samples: &'a [f32],
    found: &[B],
    position: impl Fn(&mut B) -> &mut f64,
    from: f64,
    to: f64,
) -> (&'a [f32], Vec<B>) {
    let (first, last) = ((from * RATE_HZ) as usize, ((to * RATE_HZ) as usize).min(samples.len()));
    let shifted = |mut one: B| {
        *position(&mut one) -= first as f64;
        one
    };
    let inside = |one: &mut B| (0.0..(last - first) as f64).contains(position(one));
    (
        &samples[first..last],
        found.iter().copied().map(shifted).filter_map(|mut one| inside(&mut one).then_some(one)).collect(),
    )
}

fn beats_of(record: &Bidmc) -> Vec<DetectedBeat> {
    let (mut detector, mut beats) = (BeatDetector::new(record.rate_hz).unwrap(), Vec::new());
    detector.push(&record.ecg, &mut beats);
    detector.finish(&mut beats);
    beats
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
