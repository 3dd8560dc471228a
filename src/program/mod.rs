//! Programs: what is measured on whom, how long, and what happens with it. A program has profiles, a profile numbered
//! versions that never change; a patient is enrolled with one of them pinned, and an enrolment opens episodes.

mod check;
mod record;
mod spec;

pub use check::Fault;
pub use record::{
    BusinessIdentifier, EncounterClass, Ended, EndedBy, Enrolment, EnrolmentStatus, Episode, ExternalEncounter, Pinned,
    Program,
};
pub use spec::{EndConditions, ExpectedSignal, Export, Source, Spec, Threshold, Trigger};
