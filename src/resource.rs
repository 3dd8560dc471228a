//! A resource on its way into the store.

use crate::fhir::Element;
use crate::id::ResourceId;

/// A FHIR resource with the identity it is stored under.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// `resourceType`.
    pub kind: String,
    /// Logical id.
    pub id: ResourceId,
    /// The resource; `meta.versionId` and `meta.lastUpdated` are the store's to set.
    pub element: Element,
}

impl Resource {
    /// `Observation/123`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }
}
