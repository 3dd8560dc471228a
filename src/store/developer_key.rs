//! Developer keys, kept as hashes.

use sqlx::Row;

use super::{Store, StoreError};
use crate::id::TenantId;
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
    /// When it stops working.
    pub expires: Option<Instant>,
}

impl Store {
    /// Keeps a new key's hash.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_key(&self, record: &KeyRecord, sha256: &[u8; 32]) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO developer_key (id, tenant, sandbox, sha256, scope, created_us, expires_us) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(&record.id)
        .bind(record.tenant.as_str())
        .bind(i64::from(record.sandbox))
        .bind(sha256.as_slice())
        .bind(&record.scope)
        .bind(self.clock.now().0)
        .bind(record.expires.map(|e| e.0))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The key with this hash, unless it was revoked.
    ///
    /// # Errors
    /// The database failed.
    pub async fn find_key(&self, sha256: &[u8; 32]) -> Result<Option<KeyRecord>, StoreError> {
        let row = sqlx::query(
            "SELECT id, tenant, sandbox, scope, expires_us FROM developer_key WHERE sha256 = $1 AND revoked_us IS NULL",
        )
        .bind(sha256.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let tenant = TenantId::new(row.try_get::<String, _>(1)?);
        Ok(Some(KeyRecord {
            id: row.try_get(0)?,
            tenant: tenant.map_err(|_| StoreError::Damaged { what: "tenant" })?,
            sandbox: row.try_get::<i64, _>(2)? != 0,
            scope: row.try_get(3)?,
            expires: row.try_get::<Option<i64>, _>(4)?.map(Instant),
        }))
    }
}
