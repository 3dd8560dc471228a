//! Resources out by id: read, vread, history. <https://hl7.org/fhir/R4/http.html#read>

use sqlx::Row as _;

use super::resource::whole;
use super::sql::{Row, Sql};
use super::table::Table;
use super::{Store, StoreError};
use crate::fhir::{Element, stored};
use crate::id::{ResourceId, TenantId};
use crate::time::Instant;

/// One version of a resource as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// `resourceType`.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// `meta.versionId`.
    pub version: i64,
    /// `meta.lastUpdated`.
    pub updated: Instant,
    tail: Vec<u8>,
}

impl Stored {
    /// From `id, version, updated_us, tail`.
    pub(in crate::store) fn from_row(kind: &str, row: &Row) -> Result<Self, StoreError> {
        let updated = Instant(row.try_get(2)?);
        Ok(Self {
            kind: kind.to_owned(),
            id: row.try_get(0)?,
            version: row.try_get(1)?,
            updated,
            tail: row.try_get(3)?,
        })
    }

    /// `Observation/123`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// The resource as an element, its head left at zero.
    pub(in crate::store) fn element(&self) -> Result<Element, StoreError> {
        whole(&self.kind, &self.tail)
    }

    /// The resource as FHIR JSON.
    pub fn json(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.tail.len() + 160);
        stored::write(&mut bytes, &self.kind, &self.id, self.version, &self.updated.to_fhir(), &self.tail);
        bytes
    }
}

impl Store {
    /// The current version of a resource.
    ///
    /// # Errors
    /// The database fails.
    pub async fn read(&self, tenant: &TenantId, kind: &str, id: &ResourceId) -> Result<Option<Stored>, StoreError> {
        let table = Table::of(kind);
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail FROM ");
        sql.push(table.name).push(" r WHERE ");
        table.scope(&mut sql, "r", tenant);
        sql.push(" AND r.id = ").bind(id.as_str());
        let row = sql.query().fetch_optional(&self.readers).await?;
        row.map(|row| Stored::from_row(kind, &row)).transpose()
    }

    /// One version of a resource, current or not.
    ///
    /// # Errors
    /// The database fails.
    pub async fn vread(
        &self,
        tenant: &TenantId,
        kind: &str,
        id: &ResourceId,
        version: i64,
    ) -> Result<Option<Stored>, StoreError> {
        if let Some(current) = self.read(tenant, kind, id).await?.filter(|current| current.version == version) {
            return Ok(Some(current));
        }
        let mut sql = Sql::new("SELECT id, version, updated_us, tail FROM resource_history WHERE tenant = ");
        sql.bind(tenant.as_str()).push(" AND kind = ").bind(kind);
        sql.push(" AND id = ").bind(id.as_str()).push(" AND version = ").bind(version);
        let row = sql.query().fetch_optional(&self.readers).await?;
        row.map(|row| Stored::from_row(kind, &row)).transpose()
    }

    /// Versions of a resource, the newest first: up to `count` of them, older than version `before` where given.
    ///
    /// # Errors
    /// The database fails.
    pub async fn history(
        &self,
        tenant: &TenantId,
        kind: &str,
        id: &ResourceId,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<Stored>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let current = self.read(tenant, kind, id).await?;
        let mut versions: Vec<Stored> = current.into_iter().filter(|c| c.version < before && count > 0).collect();
        // A version that becomes history between the two statements is not answered twice.
        let before = versions.first().map_or(before, |current| current.version);
        let left = count.saturating_sub(versions.len());
        let mut sql = Sql::new("SELECT id, version, updated_us, tail FROM resource_history WHERE tenant = ");
        sql.bind(tenant.as_str()).push(" AND kind = ").bind(kind).push(" AND id = ").bind(id.as_str());
        sql.push(" AND version < ")
            .bind(before)
            .push(" ORDER BY version DESC LIMIT ")
            .bind(i64::try_from(left).unwrap_or(i64::MAX));
        for row in sql.query().fetch_all(&self.readers).await? {
            versions.push(Stored::from_row(kind, &row)?);
        }
        Ok(versions)
    }
}
