//! Resources out by id: read, vread, history. <https://hl7.org/fhir/R4/http.html#read>

use sqlx::Row as _;

use super::body::Bodies;
use super::resource::{Origin, whole};
use super::sql::{Row, Sql, Value};
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
    /// Empty when this version is a deletion.
    tail: Vec<u8>,
}

impl Stored {
    /// A version that has just been written.
    pub(in crate::store) fn new(kind: &str, id: String, version: i64, updated_us: i64, tail: Vec<u8>) -> Self {
        Self { kind: kind.to_owned(), id, version, updated: Instant(updated_us), tail }
    }

    /// From `id, version, updated_us, tail`; [`Bodies::learn`] has seen it.
    pub(in crate::store) fn from_row(bodies: &Bodies, kind: &str, row: &Row) -> Result<Self, StoreError> {
        let updated = Instant(row.try_get(2)?);
        Ok(Self {
            kind: kind.to_owned(),
            id: row.try_get(0)?,
            version: row.try_get(1)?,
            updated,
            tail: bodies.decode(row.try_get(3)?)?,
        })
    }

    /// `Observation/123`.
    pub fn reference(&self) -> String {
        format!("{}/{}", self.kind, self.id)
    }

    /// Whether this version is a deletion.
    pub fn is_deletion(&self) -> bool {
        self.tail.is_empty()
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
    /// The versions a statement reads: `id, version, updated_us, tail`.
    pub(in crate::store) async fn stored(&self, kind: &str, sql: Sql) -> Result<Vec<Stored>, StoreError> {
        let rows: Vec<Row> = sql.query().fetch_all(&self.readers).await?;
        self.unpacked(kind, &rows).await
    }

    /// The versions in rows of such a statement.
    pub(in crate::store) async fn unpacked(&self, kind: &str, rows: &[Row]) -> Result<Vec<Stored>, StoreError> {
        self.bodies.learn(rows, 3, &self.readers).await?;
        rows.iter().map(|row| Stored::from_row(&self.bodies, kind, row)).collect()
    }

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
        Ok(self.stored(kind, sql).await?.pop())
    }

    /// The current versions of those of these resources that there are, by id.
    ///
    /// # Errors
    /// The database fails.
    pub async fn read_all(&self, tenant: &TenantId, kind: &str, ids: &[&str]) -> Result<Vec<Stored>, StoreError> {
        let table = Table::of(kind);
        let mut found = Vec::with_capacity(ids.len());
        for piece in ids.chunks(64) {
            let mut sql = Sql::default();
            sql.bind_each(piece.iter().map(|&id| Value::from(id)).collect(), |sql, id| {
                sql.push("SELECT r.id, r.version, r.updated_us, r.tail FROM ").push(table.name).push(" r WHERE ");
                table.scope(sql, "r", tenant);
                sql.push(" AND r.id = ").bind(id);
            });
            found.extend(self.stored(kind, sql).await?);
        }
        found.sort_by(|a, b| a.id.cmp(&b.id));
        found.dedup_by(|a, b| a.id == b.id);
        Ok(found)
    }

    /// Who made the current version of a resource.
    ///
    /// # Errors
    /// The database fails.
    pub async fn origin(&self, tenant: &TenantId, kind: &str, id: &str) -> Result<Option<Origin>, StoreError> {
        let table = Table::of(kind);
        let mut sql = Sql::new("SELECT r.origin FROM ");
        sql.push(table.name).push(" r WHERE ");
        table.scope(&mut sql, "r", tenant);
        sql.push(" AND r.id = ").bind(id);
        let row = sql.query().fetch_optional(&self.readers).await?;
        row.map(|row| Ok(Origin::of(row.try_get(0)?))).transpose()
    }

    /// The deletion of a resource that is deleted.
    ///
    /// # Errors
    /// The database fails.
    pub async fn deletion(&self, tenant: &TenantId, kind: &str, id: &ResourceId) -> Result<Option<Stored>, StoreError> {
        let mut sql = Sql::new("SELECT id, version, updated_us, tail FROM resource_history WHERE tenant = ");
        sql.bind(tenant.as_str()).push(" AND kind = ").bind(kind);
        sql.push(" AND id = ").bind(id.as_str()).push(" AND until_us IS NULL");
        Ok(self.stored(kind, sql).await?.pop())
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
        Ok(self.stored(kind, sql).await?.pop())
    }
}
