//! Patient, where an identity is all that is known. <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-patient.html>

use super::canonical::us_core;
use super::identifier::identifier;
use super::narrative::narrative;
use super::start;
use crate::fhir::Value;
use crate::fhir::datatype::coding;
use crate::fhir::make::{boolean, element, extension, one, text};
use crate::id::{ResourceId, TenantId, resource_id};
use crate::resource::Resource;

const DATA_ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
const ACT_REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";

/// The least Patient that US Core takes: an opaque identifier, a name that is said to be unknown, gender unknown.
///
/// `synthetic` marks it as test data, so that no one takes a simulated body for a person.
pub fn stub_patient(tenant: &TenantId, id: &ResourceId, synthetic: bool) -> Resource {
    let mut body = start("Patient", id, Some(us_core("us-core-patient")));
    if let (true, Some(Value::Element(meta))) = (synthetic, body.get_mut("meta")) {
        meta.extend(element([("security", one(coding(ACT_REASON, "HTEST", Some("test health data"))))]));
    }
    let value = resource_id(tenant, "identifier/Patient", id.as_str());
    body.extend(element([
        ("text", narrative(if synthetic { "Synthetic patient" } else { "Patient known by identifier only" })),
        ("identifier", one(identifier("patient", value.as_str()))),
        ("active", boolean(true)),
        ("name", one(element([("extension", one(extension(DATA_ABSENT, ("valueCode", text("unknown")))))]))),
        ("gender", text("unknown")),
    ]));
    Resource { kind: "Patient".to_owned(), id: id.clone(), element: body }
}
