//! Canonical URLs of ours and of the code systems the resources name. <https://hl7.org/fhir/R4/terminologies-systems.html>

use crate::registry::CANONICAL_BASE;

/// Category of an Observation.
pub(crate) const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
/// Why a value is missing.
pub(crate) const DATA_ABSENT_REASON: &str = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
/// SNOMED CT.
pub(crate) const SNOMED: &str = "http://snomed.info/sct";
/// IEEE 11073-10101 nomenclature.
pub(crate) const MDC: &str = "urn:iso:std:iso:11073:10101";

/// `https://…/{kind}/{name}`.
pub(crate) fn canonical(kind: &str, name: &str) -> String {
    format!("{CANONICAL_BASE}/{kind}/{name}")
}

/// Canonical of one of our code systems.
pub(crate) fn code_system(name: &str) -> String {
    canonical("CodeSystem", name)
}

/// Canonical of one of our profiles or extensions.
pub(crate) fn structure_definition(name: &str) -> String {
    canonical("StructureDefinition", name)
}

/// Canonical of a US Core profile.
pub(crate) fn us_core(name: &str) -> String {
    format!("http://hl7.org/fhir/us/core/StructureDefinition/{name}")
}
