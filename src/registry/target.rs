//! `registry/target/*.toml`: kinds of receivers, and what is to be known of them.

use serde::Deserialize;

/// A kind of receiver.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Version of the row format.
    pub format_version: u32,
    /// Its name.
    pub target: String,
    /// What people read.
    pub display: String,
    /// What speaks to it: a name in `delivery::adapter`.
    pub adapter: String,
    /// Most entries of a transaction.
    pub transaction_entries: usize,
    /// Most entries of a batch, or lines of a file.
    pub batch_entries: usize,
    /// Bytes from which on a request gets no further entry.
    pub request_bytes: usize,
}
