//! Readers and matchers the score programs share.
#![allow(clippy::unwrap_used, dead_code, unused_imports, reason = "each program uses a part; a broken file ends it")]

use std::{io::Read, path::PathBuf};

mod qrs;
pub(crate) use qrs::detect_beats;

pub(crate) struct Bidmc {
    pub(crate) name: String,
    pub(crate) rate_hz: f64,
    pub(crate) resp: Vec<f32>,
    pub(crate) pleth: Vec<f32>,
    pub(crate) ecg: Vec<f32>,
    /// Breaths both annotators marked, in seconds.
    pub(crate) breaths: [Vec<f64>; 2],
}

pub(crate) fn read_gz(path: &PathBuf) -> String {
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Files of a folder whose name ends so, sorted.
pub(crate) fn files(folder: PathBuf, end: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.to_string_lossy().ends_with(end));
    found.sort();
    found
}

pub(crate) fn columns(text: &str) -> (Vec<String>, Vec<Vec<f32>>) {
    let mut lines = text.lines();
    let names: Vec<String> = lines.next().unwrap_or("").split(',').map(|name| name.trim().to_owned()).collect();
    let mut columns = vec![Vec::new(); names.len()];
    for line in lines {
        for (column, field) in columns.iter_mut().zip(line.split(',')) {
            column.push(field.trim().parse().unwrap_or(f32::NAN));
        }
    }
    (names, columns)
}

pub(crate) fn bidmc(folder: &str) -> Vec<Bidmc> {
    files(PathBuf::from(folder).join("bidmc"), "_Signals.csv.gz").iter().map(read_bidmc).collect()
}

fn read_bidmc(path: &PathBuf) -> Bidmc {
    let (names, columns) = columns(&read_gz(path));
    let column = |name: &str| names.iter().position(|n| n == name).map_or(Vec::new(), |i| columns[i].clone());
    let ecg = ["II", "V", "AVR", "I", "MCL1"].iter().map(|name| column(name)).find(|c| !c.is_empty()).unwrap();
    let breaths = PathBuf::from(path.to_string_lossy().replace("Signals", "Breaths"));
    let text = read_gz(&breaths);
    let marks = |nth: usize| {
        let mark = |line: &str| line.split(',').nth(nth).and_then(|field| field.trim().parse::<f64>().ok());
        text.lines().skip(1).filter_map(mark).map(|sample| sample / 125.0).collect()
    };
    let name = path.file_name().unwrap().to_string_lossy()[6..8].to_owned();
    Bidmc { name, rate_hz: 125.0, resp: column("RESP"), pleth: column("PLETH"), ecg, breaths: [marks(0), marks(1)] }
}

pub(crate) struct Welltory {
    pub(crate) name: String,
    pub(crate) rate_hz: f64,
    /// Red, green, blue on an even grid.
    pub(crate) channels: Vec<Vec<f32>>,
    pub(crate) rr_ms: Vec<f64>,
}

pub(crate) fn welltory(folder: &str) -> Vec<Welltory> {
    files(PathBuf::from(folder).join("welltory_ppg"), "_PPG.csv.gz").iter().map(read_welltory).collect()
}

fn read_welltory(path: &PathBuf) -> Welltory {
    let (_, columns) = columns(&read_gz(path));
    let text = std::fs::read_to_string(path.to_string_lossy().replace("PPG.csv.gz", "RR.txt")).unwrap();
    let rr_ms = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let name = path.file_name().unwrap().to_string_lossy()[8..10].to_owned();
    let time: Vec<f64> = columns[0].iter().map(|ms| f64::from(*ms) / 1000.0).collect();
    let channels = columns[1..].iter().map(|values| even(&time, values, 30.0)).collect();
    Welltory { name, rate_hz: 30.0, channels, rr_ms }
}

pub(crate) struct Phonecam {
    pub(crate) name: String,
    /// Red, green, blue at 30 Hz.
    pub(crate) channels: Vec<Vec<f32>>,
    /// Per second: the oximeters' median pulse rate and saturation, where two or more show one.
    pub(crate) pulse: Vec<Option<f64>>,
    pub(crate) saturation: Vec<Option<f64>>,
}

pub(crate) fn phonecam(folder: &str) -> Vec<Phonecam> {
    let folder = PathBuf::from(folder).join("phonecam_spo2");
    let hands = ["_Left.csv.gz", "_Right.csv.gz"];
    hands.iter().flat_map(|hand| files(folder.clone(), hand)).map(|path| read_phonecam(&path)).collect()
}

fn read_phonecam(path: &PathBuf) -> Phonecam {
    let name = path.file_name().unwrap().to_string_lossy().replace(".csv.gz", "");
    let truth = PathBuf::from(path.to_string_lossy().replace(&name, &format!("{}_gt", &name[..6])));
    let (names, columns_gt) = columns(&read_gz(&truth));
    let median = |what: &str| -> Vec<Option<f64>> {
        let shown: Vec<&Vec<f32>> = names
            .iter()
            .zip(&columns_gt)
            .filter(|(name, _)| name.starts_with(what))
            .map(|(_, column)| column)
            .collect();
        (0..columns_gt[0].len())
            .map(|row| {
                let mut values: Vec<f32> =
                    shown.iter().filter_map(|column| column.get(row).copied()).filter(|value| *value > 30.0).collect();
                values.sort_by(f32::total_cmp);
                (values.len() > 1).then(|| f64::from(values[values.len() / 2]))
            })
            .collect()
    };
    let channels = columns(&read_gz(path)).1;
    Phonecam { name, channels, pulse: median("Pulse "), saturation: median("SpO2 ") }
}

/// Linear interpolation onto an even grid from the first time on.
pub(crate) fn even(time: &[f64], values: &[f32], rate_hz: f64) -> Vec<f32> {
    let mut piece = 0;
    let count = ((time[time.len() - 1] - time[0]) * rate_hz) as usize;
    (0..count)
        .map(|i| {
            let t = time[0] + i as f64 / rate_hz;
            while piece + 2 < time.len() && time[piece + 1] <= t {
                piece += 1;
            }
            let part = ((t - time[piece]) / (time[piece + 1] - time[piece])).clamp(0.0, 1.0) as f32;
            values[piece] + part * (values[piece + 1] - values[piece])
        })
        .collect()
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) found: u32,
    pub(crate) missed: u32,
    pub(crate) extra: u32,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.found += other.found;
        self.missed += other.missed;
        self.extra += other.extra;
    }

    pub(crate) fn sensitivity(self) -> f64 {
        100.0 * f64::from(self.found) / f64::from(self.found + self.missed)
    }

    pub(crate) fn precision(self) -> f64 {
        100.0 * f64::from(self.found) / f64::from(self.found + self.extra)
    }

    pub(crate) fn f1(self) -> f64 {
        200.0 * f64::from(self.found) / f64::from(2 * self.found + self.missed + self.extra)
    }
}

/// Matching tolerance in seconds (AAMI EC57).
const TOLERANCE_S: f64 = 0.15;

/// Pulses against beats at the transit delay that matches most.
pub(crate) fn match_delayed(beats: &[f64], pulses: &[f64]) -> (f64, Tally) {
    let tries = (0..=80).map(|step| f64::from(step) * 0.01);
    let best = tries.map(|delay| (delay, count(beats, pulses, delay))).max_by_key(|(_, tally)| tally.found).unwrap();
    let mut lags: Vec<f64> = beats
        .iter()
        .filter_map(|beat| {
            let near =
                pulses.iter().map(|p| p - beat).min_by(|a, b| (a - best.0).abs().total_cmp(&(b - best.0).abs()))?;
            ((near - best.0).abs() <= TOLERANCE_S).then_some(near)
        })
        .collect();
    lags.sort_by(f64::total_cmp);
    let delay = lags.get(lags.len() / 2).copied().unwrap_or(best.0);
    (delay, count(beats, pulses, delay))
}

/// One-to-one matching in time order; the ends of the recording (2 s) are not scored.
fn count(beats: &[f64], pulses: &[f64], delay: f64) -> Tally {
    let (hits, missed, extra) = walk(beats, pulses, delay);
    Tally { found: hits.len() as u32, missed: missed.len() as u32, extra: extra.len() as u32 }
}

fn walk(beats: &[f64], pulses: &[f64], delay: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let end = beats.last().copied().unwrap_or(0.0) - 2.0;
    let inside = |t: f64| t > 2.0 && t < end;
    let (mut i, mut j) = (0, 0);
    let (mut hits, mut missed, mut extra) = (Vec::new(), Vec::new(), Vec::new());
    while i < beats.len() || j < pulses.len() {
        let beat = beats.get(i).map_or(f64::INFINITY, |beat| beat + delay);
        let pulse = pulses.get(j).copied().unwrap_or(f64::INFINITY);
        if (beat - pulse).abs() <= TOLERANCE_S {
            let nearer = beats.get(i + 1).is_some_and(|next| (next + delay - pulse).abs() < (beat - pulse).abs());
            if nearer {
                if inside(beat - delay) {
                    missed.push(beat);
                }
                i += 1;
                continue;
            }
            let better = pulses.get(j + 1).is_some_and(|next| (next - beat).abs() < (pulse - beat).abs());
            if better {
                if inside(pulse - delay) {
                    extra.push(pulse);
                }
                j += 1;
                continue;
            }
            if inside(beat - delay) {
                hits.push(beat);
            }
            i += 1;
            j += 1;
        } else if beat < pulse {
            if inside(beat - delay) {
                missed.push(beat);
            }
            i += 1;
        } else {
            if inside(pulse - delay) {
                extra.push(pulse);
            }
            j += 1;
        }
    }
    (hits, missed, extra)
}

pub(crate) fn print_errors(beats: &[f64], pulses: &[f64], delay: f64) {
    let (_, missed, extra) = walk(beats, pulses, delay);
    let text = |times: &[f64]| times.iter().map(|t| format!("{t:.1}")).collect::<Vec<_>>().join(" ");
    println!("    missed {}\n    extra {}", text(&missed), text(&extra));
}

pub(crate) fn mean_abs(errors: &[f64]) -> f64 {
    errors.iter().map(|error| error.abs()).sum::<f64>() / errors.len().max(1) as f64
}

/// Adds noise of 0.1 s correlation whose power lies `snr_db` below the wave's (its trend over 2 s removed).
pub(crate) fn with_noise(wave: &[f32], rate_hz: f64, snr_db: f64) -> Vec<f32> {
    let mut state = 1_u64;
    let mut uniform = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    let white: Vec<f64> = wave.iter().map(|_| (0..4).map(|_| uniform()).sum()).collect();
    let noise = qrs::moving_mean(&white, (0.1 * rate_hz) as usize);
    let clean: Vec<f64> = wave.iter().map(|value| if value.is_finite() { f64::from(*value) } else { 0.0 }).collect();
    let trend = qrs::moving_mean(&clean, (2.0 * rate_hz) as usize);
    let power = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let pulse = power(&mut clean.iter().zip(&trend).map(|(value, trend)| value - trend));
    let scale = pulse / power(&mut noise.iter().copied()) / 10_f64.powf(snr_db / 20.0);
    wave.iter().zip(&noise).map(|(value, noise)| value + (noise * scale) as f32).collect()
}

/// Median difference between pulse and beat intervals, where two neighbouring beats have their pulses.
pub(crate) fn interval_error_ms(beats: &[f64], pulses: &[f64], delay: f64) -> f64 {
    let pulse_of = |beat: f64| pulses.iter().copied().find(|pulse| (pulse - beat - delay).abs() <= TOLERANCE_S);
    let error = |pair: &[f64]| Some((pulse_of(pair[1])? - pulse_of(pair[0])? - (pair[1] - pair[0])).abs() * 1000.0);
    let mut errors: Vec<f64> = beats.windows(2).filter_map(error).collect();
    errors.sort_by(f64::total_cmp);
    errors.get(errors.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The wave (its trend over 2 s removed) through a gain that swings tenfold every 11 s and drops to a fifth every 20 s.
pub(crate) fn with_swinging_gain(wave: &[f32], rate_hz: f64) -> Vec<f32> {
    let clean: Vec<f64> = wave.iter().map(|value| if value.is_finite() { f64::from(*value) } else { 0.0 }).collect();
    let trend = qrs::moving_mean(&clean, (2.0 * rate_hz) as usize);
    let gain = |t: f64| {
        let swing = 10_f64.powf(0.5 * (std::f64::consts::TAU * t / 11.0).sin());
        if (t / 20.0) as u64 % 2 == 1 { 0.2 * swing } else { swing }
    };
    let value = |i: usize| ((clean[i] - trend[i]) * gain(i as f64 / rate_hz)) as f32;
    (0..wave.len()).map(value).collect()
}
