//! Noise-stress records after Moody, Muldrow & Mark 1984: real noise added to clean records at a calibrated ratio.

use super::AnyError;
use super::wfdb::Record;
use std::path::Path;

/// Records with hardly an artefact of their own, of several patients and beat shapes.
pub(super) const CLEAN_RECORDS: [&str; 24] = [
    "100", "101", "103", "105", "106", "112", "115", "116", "117", "118", "119", "121", "122", "123", "205", "209",
    "212", "215", "220", "223", "230", "234", "202", "213",
];
/// Noise begins with the part of the record that counts.
const NOISE_FROM_S: f64 = 300.0;

pub(super) fn read(file: &Path) -> Result<Vec<f32>, AnyError> {
    Ok(std::fs::read_to_string(file)?.lines().filter_map(|line| line.trim().parse().ok()).collect())
}

/// The record's signal with `noise`, repeated to its end, at `snr_db` as `nst` defines it: signal power is the squared
/// QRS peak-to-peak amplitude over eight, noise power the variance within seconds.
pub(super) fn add(record: &Record, noise: &[f32], snr_db: f64) -> Vec<f32> {
    let power = qrs_amplitude(record).powi(2) / 8.0;
    let gain = (power / noise_power(noise, record.rate_hz) / 10_f64.powf(snr_db / 10.0)).sqrt() as f32;
    let start = (NOISE_FROM_S * record.rate_hz) as usize;
    let mut signal = record.signal.clone();
    signal.iter_mut().skip(start).zip(noise.iter().cycle()).for_each(|(sample, noise)| *sample += gain * noise);
    signal
}

/// Mean peak-to-peak amplitude within 50 ms of the first 300 beats, extreme twentieths left out.
fn qrs_amplitude(record: &Record) -> f64 {
    let reach = (0.05 * record.rate_hz) as usize;
    let span = |&beat: &f64| {
        let at = beat as usize;
        let window = record.signal.get(at.checked_sub(reach)?..at + reach)?;
        let (low, high) = window.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        Some(f64::from(high - low))
    };
    trimmed_mean(record.beats.iter().take(300).filter_map(span).collect())
}

fn noise_power(noise: &[f32], rate_hz: f64) -> f64 {
    let deviation = |second: &[f32]| {
        let mean = second.iter().map(|&x| f64::from(x)).sum::<f64>() / second.len() as f64;
        (second.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / second.len() as f64).sqrt()
    };
    trimmed_mean(noise.chunks_exact(rate_hz as usize).map(deviation).collect()).powi(2)
}

fn trimmed_mean(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 20;
    let kept = &values[cut..values.len() - cut];
    kept.iter().sum::<f64>() / kept.len() as f64
}
