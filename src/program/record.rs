//! What the control plane knows: programs, enrolments, episodes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::id::{EnrolmentId, EpisodeId, ProfileId, ProgramId, ResourceId};
use crate::time::Instant;

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Its id.
    pub id: ProgramId,
    /// What people read.
    pub title: String,
    /// More of it.
    pub description: Option<String>,
}

/// A profile in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// The profile.
    pub id: ProfileId,
    /// Its version, from 1.
    #[schema(minimum = 1)]
    pub version: u32,
}

/// A patient in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Its id.
    pub id: EnrolmentId,
    /// The program.
    pub program: ProgramId,
    /// What new episodes go by.
    pub profile: Pinned,
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// Whether episodes can be opened.
    pub status: EnrolmentStatus,
}

/// Whether a patient takes part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnrolmentStatus {
    /// Episodes can be opened.
    #[default]
    Active,
    /// No more: the patient has left.
    Withdrawn,
}

/// An episode: a stretch of a patient's time that devices record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Its id, which packets may name.
    pub id: EpisodeId,
    /// The enrolment it was opened on.
    pub enrolment: EnrolmentId,
    /// Its program.
    pub program: ProgramId,
    /// What it goes by, however the enrolment changes.
    pub profile: Pinned,
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// First moment in it.
    pub start: Instant,
    /// Its end, once it is over.
    pub end: Option<Ended>,
    /// The Encounter an EHR sees it in.
    pub encounter: Option<ExternalEncounter>,
    /// What an EHR calls its own EpisodeOfCare for it.
    pub episode_of_care: Option<BusinessIdentifier>,
}

/// How an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// First moment after it.
    pub at: Instant,
    /// What ended it.
    pub by: EndedBy,
}

/// What ended an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// Somebody asked for it.
    Request,
    /// `max_duration_s` after its start.
    MaxDuration,
    /// `inactivity_s` after the last packet was received.
    Inactivity,
    /// The last of `sample_count` samples.
    SampleCount,
}

/// An identifier as another system gives it. <https://hl7.org/fhir/R4/datatypes.html#Identifier>
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BusinessIdentifier {
    /// The URI of what it is unique in.
    pub system: String,
    /// It.
    pub value: String,
}

/// An Encounter another system keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExternalEncounter {
    /// How that system calls it.
    pub identifier: BusinessIdentifier,
    /// Its class.
    pub class: EncounterClass,
}

/// Class of an Encounter. <https://terminology.hl7.org/ValueSet-v3-ActEncounterCode.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum EncounterClass {
    /// Ambulatory.
    Amb,
    /// Emergency.
    Emer,
    /// In the field.
    Fld,
    /// At home.
    Hh,
    /// Inpatient.
    Imp,
    /// Inpatient, acute.
    Acute,
    /// Inpatient, not acute.
    Nonac,
    /// Under observation.
    Obsenc,
    /// Before admission.
    Prenc,
    /// Short stay.
    Ss,
    /// Virtual.
    Vr,
}

impl EncounterClass {
    /// Code and display in `v3-ActCode`.
    pub fn coding(self) -> (&'static str, &'static str) {
        match self {
            Self::Amb => ("AMB", "ambulatory"),
            Self::Emer => ("EMER", "emergency"),
            Self::Fld => ("FLD", "field"),
            Self::Hh => ("HH", "home health"),
            Self::Imp => ("IMP", "inpatient encounter"),
            Self::Acute => ("ACUTE", "inpatient acute"),
            Self::Nonac => ("NONAC", "inpatient non-acute"),
            Self::Obsenc => ("OBSENC", "observation encounter"),
            Self::Prenc => ("PRENC", "pre-admission"),
            Self::Ss => ("SS", "short stay"),
            Self::Vr => ("VR", "virtual"),
        }
    }
}
