//! The control plane's facts: programs, profiles, enrolments, episodes and what they trigger.

mod due;
mod enrolment;
mod episode;
mod episode_device;
mod episode_row;
mod profile;
#[expect(clippy::module_inception, reason = "programs are one of the things here")]
mod program;
mod refusal;
mod trigger;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use due::{Count, Counted, Due};
pub use episode::{Closing, Opening, Project, Shown};
pub use episode_row::EpisodeDevices;
pub(in crate::store) use episode_row::encounters;
pub(in crate::store) use profile::sources_of;
pub use refusal::Refusal;
pub(in crate::store) use trigger::fire;
pub use trigger::{ExportTrigger, TriggerKey, TriggerState, Waiting};

use super::StoreError;
use crate::id::InvalidId;

/// What became of something that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It was there, and is changed.
    Updated,
    /// It was there already, just so.
    Unchanged,
}

/// A page of a list in the order of its keys.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Only what comes after this key; empty for the first page.
    pub after: &'a str,
    /// At most so many.
    pub count: i64,
}

/// The word a unit variant has in JSON: what its column holds.
pub(in crate::store) fn word(variant: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(variant) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(StoreError::Damaged { what: "word" }),
    }
}

pub(in crate::store) fn from_word<T: DeserializeOwned>(word: String, what: &'static str) -> Result<T, StoreError> {
    serde_json::from_value(Value::String(word)).map_err(|_| StoreError::Damaged { what })
}

/// An id that was checked when it was stored.
pub(in crate::store) fn id<T: TryFrom<String, Error = InvalidId>>(
    text: String,
    what: &'static str,
) -> Result<T, StoreError> {
    T::try_from(text).map_err(|_| StoreError::Damaged { what })
}
