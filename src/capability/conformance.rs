//! A definition of our own: CodeSystem, ValueSet, StructureDefinition and the like.

/// A conformance resource, the same for every tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conformance {
    /// `resourceType`.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// Canonical URL.
    pub url: String,
    /// The resource as FHIR JSON.
    pub json: Vec<u8>,
}
