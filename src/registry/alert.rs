//! `registry/alert/*.toml`: what of a patient's signals calls for attention, and for how long it has to hold.
//!
//! The words are those of alarm systems (IEC 60601-1-8): a condition, its limit and hysteresis, its priority.

use serde::Deserialize;

use crate::id::SignalCode;
use crate::signal::AlgorithmRef;

/// A rule that raises a Flag: projected to `Flag.code`, `CodeSystem/alert` and a `Device` (type software, `version`).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// Version of the row format.
    pub format_version: u32,
    /// Stable id; no algorithm has the same.
    pub id: String,
    /// Semantic version; changes whenever the rule can decide otherwise.
    pub version: String,
    /// What people read.
    pub display: String,
    /// When it is raised and when it is over.
    pub definition: String,
    /// The signal it reads.
    pub signal: SignalCode,
    /// Component of a panel, such as `systolic`; none for a single value.
    #[serde(default)]
    pub component: Option<String>,
    /// What has to hold.
    pub condition: Condition,
    /// Seconds it has to hold without a break before the alert is raised.
    pub hold_s: u32,
    /// Seconds it must not hold, without a break, before the alert is over.
    pub clear_s: u32,
    /// Seconds between two values from which on they say nothing about the time between them.
    pub gap_s: u32,
    /// Quality, from 0 to 1, below which a value says nothing.
    pub min_quality: f64,
    /// How urgent it is.
    pub priority: Priority,
    /// SNOMED CT code and display of the finding.
    pub snomed: (String, String),
    /// The waveform whose strip is shown with it, where the stream has it.
    #[serde(default)]
    pub evidence: Option<SignalCode>,
}

/// What has to hold.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Condition {
    /// A classification has this code.
    Code(String),
    /// A number is below a limit.
    Below(Limit),
    /// A number is above a limit.
    Above(Limit),
}

/// A limit with hysteresis, in the unit of the signal's row.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Beyond it the condition begins to hold.
    pub limit: f64,
    /// Back at it the condition holds no longer.
    pub release: f64,
}

/// How urgent an alert is (IEC 60601-1-8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Priority {
    /// To be known of.
    Low,
    /// To be looked at promptly.
    Medium,
    /// To be acted on at once.
    High,
}

impl Alert {
    /// Id and version, as those of an algorithm.
    pub fn reference(&self) -> AlgorithmRef {
        AlgorithmRef { id: self.id.clone(), version: self.version.clone() }
    }
}
