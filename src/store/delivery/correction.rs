//! What people corrected of what goes to a receiver.

use std::collections::BTreeMap;

use sqlx::Row as _;

use super::Key;
use crate::id::TenantId;
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Resources per statement.
const ROWS: usize = 64;

/// What is corrected of one version of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// Of which version here. Later ones go as they are.
    pub version: i64,
    /// JSON Merge Patch. <https://www.rfc-editor.org/rfc/rfc7396>
    pub patch: String,
    /// Why.
    pub reason: String,
    /// Public id of the key or client.
    pub by: String,
    /// When.
    pub at: Instant,
}

impl Store {
    /// What is corrected of these for a destination.
    ///
    /// # Errors
    /// The database failed.
    pub async fn corrections(
        &self,
        tenant: &TenantId,
        destination: &str,
        keys: impl Iterator<Item = &Key>,
    ) -> Result<BTreeMap<Key, Correction>, StoreError> {
        let ids: Vec<&str> = keys.map(|(_, id)| id.as_str()).collect();
        let mut found = BTreeMap::new();
        for piece in ids.chunks(ROWS) {
            let mut sql = Sql::new(
                "SELECT kind, id, version, patch, reason, corrected_by, corrected_us FROM delivery_correction \
                 WHERE tenant = ",
            );
            sql.bind(tenant.as_str()).push(" AND destination = ").bind(destination).push(" AND id");
            sql.bind_in(piece.iter().map(|id| Value::from(*id)).collect());
            for row in sql.query().fetch_all(&self.readers).await? {
                let correction = Correction {
                    version: row.try_get(2)?,
                    patch: row.try_get(3)?,
                    reason: row.try_get(4)?,
                    by: row.try_get(5)?,
                    at: Instant(row.try_get(6)?),
                };
                found.insert((row.try_get(0)?, row.try_get(1)?), correction);
            }
        }
        Ok(found)
    }

    /// Keeps what is corrected of a resource for a destination, instead of what was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn correct(
        &self,
        tenant: &TenantId,
        destination: &str,
        (kind, id): &Key,
        correction: &Correction,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO delivery_correction (tenant, destination, kind, id, version, patch, reason, corrected_by, \
             corrected_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (tenant, destination, kind, id) DO UPDATE SET version = excluded.version, \
             patch = excluded.patch, reason = excluded.reason, corrected_by = excluded.corrected_by, \
             corrected_us = excluded.corrected_us",
        )
        .bind(tenant.as_str())
        .bind(destination)
        .bind(kind.as_str())
        .bind(id.as_str())
        .bind(correction.version)
        .bind(correction.patch.as_str())
        .bind(correction.reason.as_str())
        .bind(correction.by.as_str())
        .bind(correction.at.0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
