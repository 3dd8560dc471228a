//! Something that calls for attention, on its way to a Flag.

use serde::{Deserialize, Serialize};

use super::{AlgorithmRef, PacketRange, Quality, SampleBlock};
use crate::id::SignalCode;
use crate::time::{Instant, Interval};

/// An alert as it is now: raised, or over.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// The row of `registry/alert` that raised it.
    pub rule: AlgorithmRef,
    /// Since when its condition has held.
    pub onset: Instant,
    /// When it had held for long enough.
    pub raised: Instant,
    /// Since when it holds no longer; none while it does.
    pub over: Option<Instant>,
    /// Mean quality of the values that raised it.
    pub quality: Quality,
    /// The packets behind it: those of each window from its onset until it was raised, or was over.
    pub packets: Vec<PacketRange>,
    /// The waveform at the time it was raised.
    pub evidence: Option<Evidence>,
}

/// A piece of a waveform that shows what an alert is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// What it shows, and when: what it is identified by.
    pub of: EvidenceOf,
    /// The samples; none where it has been given already.
    pub block: Option<SampleBlock>,
}

/// What evidence shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceOf {
    /// The waveform.
    pub signal: SignalCode,
    /// The time.
    pub interval: Interval,
}
