//! What the control plane cannot be made to hold, and why: the caller's mistake or another caller's change.

use crate::id::{EnrolmentId, EpisodeId};

/// Why something was not stored. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request names what is not there.
    #[error("{element}: there is none of this id")]
    Unknown {
        /// Where.
        element: &'static str,
    },
    /// It is there with other content, and cannot change.
    #[error("it exists with another {element}, which cannot be changed")]
    Fixed {
        /// What differs.
        element: &'static str,
    },
    /// It is there with other content, and who wants to change it must say which revision it knows.
    #[error("it exists with other content: to change it send If-Match with its ETag")]
    Unconditional,
    /// It has been changed since.
    #[error("it has been changed since: its ETag is \"{revision}\"")]
    Stale {
        /// Its revision now.
        revision: i64,
    },
    /// Profile versions are numbered without gaps.
    #[error("version: the next one is {next}")]
    NotNext {
        /// The number it would have to have.
        next: u32,
    },
    /// The patient has left the program.
    #[error("enrolment {0} is withdrawn")]
    Withdrawn(EnrolmentId),
    /// A patient cannot leave in the middle of an episode.
    #[error("episode {0} of the enrolment is still running")]
    Running(EpisodeId),
    /// The episode has ended.
    #[error("episode {0} has ended")]
    Over(EpisodeId),
    /// Something else cannot do without it.
    #[error("{by} refers to it")]
    InUse {
        /// What.
        by: String,
    },
    /// The time cannot be.
    #[error("{element}: {problem}")]
    Time {
        /// Where.
        element: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The EHR's Encounter is known as another patient's, or of another class.
    #[error("encounter: another episode says something else of it")]
    OtherEncounter,
}
