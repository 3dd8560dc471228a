//! FHIR R4 elements, their JSON, and the few datatypes the server writes again and again.
//!
//! This package is the only place that names `fhirbolt`. Its generic [`Element`] model is used in both directions: it
//! refuses elements R4 does not know, keeps decimals as written (`1.10` stays `1.10`), converts between JSON and XML, and
//! costs half a minute to compile where the typed model costs eight CPU-minutes and 30 MB of binary. The functions here
//! are not generic, so the machinery behind them is compiled once, in this package, and never again in its users.

/// The FHIR release everything in this server speaks.
pub const R4: fhirbolt::FhirRelease = fhirbolt::FhirReleases::R4;

/// `CapabilityStatement.fhirVersion` of [`R4`].
pub const FHIR_VERSION: &str = "4.0.1";

/// A FHIR element or resource: an ordered map from element name to [`Value`].
pub type Element = fhirbolt::element::Element<R4>;

/// The content of an element: a nested element, a repetition of elements, or a primitive.
pub type Value = fhirbolt::element::Value<R4>;

pub use fhirbolt::element::Primitive;

/// Whether R4 has a resource type of this name.
pub fn is_resource_type(name: &str) -> bool {
    let mut path = fhirbolt_shared::path::ElementPath::new(R4);
    path.push(name);
    let is_resource = path.children().is_some_and(|children| children.get_index("implicitRules").is_some());
    is_resource && name.bytes().all(|b| b.is_ascii_alphabetic())
}

pub mod bundle;
pub mod content;
pub mod datatype;
pub mod json;
pub mod make;
pub mod outcome;
pub mod read;
pub mod reference;
pub mod stored;
pub mod xml;

#[cfg(test)]
mod tests {
    #[test]
    fn resource_types_are_known() {
        for kind in ["Observation", "Patient", "Binary", "Bundle", "Parameters", "VisionPrescription"] {
            assert!(super::is_resource_type(kind), "{kind}");
        }
        for other in
            ["", "Spaceship", "observation", "HumanName", "Resource.id", "Extension", "string", "Observation.component"]
        {
            assert!(!super::is_resource_type(other), "{other}");
        }
    }
}
