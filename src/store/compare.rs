//! What storing derived resources would change, without storing them.

use super::draft::Draft;
use super::resource::whole;
use super::{Store, StoreError};
use crate::id::{ResourceId, TenantId};
use crate::projection::revised;

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
    /// The database failed.
    pub async fn compare(&self, tenant: &TenantId, drafts: &[Draft]) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::with_capacity(drafts.len());
        for Draft { kind, prepared, .. } in drafts {
            let id = ResourceId::new(prepared.id.as_str()).map_err(|_| StoreError::Damaged { what: "id" })?;
            let Some(current) = self.read(tenant, kind, &id).await? else {
                changes.push(Change::Create);
                continue;
            };
            let after = whole(kind, &prepared.tail)?;
            let is_news = revised(kind, &current.element()?, &after).is_some();
            changes.push(if is_news { Change::Update } else { Change::None });
        }
        Ok(changes)
    }
}
