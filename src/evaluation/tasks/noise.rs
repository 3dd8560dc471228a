//! Real noise and how it is added to a clean record, after Moody, Muldrow and Mark 1984 and the program `nst` of WFDB.

use super::super::folder::{Folder, Record, Sheet};
use super::super::read::columns::{Columns, evenly};
use super::super::read::ecg::{Lead, lead};
use super::super::task::Context;

/// Noise begins with the part of a record that counts, and stands in every second stretch of two minutes.
pub(super) const FROM_S: f64 = 300.0;
pub(super) const STRETCH_S: f64 = 120.0;
/// Beats that give the signal's power, and how far around each.
const BEATS: usize = 300;
const REACH_S: f64 = 0.05;

/// Where a noise recording lies, by its place in the folder's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Record(usize),
    Table(usize),
}

/// The noise recordings of a folder with their names: records that the MIT-BIH Noise Stress Test Database calls `em`, `ma`
/// and `bw`, or single columns of numbers that call themselves noise and tell their rate (`em_noise_360hz.csv`).
pub(super) fn recordings(folder: &Folder) -> Vec<(String, Place)> {
    let of_record = |(at, record): (usize, &Record)| {
        let stem = record.header.file_stem()?.to_string_lossy().to_lowercase();
        let has_signals = record.head.as_ref().is_ok_and(|head| !head.signals.is_empty());
        let is_noise = matches!(stem.as_str(), "em" | "ma" | "bw") && has_signals;
        is_noise.then_some((stem, Place::Record(at)))
    };
    let of_table = |(at, sheet): (usize, &Sheet)| {
        let is_noise = sheet.is_headless() && sheet.first.len() == 1 && rate_hz(sheet).is_some();
        let name = file_name(sheet).to_lowercase();
        (is_noise && name.contains("noise"))
            .then(|| (name.split("_noise").next().unwrap_or(&name).to_owned(), Place::Table(at)))
    };
    let records = folder.records.iter().enumerate().filter_map(of_record);
    records.chain(folder.tables.iter().enumerate().filter_map(of_table)).collect()
}

/// Reads a noise recording at the rate of the record it is added to.
pub(super) fn read(context: &Context<'_>, place: Place, at_hz: f64) -> Result<Vec<f32>, String> {
    let folder = context.folder;
    let noise = match place {
        Place::Record(at) => lead(context, folder.records.get(at).ok_or("is gone")?)?,
        Place::Table(at) => {
            let sheet = folder.tables.get(at).ok_or("is gone")?;
            let rate_hz = rate_hz(sheet).ok_or("does not tell its sampling rate")?;
            let samples = Columns::read(folder, sheet)?.present(0).into_iter().map(|v| v as f32).collect();
            Lead { name: sheet.name.clone(), rate_hz, samples }
        }
    };
    if noise.samples.iter().any(|v| !v.is_finite()) || (noise.samples.len() as f64) < noise.rate_hz {
        return Err(format!("the noise {} has missing samples or no second of them", noise.name));
    }
    if noise.rate_hz == at_hz {
        return Ok(noise.samples);
    }
    let times: Vec<f64> = (0..noise.samples.len()).map(|i| i as f64 / noise.rate_hz).collect();
    let values: Vec<f64> = noise.samples.iter().map(|v| f64::from(*v)).collect();
    Ok(evenly(&times, &values, at_hz))
}

fn file_name(sheet: &Sheet) -> &str {
    sheet.name.rsplit('/').next().unwrap_or(&sheet.name)
}

/// The number before `hz` in the name of a file.
fn rate_hz(sheet: &Sheet) -> Option<f64> {
    let name = file_name(sheet).to_lowercase();
    let (before, _) = name.rsplit_once("hz")?;
    let digits = before.rsplit(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
    digits.parse().ok().filter(|hz| *hz > 0.0)
}

/// Whether a time lies in a noisy stretch.
pub(super) fn is_noisy(time_s: f64) -> bool {
    time_s >= FROM_S && (((time_s - FROM_S) / STRETCH_S) as u64).is_multiple_of(2)
}

/// The lead with noise, repeated to its end, at `snr_db` as `nst` defines it: signal power is the squared QRS peak-to-peak
/// amplitude over eight, noise power the variance within seconds. None where the lead shows no beats.
pub(super) fn add(lead: &Lead, beats: &[f64], noise: &[f32], snr_db: f64) -> Option<Lead> {
    let power = qrs_amplitude(lead, beats)?.powi(2) / 8.0;
    let gain = (power / noise_power(noise, lead.rate_hz)? / 10_f64.powf(snr_db / 10.0)).sqrt() as f32;
    let start = (FROM_S * lead.rate_hz) as usize;
    let mut noisy = lead.clone();
    for (index, (sample, noise)) in noisy.samples.iter_mut().skip(start).zip(noise.iter().cycle()).enumerate() {
        if is_noisy((start + index) as f64 / lead.rate_hz) {
            *sample += gain * noise;
        }
    }
    Some(noisy)
}

fn qrs_amplitude(lead: &Lead, beats: &[f64]) -> Option<f64> {
    let reach = (REACH_S * lead.rate_hz) as usize;
    let span = |&beat: &f64| {
        let at = beat as usize;
        let window = lead.samples.get(at.checked_sub(reach)?..at + reach)?;
        let (low, high) = window.iter().fold((f32::MAX, f32::MIN), |(low, high), &x| (low.min(x), high.max(x)));
        Some(f64::from(high - low))
    };
    trimmed_mean(beats.iter().take(BEATS).filter_map(span).collect())
}

fn noise_power(noise: &[f32], rate_hz: f64) -> Option<f64> {
    let deviation = |second: &[f32]| {
        let mean = second.iter().map(|&x| f64::from(x)).sum::<f64>() / second.len() as f64;
        (second.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / second.len() as f64).sqrt()
    };
    Some(trimmed_mean(noise.chunks_exact(rate_hz.max(1.0) as usize).map(deviation).collect())?.powi(2))
}

/// The mean without the lowest and the highest twentieth.
fn trimmed_mean(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let cut = values.len() / 20;
    let kept = values.get(cut..values.len() - cut).filter(|kept| !kept.is_empty())?;
    Some(kept.iter().sum::<f64>() / kept.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_stands_in_every_second_stretch_at_the_ratio_asked_for() {
        let rate_hz = 100.0;
        let mut samples = vec![0.0; 70_000];
        let beats: Vec<f64> = (1..690).map(|n| f64::from(n) * 100.0).collect();
        beats.iter().for_each(|at| samples[*at as usize] = 1.0);
        let lead = Lead { name: "x".into(), rate_hz, samples };
        let noise: Vec<f32> = (0..1000).map(|n| if n % 2 == 0 { 0.3 } else { -0.3 }).collect();
        let noisy = add(&lead, &beats, &noise, 6.0).unwrap();
        let added: Vec<f32> = noisy.samples.iter().zip(&lead.samples).map(|(a, b)| a - b).collect();
        let silent = |from: usize, to: usize| added[from..to].iter().all(|v| v.abs() < 1e-6);
        assert!(silent(0, 30_000) && silent(42_000, 54_000) && !silent(30_000, 30_002) && !silent(54_000, 54_002));
        // A peak-to-peak amplitude of 1 has the power 1/8; 6 dB below it the noise has its amplitude squared.
        let expected = (1.0_f64 / 8.0 / 10_f64.powf(0.6)).sqrt();
        assert!((f64::from(added[30_100].abs()) - expected).abs() < 1e-3, "{}", added[30_100]);
        assert!(add(&lead, &[], &noise, 6.0).is_none());
    }
}
