//! Encounter: what is known here of an Encounter that an EHR keeps, so that Observations can refer to it.
//! <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-encounter.html>

use super::canonical::{DATA_ABSENT_REASON, us_core};
use super::episode_of_care::episode_of_care_id;
use super::narrative::narrative;
use super::start;
use crate::fhir::Value;
use crate::fhir::datatype::{self, coded, coding, reference};
use crate::fhir::make::{element, list, one, text};
use crate::id::{EpisodeId, ResourceId, TenantId, resource_id};
use crate::program::{BusinessIdentifier, ExternalEncounter};
use crate::resource::Resource;

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

/// Logical id of the Encounter an EHR calls so.
pub fn encounter_id(tenant: &TenantId, identifier: &BusinessIdentifier) -> ResourceId {
    resource_id(tenant, "Encounter", &format!("{}\u{1f}{}", identifier.system, identifier.value))
}

/// The Encounter with the episodes the EHR sees in it. Its status and type are the EHR's to know.
pub fn encounter(
    tenant: &TenantId,
    encounter: &ExternalEncounter,
    patient: &ResourceId,
    episodes: &[EpisodeId],
) -> Resource {
    let id = encounter_id(tenant, &encounter.identifier);
    let (code, display) = encounter.class.coding();
    let episodes = episodes.iter().map(|e| reference(&format!("EpisodeOfCare/{}", episode_of_care_id(tenant, e))));
    let mut body = start("Encounter", &id, Some(us_core("us-core-encounter")));
    body.extend(element([
        ("text", narrative(&format!("Encounter known by identifier only, {display}"))),
        ("identifier", one(datatype::identifier(&encounter.identifier.system, &encounter.identifier.value))),
        ("status", text("unknown")),
        ("class", Some(Value::Element(coding(ACT_CODE, code, Some(display))))),
        ("type", one(coded(DATA_ABSENT_REASON, "unknown", Some("Unknown")))),
        ("subject", Some(Value::Element(reference(&format!("Patient/{patient}"))))),
        ("episodeOfCare", list(episodes.collect())),
    ]));
    Resource { kind: "Encounter".to_owned(), id, element: body }
}
