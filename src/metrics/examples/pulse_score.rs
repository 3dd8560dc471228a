//! What the pulse detector scores on `bidmc`, in one line: F1 against the ECG's beats, errors, and the mean absolute error
//! of the rate in 30 s windows.
//!
//! `cargo run --release -p afferent-metrics --example pulse_score -- FOLDER`, where `FOLDER` holds `bidmc`. `tests/sensitivity`
//! prints it for every setting of the detector moved by a fifth.
#![expect(clippy::print_stdout, reason = "a command-line report")]

use afferent_dsp::ecg::BeatDetector;
use afferent_dsp::evaluate::{Scope, Tally, match_beats};
use afferent_dsp::ppg::{DetectedPulse, PulseDetector};
use afferent_metrics::pulse_rate::pulse_rate;
use std::io::Read;
use std::path::Path;

type AnyError = Box<dyn std::error::Error>;

const RATE_HZ: f64 = 125.0;
/// The ends of a recording do not count: a beat's pulse may lie outside.
const ENDS_S: f64 = 2.0;
const WINDOW_S: f64 = 30.0;

fn main() -> Result<(), AnyError> {
    let folder = std::env::args().nth(1).ok_or("usage: pulse_score FOLDER")?;
    let (mut total, mut errors) = (Tally::default(), Vec::new());
    for entry in std::fs::read_dir(Path::new(&folder).join("bidmc"))? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with("_Signals.csv.gz") {
            let (beats, pulses) = recording(&path)?;
            total.add(&tally(&beats, &pulses));
            errors.extend(rate_errors(&beats, &pulses));
        }
    }
    let mean = errors.iter().sum::<f64>() / errors.len().max(1) as f64;
    println!("F1 {:.2} %, {} errors, rate MAE {mean:.2} /min", 100.0 * total.f1(), total.errors());
    Ok(())
}

/// R peaks of lead II and pulses of a recording, in samples.
fn recording(path: &Path) -> Result<(Vec<f64>, Vec<DetectedPulse>), AnyError> {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let place = |name: &str| names.iter().position(|found| *found == name).ok_or("a column is missing");
    let (ecg, ppg) = (place("II")?, place("PLETH")?);
    let rows: Vec<Vec<f32>> =
        lines.map(|line| line.split(',').map(|field| field.trim().parse().unwrap_or(f32::NAN)).collect()).collect();
    let column = |at: usize| rows.iter().map(|row| row.get(at).copied().unwrap_or(f32::NAN)).collect::<Vec<f32>>();
    let (mut detector, mut beats) = (BeatDetector::new(RATE_HZ)?, Vec::new());
    detector.push(&column(ecg), &mut beats);
    detector.finish(&mut beats);
    let (mut detector, mut pulses) = (PulseDetector::new(RATE_HZ)?, Vec::new());
    detector.push(&column(ppg), &mut pulses);
    detector.finish(&mut pulses);
    Ok((beats.iter().map(|beat| beat.sample).collect(), pulses))
}

/// Pulses against beats at the delay that matches most, to a hundredth of a second.
fn tally(beats: &[f64], pulses: &[DetectedPulse]) -> Tally {
    let end = beats.last().copied().unwrap_or(0.0) - ENDS_S * RATE_HZ;
    let scope = Scope { from: ENDS_S * RATE_HZ, excluded: vec![(end, f64::INFINITY)] };
    let at = |delay_s: f64| {
        let moved: Vec<f64> = pulses.iter().map(|pulse| pulse.sample - delay_s * RATE_HZ).collect();
        match_beats(beats, &moved, RATE_HZ, &scope)
    };
    let tries = (0..80).map(|step| at(f64::from(step) / 100.0));
    tries.max_by_key(|tally| tally.true_positive).unwrap_or_default()
}

/// Absolute errors of the pulse rate, in /min.
fn rate_errors(beats: &[f64], pulses: &[DetectedPulse]) -> Vec<f64> {
    let end = beats.last().copied().unwrap_or(0.0);
    let starts = (0..).map(|n| f64::from(n) * WINDOW_S * RATE_HZ / 2.0);
    let starts = starts.take_while(|from| from + WINDOW_S * RATE_HZ <= end);
    let error = |from: f64| {
        let window = from..from + WINDOW_S * RATE_HZ;
        let inside: Vec<f64> = beats.iter().copied().filter(|beat| window.contains(beat)).collect();
        let reference = 60.0 * RATE_HZ * (inside.len() as f64 - 1.0) / (inside.last()? - inside.first()?);
        let inside: Vec<DetectedPulse> = pulses.iter().copied().filter(|p| window.contains(&p.sample)).collect();
        Some((pulse_rate(&inside, RATE_HZ)?.per_minute - reference).abs())
    };
    starts.filter_map(error).collect()
}
