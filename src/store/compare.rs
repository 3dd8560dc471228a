//! What storing derived resources would change, without storing them.

use super::resource::whole;
use super::{Store, StoreError};
use crate::fhir::stored;
use crate::id::TenantId;
use crate::projection::revised;
use crate::resource::Resource;

/// What storing a resource would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It would be new.
    Create,
    /// It would be a new version.
    Update,
    /// It is stored just so.
    None,
}

impl Store {
    /// What storing each of these derived resources would do.
    ///
    /// # Errors
    /// One cannot be written as FHIR, or the database failed.
    pub async fn compare(&self, tenant: &TenantId, resources: &[Resource]) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::with_capacity(resources.len());
        for resource in resources {
            let Some(current) = self.read(tenant, &resource.kind, &resource.id).await? else {
                changes.push(Change::Create);
                continue;
            };
            let after = whole(&resource.kind, &stored::tail(resource.element.clone())?)?;
            let is_news = revised(&resource.kind, &current.element()?, &after).is_some();
            changes.push(if is_news { Change::Update } else { Change::None });
        }
        Ok(changes)
    }
}
