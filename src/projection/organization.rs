//! Organization: who runs the devices and answers for their data. <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-organization.html>

use super::canonical::us_core;
use super::identifier::identifier;
use super::narrative::narrative;
use super::start;
use crate::fhir::make::{boolean, element, one, text};
use crate::id::{ResourceId, TenantId, resource_id};
use crate::resource::Resource;

/// The organization of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Logical id.
    pub id: ResourceId,
    /// Name.
    pub name: String,
}

impl Organization {
    /// The organization that answers for a tenant's data.
    pub fn of(tenant: &TenantId, name: &str) -> Self {
        Self { id: resource_id(tenant, "Organization", "operator"), name: name.to_owned() }
    }

    /// `Organization/123`.
    pub(crate) fn reference(&self) -> String {
        format!("Organization/{}", self.id)
    }

    /// The Organization resource, for the one who sets a tenant up.
    pub fn resource(&self) -> Resource {
        let mut body = start("Organization", &self.id, Some(us_core("us-core-organization")));
        body.extend(element([
            ("text", narrative(&self.name)),
            ("identifier", one(identifier("organization", self.id.as_str()))),
            ("active", boolean(true)),
            ("name", text(self.name.as_str())),
        ]));
        Resource { kind: "Organization".to_owned(), id: self.id.clone(), element: body }
    }
}
