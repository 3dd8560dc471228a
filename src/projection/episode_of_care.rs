//! EpisodeOfCare: our own episode. <https://hl7.org/fhir/R4/episodeofcare.html>

use super::canonical::code_system;
use super::identifier::identifier;
use super::narrative::narrative;
use super::{Organization, start};
use crate::fhir::Value;
use crate::fhir::datatype::{self, coding, reference};
use crate::fhir::make::{element, list, object, one, text};
use crate::id::{EpisodeId, ResourceId, TenantId, resource_id};
use crate::program::Episode;
use crate::resource::Resource;

/// Logical id of an episode's EpisodeOfCare.
pub fn episode_of_care_id(tenant: &TenantId, episode: &EpisodeId) -> ResourceId {
    resource_id(tenant, "EpisodeOfCare", episode.as_str())
}

/// The EpisodeOfCare of an episode of the program called `title`.
pub fn episode_of_care(tenant: &TenantId, episode: &Episode, title: &str, organization: &Organization) -> Resource {
    let id = episode_of_care_id(tenant, &episode.id);
    let mut identifiers = vec![identifier("episode", episode.id.as_str())];
    identifiers.extend(episode.episode_of_care.as_ref().map(|of| datatype::identifier(&of.system, &of.value)));
    let program = coding(&code_system("program"), episode.program.as_str(), Some(title));
    let status = if episode.end.is_some() { "finished" } else { "active" };
    let end = episode.end.map(|end| end.at.to_fhir());
    let mut body = start("EpisodeOfCare", &id, None);
    body.extend(element([
        ("text", narrative(&format!("{title}, {status}"))),
        ("identifier", list(identifiers)),
        ("status", text(status)),
        ("type", one(element([("coding", one(program)), ("text", text(title))]))),
        ("patient", Some(Value::Element(reference(&format!("Patient/{}", episode.patient))))),
        ("managingOrganization", Some(Value::Element(reference(&format!("Organization/{}", organization.id))))),
        ("period", object([("start", text(episode.start.to_fhir())), ("end", end.and_then(text))])),
    ]));
    Resource { kind: "EpisodeOfCare".to_owned(), id, element: body }
}
