//! A value with everything its FHIR form has to say about where it came from.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Quality, SampleBlock};
use crate::id::{DeviceKey, SignalCode, StreamName};
use crate::time::{Instant, Interval};

/// An algorithm in the version that ran: projected to `Device` (type software) and `Observation.method`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlgorithmRef {
    /// `id` of a row in `registry/algorithm`.
    pub id: String,
    /// Its version.
    pub version: String,
}

/// One interval between beats, with the beat that ends it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Time of the beat (R peak or pulse) that ends the interval.
    pub at: Instant,
    /// Milliseconds since the beat before; `None` after a gap or a beat that was taken out.
    pub interval_ms: Option<f64>,
    /// Height in the signal's unit, for breaths and skin responses; 0 where the detector tells none.
    pub amplitude: f32,
    /// Quality of the beat.
    pub quality: Quality,
}

/// Why there is no value: a code of <http://terminology.hl7.org/CodeSystem/data-absent-reason>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AbsentReason {
    /// The signal was too poor or too short to say anything.
    Error,
    /// The device said it had none.
    NotPerformed,
    /// Too little data for this statistic.
    Unknown,
    /// The device's value was not a number.
    NotANumber,
}

impl AbsentReason {
    /// The FHIR code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::NotPerformed => "not-performed",
            Self::Unknown => "unknown",
            Self::NotANumber => "not-a-number",
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A number in the row's canonical unit.
    Quantity(f64),
    /// Numbers by component code (a blood pressure panel), each in its component's unit.
    Components(Vec<(String, Result<f64, AbsentReason>)>),
    /// A code out of the row's own value list.
    Concept(String),
    /// Irregular series: intervals from beat to beat.
    Beats(Vec<Beat>),
    /// Regular series: a waveform.
    Samples(SampleBlock),
    /// No value, and why.
    Absent(AbsentReason),
}

/// An Observation a measurement was computed from, named by what identifies it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its signal.
    pub signal: SignalCode,
    /// Its window.
    pub interval: Interval,
    /// The algorithm that made it; none for what the device measured itself.
    pub algorithm: Option<AlgorithmRef>,
    /// The stream it is of, where that is not the measurement's own.
    pub stream: Option<(DeviceKey, StreamName)>,
}

/// The packets behind a measurement: a run of one stream's sequence numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketRange {
    /// First sequence number.
    pub first: u64,
    /// Last sequence number.
    pub last: u64,
    /// Packets in between that were there, both ends included.
    pub count: u64,
    /// SHA-256 chained over the packets' own SHA-256 in sequence order: h = SHA-256(h ‖ packet), starting from zeros.
    pub chain: [u8; 32],
}

impl PacketRange {
    /// A run of one packet.
    pub fn of(sequence: u64, sha256: &[u8; 32]) -> Self {
        let mut range = Self { first: sequence, last: sequence, count: 0, chain: [0; 32] };
        range.extend(sequence, sha256);
        range
    }

    /// Adds the packet that follows.
    pub fn extend(&mut self, sequence: u64, sha256: &[u8; 32]) {
        self.last = sequence;
        self.count += 1;
        self.chain = Sha256::new().chain_update(self.chain).chain_update(sha256).finalize().into();
    }
}

/// A measurement on its way to a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The row in `registry/signal`.
    pub signal: SignalCode,
    /// The time it speaks about; `start == end` for a point.
    pub interval: Interval,
    /// The value.
    pub value: Value,
    /// How far it can be trusted.
    pub quality: Quality,
    /// What computed it; none for what the device measured itself.
    pub algorithm: Option<AlgorithmRef>,
    /// What it was computed from.
    pub derived_from: Vec<Source>,
    /// Value and unit as they came, where a conversion changed them (value, UCUM code).
    pub original: Option<(f64, String)>,
}
