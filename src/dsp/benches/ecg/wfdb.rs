//! The little of the WFDB formats that the scoring needs: header, signal format 212, MIT annotations.

use super::AnyError;
use std::path::Path;

/// MIT annotation codes of beats (ecgcodes.h: everything `isqrs` says yes to).
const BEAT_CODES: [u16; 19] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 25, 30, 34, 35, 38, 41];
const FLUTTER_BEGINS: u16 = 32;
const FLUTTER_ENDS: u16 = 33;
const SKIP: u16 = 59;
const FIRST_AUXILIARY: u16 = 60;
const AUXILIARY_TEXT: u16 = 63;

pub(super) struct Record {
    pub(super) name: String,
    pub(super) rate_hz: f64,
    /// First signal, in mV.
    pub(super) signal: Vec<f32>,
    /// Reference beats, in samples.
    pub(super) beats: Vec<f64>,
    /// Ventricular flutter or fibrillation, `[start, end)` in samples.
    pub(super) fibrillation: Vec<(f64, f64)>,
}

impl Record {
    pub(super) fn is_fibrillating(&self, sample: f64) -> bool {
        self.fibrillation.iter().any(|&(start, end)| (start..end).contains(&sample))
    }
}

pub(super) fn read_folder(folder: &Path) -> Result<Vec<Record>, AnyError> {
    let mut headers: Vec<_> = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    headers.retain(|path| path.extension().is_some_and(|extension| extension == "hea"));
    headers.sort();
    headers.iter().map(|header| read(header)).collect()
}

fn read(header: &Path) -> Result<Record, AnyError> {
    let text = std::fs::read_to_string(header)?;
    let mut lines = text.lines();
    let record_line: Vec<&str> = lines.next().ok_or("empty header")?.split_whitespace().collect();
    let signal_line: Vec<&str> = lines.next().ok_or("no signal")?.split_whitespace().collect();
    let rate_hz: f64 = record_line.get(2).ok_or("no rate")?.parse()?;
    let gain: f32 = signal_line.get(2).ok_or("no gain")?.parse()?;
    let zero: f32 = signal_line.get(4).ok_or("no zero")?.parse()?;
    let bytes = std::fs::read(header.with_extension("dat"))?;
    let signal = bytes.chunks_exact(3).map(|triple| (f32::from(first_of_212(triple)) - zero) / gain).collect();
    let (beats, fibrillation) = annotations(&std::fs::read(header.with_extension("atr"))?);
    let name = header.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Record { name, rate_hz, signal, beats, fibrillation })
}

/// First of the two 12-bit numbers in three bytes.
fn first_of_212(triple: &[u8]) -> i16 {
    let raw = i16::from(triple[0]) | (i16::from(triple[1] & 0x0F) << 8);
    (raw << 4) >> 4
}

fn annotations(bytes: &[u8]) -> (Vec<f64>, Vec<(f64, f64)>) {
    let (mut beats, mut fibrillation) = (Vec::new(), Vec::new());
    let (mut time, mut at, mut flutter) = (0_i64, 0, None);
    while let Some(&[low, high]) = bytes.get(at..at + 2) {
        let word = u16::from_le_bytes([low, high]);
        let (code, value) = (word >> 10, word & 0x3FF);
        at += 2;
        match code {
            0 if value == 0 => break,
            SKIP => {
                time += i64::from(skip(bytes.get(at..at + 4).unwrap_or(&[0; 4])));
                at += 4;
            }
            AUXILIARY_TEXT => at += usize::from(value) + usize::from(value % 2),
            FIRST_AUXILIARY.. => {}
            _ => {
                time += i64::from(value);
                match code {
                    FLUTTER_BEGINS => flutter = Some(time as f64),
                    FLUTTER_ENDS => fibrillation.extend(flutter.take().map(|start| (start, time as f64))),
                    _ if BEAT_CODES.contains(&code) => beats.push(time as f64),
                    _ => {}
                }
            }
        }
    }
    (beats, fibrillation)
}

/// A 32-bit interval, its high half first (PDP-11 order).
fn skip(bytes: &[u8]) -> i32 {
    let high = i32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let low = i32::from(u16::from_le_bytes([bytes[2], bytes[3]]));
    (high << 16) | low
}
