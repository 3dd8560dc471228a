//! What was computed, made ready to be stored by those who computed it: one writes for all of them, and does nothing else.

use super::held::PacketRange;
use super::index::Index;
use super::resource::{Prepared, whole};
use super::{Store, StoreError};
use crate::conformant::Issue;
use crate::fhir::{read, stored};
use crate::id::{ResourceId, TenantId};
use crate::resource::Resource;

/// A derived resource as it is written: its bytes, what is to be found in it, and what is wrong with it.
#[derive(Debug, Clone)]
pub struct Draft {
    /// `resourceType`.
    pub(in crate::store) kind: String,
    /// How it is written.
    pub(in crate::store) prepared: Prepared,
    /// What is wrong with it, where that keeps it from being stored.
    pub(in crate::store) issues: Option<Vec<Issue>>,
    /// The packets it comes of.
    pub(in crate::store) packets: Option<PacketRange>,
}

impl Draft {
    /// Its relative reference.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.prepared.id)
    }

    /// The resource it is a draft of.
    pub(in crate::store) fn into_resource(self) -> Result<Resource, StoreError> {
        let element = whole(&self.kind, &self.prepared.tail)?;
        let id = ResourceId::new(self.prepared.id).map_err(|_| StoreError::Damaged { what: "id" })?;
        Ok(Resource { kind: self.kind, id, element })
    }
}

impl Store {
    /// Makes a derived resource ready to be stored; nothing is read or written.
    ///
    /// # Errors
    /// It cannot be written as FHIR.
    pub fn draft(&self, tenant: &TenantId, resource: Resource) -> Result<Draft, StoreError> {
        let Resource { kind, id, element } = resource;
        let index = Index::of(tenant, self.capability.resource(&kind), &element);
        let targets = match kind.as_str() {
            "Provenance" => read::strings(&element, "target.reference").into_iter().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let tail = stored::tail(element)?;
        let issues = self.judge(&kind, id.as_str(), &tail);
        let prepared = Prepared { id: id.into(), version: 1, targets, tail, index };
        Ok(Draft { kind, prepared, issues, packets: None })
    }

    /// As [`Self::draft`], of several.
    ///
    /// # Errors
    /// One cannot be written as FHIR.
    pub fn drafts(
        &self,
        tenant: &TenantId,
        resources: impl IntoIterator<Item = Resource>,
    ) -> Result<Vec<Draft>, StoreError> {
        resources.into_iter().map(|resource| self.draft(tenant, resource)).collect()
    }
}
