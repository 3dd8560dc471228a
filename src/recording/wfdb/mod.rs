//! WFDB records (WFDB Applications Guide: header(5), signal(5), annot(5)): a `.hea` header, `.dat` signals, annotations.

mod annotation;
mod header;
mod segments;
mod signal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use annotation::{Annotation, annotations};
use header::{Header, SignalLine};
pub(super) use signal::{Encoding, Layout};

use super::{Channel, Missing, Recording, RecordingError, Source, left_out, read_error, text};
use crate::registry::Registry;

/// The file of a signal that is described but was not recorded.
const NO_FILE: &str = "~";

/// One signal of a record.
struct Signal {
    bytes: Arc<Vec<u8>>,
    layout: Layout,
    gain: f64,
    baseline: f64,
}

impl Source for Signal {
    fn value(&self, index: u64) -> Option<f64> {
        let count = self.layout.sample(&self.bytes, index)?;
        Some((f64::from(count) - self.baseline) / self.gain)
    }
}

/// What a header says of a record, whether or not its signals are there.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Frames a second: the unit of the annotations' sample numbers.
    pub rate_hz: f64,
    /// Its signals, by name, each with its samples in a frame.
    pub signals: Vec<(String, u64)>,
}

/// Reads a header without its signals.
///
/// # Errors
/// It cannot be read or is malformed.
pub fn head(path: &Path) -> Result<Head, RecordingError> {
    let path = header_path(path);
    let header = header::parse(&path, &text(&path)?)?;
    if let Some((first, _)) = header.segments.first() {
        // The first segment, or the layout in its place, has all signals.
        let first = header::parse(&path, &text(&path.with_file_name(format!("{first}.hea")))?)?;
        let signals = first.signals.into_iter().map(|s| (s.description, s.per_frame)).collect();
        return Ok(Head { rate_hz: header.rate_hz, signals });
    }
    let signals = header.signals.into_iter().map(|s| (s.description, s.per_frame)).collect();
    Ok(Head { rate_hz: header.rate_hz, signals })
}

/// Opens a record by its header's path or its name without extension.
pub(super) fn open(path: &Path, registry: &Registry) -> Result<Recording, RecordingError> {
    let header_path = header_path(path);
    let header = header::parse(&header_path, &text(&header_path)?)?;
    let folder = header_path.parent().unwrap_or(Path::new("."));
    if header.segments.is_empty() { plain(folder, header, registry) } else { segments::open(folder, header, registry) }
}

/// Opens a record that has signals of its own.
fn plain(folder: &Path, header: Header, registry: &Registry) -> Result<Recording, RecordingError> {
    let mut notices = Vec::new();
    let mut channels = Vec::new();
    let mut rest = header.signals.as_slice();
    while let Some(first) = rest.first() {
        // Signals of one file are neighbours in the header and interleaved in the file.
        let (group, others) = rest.split_at(rest.iter().take_while(|s| s.file == first.file).count());
        rest = others;
        channels.extend(open_file(folder, &header, group, registry, &mut notices)?);
    }
    notices.extend(left_out(&channels));
    Ok(Recording { name: header.name, model: "wfdb-recording", start: header.start, channels, notices })
}

fn header_path(path: &Path) -> PathBuf {
    let named_by_part = path.extension().is_some_and(|e| e == "hea" || e == "dat" || e == "atr" || e == "mat");
    if named_by_part {
        return path.with_extension("hea");
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".hea");
    PathBuf::from(name)
}

fn open_file(
    folder: &Path,
    header: &Header,
    group: &[SignalLine],
    registry: &Registry,
    notices: &mut Vec<String>,
) -> Result<Vec<Channel>, RecordingError> {
    let Some(first) = group.first() else { return Ok(Vec::new()) };
    if first.file == NO_FILE {
        let channel = |s: &SignalLine| {
            let (rate_hz, samples) = (header.rate_hz * s.per_frame as f64, header.frames.unwrap_or(0) * s.per_frame);
            Channel::new(&s.description, Some(&s.units), rate_hz, samples, Box::new(Missing), registry)
        };
        return Ok(group.iter().map(channel).collect());
    }
    let path = folder.join(&first.file);
    let unsupported = |what: String| RecordingError::Unsupported { path: path.clone(), what };
    let encoding = Encoding::of(first.format).ok_or_else(|| unsupported(format!("signal format {}", first.format)))?;
    if group.iter().any(|s| s.format != first.format || s.offset != first.offset) {
        return Err(unsupported("a file of several formats".to_owned()));
    }
    let bytes = Arc::new(std::fs::read(&path).map_err(read_error(&path))?);
    let per_frame: u64 = group.iter().map(|s| s.per_frame).sum();
    let held = encoding.samples_in((bytes.len() as u64).saturating_sub(first.offset)) / per_frame;
    let frames = header.frames.unwrap_or(held);
    if held < frames {
        return Err(RecordingError::Truncated { path, expected: frames, found: held });
    }
    let mut channels = Vec::with_capacity(group.len());
    let mut position = 0;
    for line in group {
        let layout = Layout { encoding, offset: first.offset, per_frame, first: position, count: line.per_frame };
        position += line.per_frame;
        let samples = frames * line.per_frame;
        verify(&layout, &bytes, samples, line, notices);
        let source = Signal { bytes: bytes.clone(), layout, gain: line.gain, baseline: line.baseline };
        let rate_hz = header.rate_hz * line.per_frame as f64;
        channels.push(Channel::new(&line.description, Some(&line.units), rate_hz, samples, Box::new(source), registry));
    }
    Ok(channels)
}

/// Compares a signal with what its header says of it: the first sample, and the 16-bit sum of all.
fn verify(layout: &Layout, bytes: &[u8], samples: u64, line: &SignalLine, notices: &mut Vec<String>) {
    if let Some(stated) = line.initial
        && let Some(found) = layout.raw(bytes, 0)
        && stated != found
    {
        notices.push(format!("{}: the first sample is {found}, the header says {stated}", line.description));
    }
    if let Some(stated) = line.checksum.filter(|sum| *sum != 0) {
        let sum = (0..samples).filter_map(|i| layout.raw(bytes, i)).fold(0_i16, |sum, v| sum.wrapping_add(v as i16));
        if sum != stated as i16 {
            notices.push(format!("{}: the checksum is {sum}, the header says {stated}", line.description));
        }
    }
}
