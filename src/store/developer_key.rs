//! Developer keys, kept as hashes.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, StoreError, TenantFacts};
use crate::id::{ResourceId, TenantId};
use crate::time::Instant;

/// What is kept of a developer key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Public id, safe to log.
    pub id: String,
    /// Tenant it opens.
    pub tenant: TenantId,
    /// Whether it may touch synthetic patients only.
    pub sandbox: bool,
    /// Scopes, blank-separated.
    pub scope: String,
    /// The patient its `patient/` scopes are about.
    pub patient: Option<ResourceId>,
    /// When it stops working.
    pub expires: Option<Instant>,
}

const COLUMNS: &str = "k.id, k.tenant, k.sandbox, k.scope, k.patient, k.expires_us";

impl KeyRecord {
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        let tenant = TenantId::new(row.try_get::<String, _>(1)?);
        let patient = row.try_get::<Option<String>, _>(4)?.map(ResourceId::new).transpose();
        Ok(Self {
            id: row.try_get(0)?,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            sandbox: row.try_get::<i64, _>(2)? != 0,
            scope: row.try_get(3)?,
            patient: patient.map_err(|_| StoreError::Damaged { what: "patient of a key" })?,
            expires: row.try_get::<Option<i64>, _>(5)?.map(Instant),
        })
    }
}

impl Store {
    /// Keeps a new key's hash; makes its tenant where it is the first key.
    ///
    /// # Errors
    /// The tenant holds other patients than the key may touch, or the database failed.
    pub async fn insert_key(&self, record: &KeyRecord, sha256: &[u8; 32]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        self.make_tenant(&mut tx, &record.tenant, record.sandbox).await?;
        sqlx::query(
            "INSERT INTO developer_key (id, tenant, sandbox, sha256, scope, patient, created_us, expires_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(&record.id)
        .bind(record.tenant.as_str())
        .bind(i64::from(record.sandbox))
        .bind(sha256.as_slice())
        .bind(&record.scope)
        .bind(record.patient.as_ref().map(ResourceId::as_str))
        .bind(self.clock.now().0)
        .bind(record.expires.map(|e| e.0))
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    /// The key with this hash, unless it was revoked, and what holds for its tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn find_key(&self, sha256: &[u8; 32]) -> Result<Option<(KeyRecord, TenantFacts)>, StoreError> {
        let sql = "SELECT k.id, k.tenant, k.sandbox, k.scope, k.patient, k.expires_us, t.synthetic, t.baa_us \
            FROM developer_key k JOIN tenant t ON t.name = k.tenant WHERE k.sha256 = $1 AND k.revoked_us IS NULL";
        let row = sqlx::query(sql).bind(sha256.as_slice()).fetch_optional(&self.readers).await?;
        row.map(|row| Ok((KeyRecord::from_row(&row)?, TenantFacts::from_row(&row, 6)?))).transpose()
    }

    /// The key with this public id, unless it was revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn key(&self, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM developer_key k WHERE k.id = $1 AND k.revoked_us IS NULL");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(KeyRecord::from_row).transpose()
    }

    /// The keys of a tenant that were not revoked, the oldest first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keys(&self, tenant: &TenantId) -> Result<Vec<KeyRecord>, StoreError> {
        let of_tenant = "k.tenant = $1 AND k.revoked_us IS NULL ORDER BY k.created_us, k.id";
        let sql = format!("SELECT {COLUMNS} FROM developer_key k WHERE {of_tenant}");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).fetch_all(&self.readers).await?;
        rows.iter().map(KeyRecord::from_row).collect()
    }

    /// Takes a key back; whether there was one to take back.
    ///
    /// # Errors
    /// The database failed.
    pub async fn revoke_key(&self, id: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE developer_key SET revoked_us = $1 WHERE id = $2 AND revoked_us IS NULL";
        let done = sqlx::query(sql).bind(self.clock.now().0).bind(id).execute(&self.writer).await?;
        Ok(done.rows_affected() > 0)
    }
}
