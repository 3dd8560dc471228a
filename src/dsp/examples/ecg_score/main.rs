//! Scores the R-peak detector against reference annotations, after ANSI/AAMI EC57.
//!
//! `ecg_score FOLDER [--noise FILE] [--errors]`: every record of FOLDER (WFDB, format 212, first signal). With a noise
//! recording (CSV, one value in mV a line, at the records' rate) the clean records are scored again with it added at
//! calibrated signal-to-noise ratios.
#![expect(clippy::print_stdout, reason = "a command-line report")]

mod noise;
mod wfdb;

use afferent_dsp::ecg::{BeatDetector, DetectedBeat};
use afferent_dsp::evaluate::{LEARNING_PERIOD_S, MATCH_WINDOW_S, Scope, Tally, match_beats};
use std::path::Path;

/// Beats are to be out by then.
const LATE_MS: f64 = 150.0;

type AnyError = Box<dyn std::error::Error>;

fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: ecg_score FOLDER [--noise FILE] [--errors]")?;
    let show_errors = arguments.iter().any(|argument| argument == "--errors");
    let noise_file = arguments.iter().position(|argument| argument == "--noise").and_then(|i| arguments.get(i + 1));
    let records = wfdb::read_folder(Path::new(folder))?;
    clean(&records, show_errors)?;
    if let Some(file) = noise_file {
        let noise = noise::read(Path::new(file))?;
        for snr_db in [18.0, 12.0, 6.0, 0.0] {
            stressed(&records, &noise, snr_db, show_errors)?;
        }
    }
    Ok(())
}

fn clean(records: &[wfdb::Record], show_errors: bool) -> Result<(), AnyError> {
    let mut total = Tally::default();
    // Jitter is compared with other detectors' by the median over records of each record's standard deviation: a constant
    // difference in the choice of the fiducial mark does not count, nor do the few records where the mark is arguable.
    let mut worst = (f64::INFINITY, "");
    let mut jitters = Vec::new();
    let mut lags = Vec::new();
    for record in records {
        let detected = detect(&record.signal, record.rate_hz)?;
        let tally = score(record, &detected);
        print_line(&record.name, &tally);
        if show_errors {
            print_errors(&tally, record.rate_hz);
        }
        jitters.push(tally.offset_deviation_ms());
        if tally.f1() < worst.0 {
            worst = (tally.f1(), &record.name);
        }
        let record_lags = emission_lags_ms(record)?;
        let late = record_lags.iter().filter(|&&lag| lag > LATE_MS).count();
        println!("   later than {LATE_MS} ms: {:.2} %", 100.0 * late as f64 / record_lags.len() as f64);
        lags.extend(record_lags);
        total.add(&tally);
    }
    print_line("ALL", &total);
    jitters.sort_by(f64::total_cmp);
    lags.sort_by(f64::total_cmp);
    let quantile = |p: f64| lags[((lags.len() - 1) as f64 * p) as usize];
    println!("worst {} {:.2}", worst.1, 100.0 * worst.0);
    println!("jitter (median over records of the SD within a record) {:.2} ms", median(&jitters));
    println!("emission p50 {:.1} p95 {:.1} p99 {:.1} ms", quantile(0.5), quantile(0.95), quantile(0.99));
    Ok(())
}

fn stressed(records: &[wfdb::Record], noise: &[f32], snr_db: f64, show_errors: bool) -> Result<(), AnyError> {
    let mut total = Tally::default();
    for record in records.iter().filter(|record| noise::CLEAN_RECORDS.contains(&record.name.as_str())) {
        let signal = noise::add(record, noise, snr_db);
        let detected = detect(&signal, record.rate_hz)?;
        let tally = score(record, &detected);
        if show_errors {
            print_line(&format!("{}/{snr_db}", record.name), &tally);
        }
        total.add(&tally);
    }
    print_line(&format!("{snr_db} dB"), &total);
    Ok(())
}

fn detect(signal: &[f32], rate_hz: f64) -> Result<Vec<DetectedBeat>, AnyError> {
    let mut detector = BeatDetector::new(rate_hz)?;
    let mut beats = Vec::new();
    detector.push(signal, &mut beats);
    detector.finish(&mut beats);
    Ok(beats)
}

fn score(record: &wfdb::Record, beats: &[DetectedBeat]) -> Tally {
    let positions: Vec<f64> = beats.iter().map(|beat| beat.sample).collect();
    let scope = Scope { from: LEARNING_PERIOD_S * record.rate_hz, excluded: record.fibrillation.clone() };
    match_beats(&record.beats, &positions, record.rate_hz, &scope)
}

/// Milliseconds from each annotated beat to the sample with which it came out.
fn emission_lags_ms(record: &wfdb::Record) -> Result<Vec<f64>, AnyError> {
    let mut detector = BeatDetector::new(record.rate_hz)?;
    let (mut beats, mut lags) = (Vec::new(), Vec::new());
    let from = LEARNING_PERIOD_S * record.rate_hz;
    for (position, sample) in record.signal.iter().enumerate() {
        detector.push(std::slice::from_ref(sample), &mut beats);
        for beat in beats.drain(..) {
            let annotated = nearest(&record.beats, beat.sample);
            let matches = (annotated - beat.sample).abs() <= MATCH_WINDOW_S * record.rate_hz;
            if matches && annotated >= from && !record.is_fibrillating(annotated) {
                lags.push((position as f64 - annotated) / record.rate_hz * 1000.0);
            }
        }
    }
    Ok(lags)
}

/// The number of ascending `sorted` nearest to `to`; infinite if there is none.
fn nearest(sorted: &[f64], to: f64) -> f64 {
    let after = sorted.partition_point(|&x| x < to);
    let around = sorted[after.saturating_sub(1)..(after + 1).min(sorted.len())].iter().copied();
    around.min_by(|a, b| (a - to).abs().total_cmp(&(b - to).abs())).unwrap_or(f64::INFINITY)
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

fn print_line(name: &str, tally: &Tally) {
    println!(
        "{name:8} Se {:6.2} PPV {:6.2} F1 {:7.3} FN {:4} FP {:4} errors {:4} bias {:5.1} jitter {:5.2} SD {:5.2}",
        100.0 * tally.sensitivity(),
        100.0 * tally.positive_predictivity(),
        100.0 * tally.f1(),
        tally.false_negative,
        tally.false_positive,
        tally.errors(),
        tally.bias_ms(),
        tally.jitter_ms(),
        tally.offset_deviation_ms(),
    );
}

fn print_errors(tally: &Tally, rate_hz: f64) {
    let list = |at: &[f64]| at.iter().map(|s| format!("{:.2}", s / rate_hz)).collect::<Vec<_>>().join(" ");
    println!("   missed {}", list(&tally.missed_at));
    println!("   extra  {}", list(&tally.extra_at));
}
