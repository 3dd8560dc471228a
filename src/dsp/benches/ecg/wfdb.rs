//! The little of the WFDB formats that a bench needs: the first signal of a record in format 212.

use super::AnyError;
use std::path::Path;

pub(super) struct Record {
    pub(super) name: String,
    pub(super) rate_hz: f64,
    /// First signal, in mV.
    pub(super) signal: Vec<f32>,
}

/// The first record of a folder by name.
pub(super) fn first(folder: &Path) -> Result<Record, AnyError> {
    let headers = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let header = headers.filter(|path| path.extension().is_some_and(|extension| extension == "hea")).min();
    read(&header.ok_or("no records")?)
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
    let name = header.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Record { name, rate_hz, signal })
}

/// First of the two 12-bit numbers in three bytes.
fn first_of_212(triple: &[u8]) -> i16 {
    let raw = i16::from(triple[0]) | (i16::from(triple[1] & 0x0F) << 8);
    (raw << 4) >> 4
}
