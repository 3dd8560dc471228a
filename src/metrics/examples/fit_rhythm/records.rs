//! Readers for the recordings: PhysioNet formats, as much of them as the fit needs.

use super::AnyError;
use std::io::Read;
use std::path::{Path, PathBuf};

/// MIT annotation codes of beats (ecgcodes.h: everything `isqrs` says yes to).
const BEAT_CODES: [u16; 19] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38, 41];
const RHYTHM: u16 = 28;
const SKIP: u16 = 59;
const FIRST_AUXILIARY: u16 = 60;
const AUXILIARY_TEXT: u16 = 63;

/// Beats and whether each of them belongs to fibrillation.
pub(crate) struct Rhythm {
    pub(crate) name: String,
    /// Beats in seconds.
    pub(crate) beats_s: Vec<f64>,
    pub(crate) fibrillation: Vec<bool>,
}

/// A labelled strip of the CinC 2017 challenge.
pub(crate) struct Strip {
    pub(crate) signal_mv: Vec<f32>,
    pub(crate) rate_hz: f64,
    /// `A` fibrillation, `N` normal, `O` other, `~` noisy.
    pub(crate) label: char,
}

/// Files of a folder with this extension, sorted.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, AnyError> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().chars().take_while(|&letter| letter != '.').collect()
}

/// AFDB: sample of each beat at 250 Hz and a flag, comma-separated.
pub(crate) fn fibrillation_database(folder: &Path) -> Result<Vec<Rhythm>, AnyError> {
    let read = |path: &PathBuf| {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(std::fs::File::open(path)?).read_to_string(&mut text)?;
        let (mut beats_s, mut fibrillation) = (Vec::new(), Vec::new());
        for (sample, flag) in text.lines().skip(1).filter_map(|line| line.split_once(',')) {
            beats_s.push(sample.parse::<f64>()? / 250.0);
            fibrillation.push(flag.trim() == "1");
        }
        Ok(Rhythm { name: name(path), beats_s, fibrillation })
    };
    files(folder, "gz")?.iter().map(read).collect()
}

/// Records with MIT annotations; flutter counts as fibrillation.
pub(crate) fn annotated(folder: &Path, extension: &str, rate_hz: f64) -> Result<Vec<Rhythm>, AnyError> {
    let read = |path: &PathBuf| {
        let (beats, rhythms) = annotations(&std::fs::read(path)?);
        let fibrillation = beats.iter().map(|&beat| is_fibrillation(&rhythms, beat)).collect();
        let beats_s = beats.iter().map(|&beat| beat as f64 / rate_hz).collect();
        Ok(Rhythm { name: name(path), beats_s, fibrillation })
    };
    files(folder, extension)?.iter().map(read).collect()
}

fn is_fibrillation(rhythms: &[(i64, String)], sample: i64) -> bool {
    let current = rhythms.partition_point(|rhythm| rhythm.0 <= sample).checked_sub(1);
    current.is_some_and(|at| matches!(rhythms[at].1.as_str(), "(AFIB" | "(AFL"))
}

/// Beats, and rhythm changes with their names.
fn annotations(bytes: &[u8]) -> (Vec<i64>, Vec<(i64, String)>) {
    let (mut beats, mut rhythms) = (Vec::new(), Vec::new());
    let (mut time, mut at, mut last) = (0_i64, 0, 0);
    while let Some(&[low, high]) = bytes.get(at..at + 2) {
        let word = u16::from_le_bytes([low, high]);
        let (code, value) = (word >> 10, word & 0x3FF);
        at += 2;
        match code {
            0 if value == 0 => break,
            SKIP => {
                let word = |at: usize| bytes.get(at..at + 2).map_or(0, |pair| u16::from_le_bytes([pair[0], pair[1]]));
                time += (i64::from(word(at)) << 16) | i64::from(word(at + 2));
                at += 4;
            }
            AUXILIARY_TEXT => {
                let text = bytes.get(at..at + usize::from(value)).unwrap_or_default();
                if last == RHYTHM {
                    rhythms.push((time, String::from_utf8_lossy(text).trim_end_matches('\0').to_owned()));
                }
                at += usize::from(value) + usize::from(value % 2);
            }
            FIRST_AUXILIARY.. => {}
            _ => {
                time += i64::from(value);
                last = code;
                if BEAT_CODES.contains(&code) {
                    beats.push(time);
                }
            }
        }
    }
    (beats, rhythms)
}

/// First signal of a record in format 212, in mV, and its rate.
pub(crate) fn first_signal(folder: &Path, name: &str) -> Result<(Vec<f32>, f64), AnyError> {
    let header = std::fs::read_to_string(folder.join(format!("{name}.hea")))?;
    let fields: Vec<Vec<&str>> = header.lines().map(|line| line.split_whitespace().collect()).collect();
    let rate_hz = fields[0][2].parse()?;
    let (gain, zero): (f32, f32) = (fields[1][2].parse()?, fields[1][4].parse()?);
    let bytes = std::fs::read(folder.join(format!("{name}.dat")))?;
    let sample = |triple: &[u8]| {
        let raw = i16::from(triple[0]) | (i16::from(triple[1] & 0x0F) << 8);
        (f32::from((raw << 4) >> 4) - zero) / gain
    };
    Ok((bytes.chunks_exact(3).map(sample).collect(), rate_hz))
}

/// Strips: 16-bit samples after a 24-byte header, 1000 per mV, 300 Hz.
pub(crate) fn strips(folder: &Path) -> Result<Vec<Strip>, AnyError> {
    let labels = std::fs::read_to_string(folder.join("REFERENCE-v3.csv"))?;
    let read = |line: &str| {
        let (name, label) = line.split_once(',').ok_or("no label")?;
        let bytes = std::fs::read(folder.join(format!("{name}.mat")))?;
        let millivolts = |pair: &[u8]| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 1000.0;
        let signal_mv = bytes[24..].chunks_exact(2).map(millivolts).collect();
        Ok(Strip { signal_mv, rate_hz: 300.0, label: label.trim().chars().next().ok_or("no label")? })
    };
    labels.lines().filter(|line| !line.trim().is_empty()).map(read).collect()
}
