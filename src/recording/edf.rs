//! EDF and continuous EDF+ (Kemp et al. 1992, doi:10.1016/0013-4694(92)90009-7; Kemp and Olivan 2003).
//!
//! The header's patient and recording texts name a person and are not read.

use std::path::Path;
use std::sync::Arc;

use super::wfdb::{Encoding, Layout};
use super::{Channel, Recording, RecordingError, Source, left_out, read_error};
use crate::registry::Registry;
use crate::time::Instant;

/// Octets of the fixed part of the header, and of each signal's part.
const HEADER: usize = 256;

struct Signal {
    bytes: Arc<Vec<u8>>,
    layout: Layout,
    digital_min: f64,
    physical_min: f64,
    per_count: f64,
}

impl Source for Signal {
    fn value(&self, index: u64) -> Option<f64> {
        let count = self.layout.raw(&self.bytes, index)?;
        Some((f64::from(count) - self.digital_min) * self.per_count + self.physical_min)
    }
}

pub(super) fn open(path: &Path, registry: &Registry) -> Result<Recording, RecordingError> {
    let bytes = Arc::new(std::fs::read(path).map_err(read_error(path))?);
    let malformed = |problem: String| RecordingError::Malformed { path: path.to_owned(), line: 1, problem };
    let field = |from: usize, length: usize| {
        let text = bytes.get(from..from + length).and_then(|b| std::str::from_utf8(b).ok());
        text.map(str::trim).ok_or_else(|| malformed(format!("the header has no text at octet {from}")))
    };
    let number = |from: usize, what: &str| {
        let text = field(from, 8)?;
        let number = text.parse().ok().filter(|n: &f64| n.is_finite());
        number.ok_or_else(|| malformed(format!("{what} {text:?} is no number")))
    };
    if bytes.get(..8) != Some(b"0       ") {
        return Err(malformed("does not begin with the version 0 of EDF".to_owned()));
    }
    if field(192, 44)?.starts_with("EDF+D") {
        return Err(RecordingError::Unsupported { path: path.to_owned(), what: "EDF+ with interruptions".to_owned() });
    }
    let record_s = number(244, "record duration")?;
    let signals = field(252, 4)?.parse::<usize>().ok().filter(|n| (1..=4096).contains(n));
    let signals = signals.ok_or_else(|| malformed("the number of signals is not in 1 to 4096".to_owned()))?;
    let header = HEADER * (signals + 1);
    // Fields of all signals stand together: labels, transducers, dimensions and so on.
    let at = |offset: usize, length: usize, signal: usize| HEADER + offset * signals + length * signal;
    let mut counts = Vec::with_capacity(signals);
    for signal in 0..signals {
        let count = number(at(216, 8, signal), "samples in a record")?;
        if !(1.0..=1e6).contains(&count) || record_s <= 0.0 {
            return Err(malformed("a record without samples or duration".to_owned()));
        }
        counts.push(count as u64);
    }
    let per_record: u64 = counts.iter().sum();
    let held = (bytes.len() as u64).saturating_sub(header as u64) / 2 / per_record;
    let stated = number(236, "number of records")?;
    // -1 stands for a recording that was not closed.
    let records = if stated < 0.0 { held } else { stated as u64 };
    if held < records {
        let (expected, found) = (records * per_record, held * per_record);
        return Err(RecordingError::Truncated { path: path.to_owned(), expected, found });
    }
    let mut channels = Vec::with_capacity(signals);
    let mut first = 0;
    for (signal, count) in counts.into_iter().enumerate() {
        let label = field(at(0, 16, signal), 16)?;
        let unit = field(at(96, 8, signal), 8)?;
        let layout = Layout { encoding: Encoding::I16, offset: header as u64, per_frame: per_record, first, count };
        first += count;
        if label == "EDF Annotations" {
            continue;
        }
        let physical_min = number(at(104, 8, signal), "physical minimum")?;
        let physical_max = number(at(112, 8, signal), "physical maximum")?;
        let digital_min = number(at(120, 8, signal), "digital minimum")?;
        let digital_max = number(at(128, 8, signal), "digital maximum")?;
        if digital_max <= digital_min {
            return Err(malformed(format!("{label}: the digital maximum is not above the minimum")));
        }
        let per_count = (physical_max - physical_min) / (digital_max - digital_min);
        let source = Box::new(Signal { bytes: bytes.clone(), layout, digital_min, physical_min, per_count });
        let unit = Some(unit).filter(|u| !u.is_empty());
        channels.push(Channel::new(label, unit, count as f64 / record_s, records * count, source, registry));
    }
    let start = start(field(168, 8)?, field(176, 8)?);
    let name = path.file_stem().map_or_else(|| "edf".to_owned(), |n| n.to_string_lossy().into_owned());
    Ok(Recording { name, model: "wfdb-recording", start, notices: left_out(&channels), channels })
}

/// `dd.mm.yy` and `hh.mm.ss`, taken as UTC; years from 85 on are of the last century.
fn start(date: &str, time: &str) -> Option<Instant> {
    let two = |text: &str, index: usize| text.split('.').nth(index)?.parse::<u8>().ok().filter(|n| *n < 100);
    let (day, month, year) = (two(date, 0)?, two(date, 1)?, two(date, 2)?);
    let century = if year >= 85 { 19 } else { 20 };
    let (hour, minute, second) = (two(time, 0)?, two(time, 1)?, two(time, 2)?);
    Instant::parse(&format!("{century}{year:02}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(reserved: &str, records: &str) -> Vec<u8> {
        let mut header = String::new();
        let mut put = |text: &str, length: usize| header.extend([format!("{text:<length$}")]);
        put("0", 8);
        put("a person", 80);
        put("a place", 80);
        put("18.01.26", 8);
        put("14.32.12", 8);
        put("1024", 8);
        put(reserved, 44);
        put(records, 8);
        put("2", 8);
        put("3", 4);
        for (texts, length) in [
            (["ECG II", "EDF Annotations", "Pleth"], 16),
            (["", "", ""], 80),
            (["uV", "", ""], 8),
            (["-3200", "-1", "0"], 8),
            (["3200", "1", "1"], 8),
            (["-3200", "-32768", "0"], 8),
            (["3200", "32767", "1000"], 8),
            (["", "", ""], 80),
            (["4", "1", "2"], 8),
            (["", "", ""], 32),
        ] {
            texts.iter().for_each(|text| put(text, length));
        }
        let mut bytes = header.into_bytes();
        for count in [1_i16, -2, 3, 4, 99, 500, 250, 5, 6, 7, 8, 99, 0, 1000] {
            bytes.extend(count.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Recording, RecordingError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.edf");
        std::fs::write(&path, bytes).unwrap();
        Recording::open(&path, None, &Registry::builtin().unwrap())
    }

    #[test]
    fn records_of_several_rates_are_read() {
        for records in ["2", "-1"] {
            let recording = read(&file("EDF+C", records)).unwrap();
            let [ecg, pleth] = recording.channels.as_slice() else { panic!() };
            assert_eq!((ecg.rate_hz, ecg.samples, pleth.rate_hz, pleth.samples), (2.0, 8, 1.0, 4));
            let values =
                |channel: &Channel| (0..channel.samples).map(|i| channel.value(i).unwrap()).collect::<Vec<_>>();
            assert_eq!(values(ecg), [1.0, -2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
            assert_eq!(values(pleth), [0.5, 0.25, 0.0, 1.0]);
            assert_eq!(ecg.target.as_ref().unwrap().unit, "uV");
            assert_eq!(recording.start.unwrap().to_fhir(), "2026-01-18T14:32:12.000Z");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        for (bytes, expected) in [
            (file("EDF+D", "2"), "EDF+ with interruptions is not supported"),
            (file("", "3"), "holds 14 of the 21 samples"),
            (file("", "many"), "number of records \"many\" is no number"),
            (file("", "2")[..300].to_vec(), "the header has no text"),
            (b"\xFFBIOSEMI".to_vec(), "does not begin with the version 0"),
        ] {
            let error = read(&bytes).err().unwrap().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
