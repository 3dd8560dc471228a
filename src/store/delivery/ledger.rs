//! What receivers said they have, and what was found when they were asked again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};
use utoipa::ToSchema;

use super::{Arrived, Key, LaneKey};
use crate::id::{ConnectionId, ResourceId, TenantId};
use crate::store::program::{from_word, id, word};
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Resources per statement.
const ROWS: usize = 64;

/// What a receiver has of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its id there.
    pub remote: String,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
}

/// What was found when a receiver was asked whether it has what it said it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It has it, as it was sent.
    Stored,
    /// It does not have it.
    Missing,
    /// It has something else.
    Differing,
}

/// Something to be read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToCheck {
    /// Type and id.
    pub key: Key,
    /// By which it was sent.
    pub export: ConnectionId,
    /// About whom.
    pub patient: ResourceId,
    /// Its id there.
    pub remote: String,
}

/// What a destination was sent, and what was found there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Tally {
    /// Base URL or folder.
    pub destination: String,
    /// Resources it said it has.
    pub sent: i64,
    /// Those that were read back and were as sent.
    pub stored: i64,
    /// Those that were not there.
    pub missing: i64,
    /// Those that were something else.
    pub differing: i64,
}

impl Store {
    /// What a destination has of these.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delivered(
        &self,
        tenant: &TenantId,
        destination: &str,
        keys: &[Key],
    ) -> Result<BTreeMap<Key, Delivered>, StoreError> {
        let mut found = BTreeMap::new();
        for piece in keys.chunks(ROWS) {
            let mut sql = Sql::default();
            let (tenant, destination) = (sql.hold(tenant.as_str()), sql.hold(destination));
            for (place, (kind, id)) in piece.iter().enumerate() {
                sql.push(if place == 0 { "" } else { " UNION ALL " });
                sql.push("SELECT kind, id, remote, digest FROM delivered WHERE tenant = ").again(tenant);
                sql.push(" AND destination = ").again(destination).push(" AND kind = ").bind(kind.as_str());
                sql.push(" AND id = ").bind(id.as_str());
            }
            for row in sql.query().fetch_all(&self.readers).await? {
                let digest: Vec<u8> = row.try_get(3)?;
                let digest = digest.try_into().map_err(|_| StoreError::Damaged { what: "digest" })?;
                let delivered = Delivered { remote: row.try_get(2)?, digest };
                found.insert((row.try_get(0)?, row.try_get(1)?), delivered);
            }
        }
        Ok(found)
    }

    /// Forgets that a destination has these: it does not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_delivered(&self, tenant: &TenantId, destination: &str, keys: &[Key]) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for (kind, id) in keys {
            sqlx::query("DELETE FROM delivered WHERE tenant = $1 AND destination = $2 AND kind = $3 AND id = $4")
                .bind(tenant.as_str())
                .bind(destination)
                .bind(kind.as_str())
                .bind(id.as_str())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// What was sent to a destination before a time by an export, and not read back since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unchecked(
        &self,
        (tenant, export): (&TenantId, &ConnectionId),
        destination: &str,
        before: Instant,
        count: i64,
    ) -> Result<Vec<ToCheck>, StoreError> {
        let rows = sqlx::query(
            "SELECT kind, id, export, patient, remote FROM delivered WHERE tenant = $1 AND destination = $2 \
             AND checked_us IS NULL AND sent_us < $3 AND export = $5 ORDER BY sent_us, kind, id LIMIT $4 + 0",
        )
        .bind(tenant.as_str())
        .bind(destination)
        .bind(before.0)
        .bind(count)
        .bind(export.as_str())
        .fetch_all(&self.readers)
        .await?;
        let to_check = |row: &AnyRow| {
            Ok(ToCheck {
                key: (row.try_get(0)?, row.try_get(1)?),
                export: id(row.try_get(2)?, "data export")?,
                patient: id(row.try_get(3)?, "patient id")?,
                remote: row.try_get(4)?,
            })
        };
        rows.iter().map(to_check).collect()
    }

    /// The exports something was sent by before a time that was not read back since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unchecked_exports(&self, before: Instant) -> Result<Vec<(TenantId, ConnectionId)>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT tenant, export FROM delivered WHERE checked_us IS NULL AND sent_us < $1 ORDER BY 1, 2",
        )
        .bind(before.0)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((id(row.try_get(0)?, "tenant")?, id(row.try_get(1)?, "data export")?))).collect()
    }

    /// Keeps what was found of something that was read back.
    ///
    /// # Errors
    /// The database failed.
    pub async fn checked(
        &self,
        tenant: &TenantId,
        destination: &str,
        found: &[(Key, Finding)],
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        for ((kind, id), finding) in found {
            sqlx::query(
                "UPDATE delivered SET checked_us = $5, finding = $6 \
                 WHERE tenant = $1 AND destination = $2 AND kind = $3 AND id = $4",
            )
            .bind(tenant.as_str())
            .bind(destination)
            .bind(kind.as_str())
            .bind(id.as_str())
            .bind(self.clock.now().0)
            .bind(word(finding)?)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }

    /// What each destination of a tenant was sent, and what was found there.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tallies(&self, tenant: &TenantId) -> Result<Vec<Tally>, StoreError> {
        let rows = sqlx::query(
            "SELECT destination, COALESCE(finding, ''), COUNT(*) FROM delivered WHERE tenant = $1 \
             GROUP BY destination, COALESCE(finding, '') ORDER BY 1, 2",
        )
        .bind(tenant.as_str())
        .fetch_all(&self.readers)
        .await?;
        let mut tallies: Vec<Tally> = Vec::new();
        for row in rows {
            let (destination, finding): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            let count: i64 = row.try_get(2)?;
            if tallies.last().is_none_or(|last| last.destination != destination) {
                tallies.push(Tally { destination, ..Tally::default() });
            }
            let Some(tally) = tallies.last_mut() else { continue };
            tally.sent += count;
            if !finding.is_empty() {
                match from_word(finding, "finding")? {
                    Finding::Stored => tally.stored += count,
                    Finding::Missing => tally.missing += count,
                    Finding::Differing => tally.differing += count,
                }
            }
        }
        Ok(tallies)
    }
}

/// Remembers what a destination has.
pub(super) async fn record(
    tx: &mut Transaction<'_, Any>,
    lane: &LaneKey,
    destination: &str,
    arrived: &[Arrived],
    now: Instant,
) -> Result<(), StoreError> {
    for piece in arrived.chunks(ROWS) {
        let mut sql = Sql::new(
            "INSERT INTO delivered (tenant, destination, export, patient, sent_us, kind, id, version, digest, remote) VALUES ",
        );
        let shared: [Value; 5] = [
            lane.tenant.as_str().into(),
            destination.into(),
            lane.export.as_str().into(),
            lane.patient.as_str().into(),
            now.0.into(),
        ];
        let rows = piece.iter().map(|one| {
            let (kind, id) = &one.key;
            let digest = Value::Blob(one.digest.to_vec());
            vec![kind.as_str().into(), id.as_str().into(), one.version.into(), digest, one.remote.as_str().into()]
        });
        sql.bind_rows(&shared, rows);
        sql.push(" ON CONFLICT (tenant, destination, kind, id) DO UPDATE SET export = excluded.export, patient = excluded.patient, ");
        sql.push("version = excluded.version, digest = excluded.digest, remote = excluded.remote, ");
        sql.push("sent_us = excluded.sent_us, checked_us = NULL, finding = NULL");
        sql.query().execute(&mut **tx).await?;
    }
    Ok(())
}
