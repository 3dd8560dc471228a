//! Stored recordings to packets: WFDB records, EDF files, CSV tables and NDJSON packet files.
//!
//! A [`Recording`] is a set of regularly sampled [`Channel`]s, each mapped to a row of `registry/signal` by the table in
//! [`mapping`] or left out with the reason. [`Recording::packets`] cuts the chosen ones into the packets a device would have
//! sent: times are computed from the sample index, so nothing drifts, and the same file always gives the same packets.

mod csv;
mod edf;
mod mapping;
mod ndjson;
mod packets;
pub mod wfdb;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

pub use ndjson::{Line, PacketFile};
pub use packets::{Cut, Packets, Selection};

use crate::id::SignalCode;
use crate::registry::{Kind, Registry};
use crate::time::Instant;

/// Samples a second below which a channel holds a monitor's numbers and no waveform.
const SLOWEST_WAVEFORM: f64 = 2.0;

/// What a file compressed with gzip begins with (RFC 1952).
const GZIP: [u8; 2] = [0x1F, 0x8B];

/// Why a file gives no packets.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what its format says.
    #[error("{}, line {line}: {problem}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The file is fine, but this version does not read its kind.
    #[error("{}: {what} is not supported", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The kind.
        what: String,
    },
    /// The file holds less than its header says.
    #[error("{}: holds {found} of the {expected} samples its header states", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Samples stated.
        expected: u64,
        /// Samples there.
        found: u64,
    },
    /// A channel that was asked for cannot be sent.
    #[error("channel {name}: {problem}")]
    Channel {
        /// The channel.
        name: String,
        /// Why.
        problem: String,
    },
    /// Nothing in the recording can be sent.
    #[error("no channel can be sent: {0}")]
    Nothing(String),
}

/// A recording, opened.
pub struct Recording {
    /// Name of the record, such as `101`.
    pub name: String,
    /// Row in `registry/device` that such recordings are of.
    pub model: &'static str,
    /// When it started, where it says so.
    pub start: Option<Instant>,
    /// Its channels, in the order of the file.
    pub channels: Vec<Channel>,
    /// What a reader should know about it.
    pub notices: Vec<String>,
}

/// One regularly sampled channel.
pub struct Channel {
    /// As the file names it: `MLII`.
    pub name: String,
    /// Samples a second.
    pub rate_hz: f64,
    /// Samples in it.
    pub samples: u64,
    /// Its unit, as the file writes it.
    pub unit: Option<String>,
    /// The signal it is, or why it is none.
    pub target: Result<Target, String>,
    source: Box<dyn Source>,
}

/// What a channel is sent as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The row in `registry/signal`.
    pub signal: SignalCode,
    /// UCUM unit.
    pub unit: String,
    /// Lead, where the signal has leads.
    pub lead: Option<String>,
    /// Whether samples may be missing within a packet.
    pub waveform: bool,
}

/// The values of a channel of which only the description is known.
struct Missing;

impl Source for Missing {
    fn value(&self, _: u64) -> Option<f64> {
        None
    }
}

/// Where a channel's values come from.
trait Source: Send + Sync {
    /// The value of a sample in the channel's unit; none where it is missing.
    fn value(&self, index: u64) -> Option<f64>;
}

impl Channel {
    /// The value of sample `index`.
    pub fn value(&self, index: u64) -> Option<f64> {
        self.source.value(index)
    }

    /// Code of the signal its name stands for, whatever its unit: a channel that is not sent can still be looked at.
    pub fn likely(&self) -> Option<&'static str> {
        likely(&self.name)
    }

    /// The same channel without its values.
    fn described(&self) -> Self {
        let (name, unit, target) = (self.name.clone(), self.unit.clone(), self.target.clone());
        Self { name, rate_hz: self.rate_hz, samples: 0, unit, target, source: Box::new(Missing) }
    }

    /// All values; NaN where missing.
    pub fn values(&self) -> Vec<f32> {
        (0..self.samples).map(|i| self.value(i).map_or(f32::NAN, |v| v as f32)).collect()
    }

    /// A channel whose signal is found by name and unit.
    fn new(
        name: &str,
        unit: Option<&str>,
        rate_hz: f64,
        samples: u64,
        source: Box<dyn Source>,
        registry: &Registry,
    ) -> Self {
        let mut target = mapping::target(name, unit, registry);
        if rate_hz < SLOWEST_WAVEFORM && target.as_ref().is_ok_and(|t| t.waveform) {
            target = Err(format!("{rate_hz} samples a second are too few for a waveform"));
        }
        Self { name: name.to_owned(), rate_hz, samples, unit: unit.map(str::to_owned), target, source }
    }
}

impl Recording {
    /// Opens a WFDB record (`101`, `101.hea`, `101.dat`), an EDF file or a CSV table (as it is or as `.csv.gz`); `rate_hz` is
    /// needed where a table has no time column.
    ///
    /// # Errors
    /// The file cannot be read, is malformed, or is of a kind not supported.
    pub fn open(path: &Path, rate_hz: Option<f64>, registry: &Registry) -> Result<Self, RecordingError> {
        let name = path.to_string_lossy().to_ascii_lowercase();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let extension = plain.rsplit_once('.').map(|(_, extension)| extension);
        let unsupported = |what: &str| RecordingError::Unsupported { path: path.to_owned(), what: what.to_owned() };
        match extension {
            Some("csv" | "tsv" | "txt") => csv::open(path, rate_hz, registry),
            Some("edf") if plain == name => edf::open(path, registry),
            Some("bdf") => Err(unsupported("BDF")),
            _ if plain != name => Err(unsupported("a compressed file of this kind")),
            _ => wfdb::open(path, registry),
        }
    }
}

/// The text of a file, decompressed where it is compressed with gzip; octets that are no UTF-8 are replaced.
///
/// # Errors
/// It cannot be read, or what is compressed is damaged.
pub fn text(path: &Path) -> Result<String, RecordingError> {
    let mut bytes = Vec::new();
    reader(path).and_then(|mut reader| reader.read_to_end(&mut bytes)).map_err(read_error(path))?;
    let text = String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned());
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Code of the signal a channel's name stands for, without its unit in brackets.
pub fn likely(name: &str) -> Option<&'static str> {
    mapping::code(name.split(['[', '(']).next().unwrap_or(name))
}

/// A file, decompressed while it is read where it is compressed with gzip.
///
/// # Errors
/// It cannot be opened.
pub fn reader(path: &Path) -> std::io::Result<Box<dyn BufRead>> {
    let mut file = BufReader::new(File::open(path)?);
    let compressed = file.fill_buf()?.starts_with(&GZIP);
    Ok(if compressed { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// Whether a path is of a file of packets, read by [`PacketFile`].
pub fn is_packet_file(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ndjson") || e.eq_ignore_ascii_case("jsonl"))
}

fn waveform(kind: Kind) -> Option<bool> {
    match kind {
        Kind::SampledData => Some(true),
        Kind::Quantity => Some(false),
        Kind::Panel | Kind::Classification | Kind::Intervals => None,
    }
}

/// What to say about channels that have no signal.
fn left_out(channels: &[Channel]) -> Vec<String> {
    channels
        .iter()
        .filter_map(|c| c.target.as_ref().err().map(|why| format!("{} is left out: {why}", c.name)))
        .collect()
}

fn read_error(path: &Path) -> impl FnOnce(std::io::Error) -> RecordingError {
    let path = path.to_owned();
    |source| RecordingError::Read { path, source }
}
