//! `registry/algorithm/*.toml`: what computes what from what, in which version.

use serde::Deserialize;

use crate::id::SignalCode;
use crate::signal::AlgorithmRef;

/// An algorithm: projected to `Device` (type software, `version`) and `CodeSystem/method`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Algorithm {
    /// Version of the row format.
    pub format_version: u32,
    /// Stable id, such as `ecg-beats`.
    pub id: String,
    /// Semantic version; changes whenever a result can change.
    pub version: String,
    /// What people read.
    pub display: String,
    /// How it works and the paper it comes from.
    pub definition: String,
    /// The built-in implementation, a name in `algorithm::native`.
    pub native: String,
    /// The signal it reads.
    pub input: SignalCode,
    /// Further signals it needs, from any stream of the same patient and episode; it runs when all are there.
    #[serde(default)]
    pub with: Vec<SignalCode>,
    /// The signals it writes.
    pub outputs: Vec<SignalCode>,
    /// Seconds in a window. Windows follow one another without overlap, counted from 1970.
    pub window_s: u32,
}

impl Algorithm {
    /// Whether it needs what several streams give.
    pub fn is_composite(&self) -> bool {
        !self.with.is_empty()
    }

    /// Every signal it reads.
    pub fn inputs(&self) -> impl Iterator<Item = &SignalCode> {
        std::iter::once(&self.input).chain(&self.with)
    }

    /// Id and version.
    pub fn reference(&self) -> AlgorithmRef {
        AlgorithmRef { id: self.id.clone(), version: self.version.clone() }
    }

    /// The code in `CodeSystem/method`.
    pub fn method_code(&self) -> String {
        format!("{}-v{}", self.id, self.version)
    }
}
