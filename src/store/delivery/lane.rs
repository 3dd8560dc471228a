//! Lanes: what goes to one target about one patient, in order, in the hands of one worker at a time.

use sqlx::{Any, Row as _, Transaction};

use crate::id::{ConnectionId, ResourceId, TenantId, resource_id};
use crate::store::program::id;
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// How long a lane is held without a word of its holder, in microseconds.
const HELD_US: i64 = 20_000_000;

/// Names a lane.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LaneKey {
    /// Tenant.
    pub tenant: TenantId,
    /// Where it goes.
    pub export: ConnectionId,
    /// About whom.
    pub patient: ResourceId,
}

/// A lane in a worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Which.
    pub key: LaneKey,
    /// How often it has changed hands.
    pub epoch: i64,
}

impl Store {
    /// Takes the lane that has been due for longest, but none of these targets; none where none is due.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_lane(&self, but: &[(TenantId, ConnectionId)]) -> Result<Option<Lane>, StoreError> {
        let now = self.clock.now().0;
        // Mostly there is none, and to look needs no turn to write.
        let mut look = Sql::new("SELECT 1");
        first_due(&mut look, now, but);
        if look.query().fetch_optional(&self.readers).await?.is_none() {
            return Ok(None);
        }
        let mut sql = Sql::new("UPDATE delivery_lane SET epoch = epoch + 1, holder = ");
        sql.bind(&*self.process).push(", until_us = ").bind(now + HELD_US);
        sql.push(" WHERE (tenant, export, patient) = (SELECT l.tenant, l.export, l.patient");
        first_due(&mut sql, now, but);
        if self.is_shared() {
            sql.push(" FOR UPDATE SKIP LOCKED");
        }
        sql.push(") RETURNING tenant, export, patient, epoch");
        let Some(row) = sql.query().fetch_optional(&self.writer).await? else { return Ok(None) };
        let key = LaneKey {
            tenant: id(row.try_get(0)?, "tenant")?,
            export: id(row.try_get(1)?, "data export")?,
            patient: id(row.try_get(2)?, "patient id")?,
        };
        Ok(Some(Lane { key, epoch: row.try_get(3)? }))
    }

    /// Takes what all lanes to a target share; none where somebody else has it. It is given back like a lane.
    ///
    /// # Errors
    /// The database failed.
    pub async fn take_shared_lane(&self, lane: &LaneKey) -> Result<Option<Lane>, StoreError> {
        let now = self.clock.now().0;
        // No patient's: nothing is ever due in it.
        let key = LaneKey { patient: resource_id(&lane.tenant, "Lane", "shared"), ..lane.clone() };
        let row = sqlx::query(
            "INSERT INTO delivery_lane (tenant, export, patient, holder, epoch, until_us) VALUES ($1, $2, $3, $4, 1, $5) \
             ON CONFLICT (tenant, export, patient) DO UPDATE SET epoch = delivery_lane.epoch + 1, \
             holder = excluded.holder, until_us = excluded.until_us WHERE delivery_lane.until_us <= $6 RETURNING epoch",
        )
        .bind(key.tenant.as_str())
        .bind(key.export.as_str())
        .bind(key.patient.as_str())
        .bind(&*self.process)
        .bind(now + HELD_US)
        .bind(now)
        .fetch_optional(&self.writer)
        .await?;
        row.map(|row| Ok(Lane { key, epoch: row.try_get(0)? })).transpose()
    }

    /// Says that a lane is still worked on; whether it is still this worker's.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_lane(&self, lane: &Lane) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let held = hold(&mut tx, lane, self.clock.now()).await?;
        tx.commit().await?;
        Ok(held)
    }

    /// Gives a lane back: it is due at a time where anything waits in it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn give_lane_back(&self, lane: &Lane, due: Instant) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if hold(&mut tx, lane, self.clock.now()).await? {
            // The row is locked now: whoever makes an operation meanwhile comes after.
            release(&mut tx, lane, due).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// From the lane that has been due for longest, but none of these targets.
fn first_due(sql: &mut Sql, now: i64, but: &[(TenantId, ConnectionId)]) {
    sql.push(" FROM delivery_lane l WHERE l.due_us <= ").bind(now).push(" AND l.until_us <= ").bind(now);
    for (tenant, export) in but {
        sql.push(" AND NOT (l.tenant = ").bind(tenant.as_str());
        sql.push(" AND l.export = ").bind(export.as_str()).push(")");
    }
    sql.push(" ORDER BY l.due_us LIMIT 1");
}

/// Whether a lane is still in these hands; then it stays there until the end of the transaction.
pub(super) async fn hold(tx: &mut Transaction<'_, Any>, lane: &Lane, now: Instant) -> Result<bool, StoreError> {
    let held = sqlx::query(
        "UPDATE delivery_lane SET until_us = $5 WHERE tenant = $1 AND export = $2 AND patient = $3 AND epoch = $4",
    )
    .bind(lane.key.tenant.as_str())
    .bind(lane.key.export.as_str())
    .bind(lane.key.patient.as_str())
    .bind(lane.epoch)
    .bind(now.plus(HELD_US).0)
    .execute(&mut **tx)
    .await?;
    Ok(held.rows_affected() == 1)
}

/// Gives a lane back that [`hold`] has locked.
pub(super) async fn release(tx: &mut Transaction<'_, Any>, lane: &Lane, due: Instant) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE delivery_lane SET until_us = 0, holder = NULL, due_us = CASE WHEN EXISTS (SELECT 1 FROM operation o \
         WHERE o.tenant = $1 AND o.export = $2 AND o.patient = $3 AND o.state IN ('pending', 'in_progress')) \
         THEN $5 ELSE NULL END WHERE tenant = $1 AND export = $2 AND patient = $3 AND epoch = $4",
    )
    .bind(lane.key.tenant.as_str())
    .bind(lane.key.export.as_str())
    .bind(lane.key.patient.as_str())
    .bind(lane.epoch)
    .bind(due.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Something waits in a lane. One that waits for its next attempt goes on waiting.
pub(super) async fn wake(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    export: &str,
    patient: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO delivery_lane (tenant, export, patient, due_us, epoch, until_us) VALUES ($1, $2, $3, $4, 0, 0) \
         ON CONFLICT (tenant, export, patient) DO UPDATE SET due_us = COALESCE(delivery_lane.due_us, excluded.due_us)",
    )
    .bind(tenant.as_str())
    .bind(export)
    .bind(patient)
    .bind(now)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
