//! Exports that are due, and the operations made of them: in one transaction, so that each is made once, whoever makes it.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Key;
use crate::id::{ConnectionId, DeviceKey, EpisodeId, ExportName, ResourceId, TenantId};
use crate::store::program::id;
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Most occurrences of an export that become one operation.
const OCCURRENCES: i64 = 1000;

/// Items per statement.
const ITEMS: usize = 256;

/// An export of an episode that is due, once or several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadyExport {
    /// Tenant.
    pub tenant: TenantId,
    /// Episode.
    pub episode: EpisodeId,
    /// The export of its profile.
    pub name: ExportName,
    /// Where it goes.
    pub export: ConnectionId,
    /// Logical id of the Patient.
    pub patient: ResourceId,
    /// First moment of the episode.
    pub start: Instant,
    /// First moment after it, where it has ended.
    pub end: Option<Instant>,
    /// Devices that are or were in it.
    pub devices: Vec<DeviceKey>,
    /// Which times, the earliest first.
    pub occurrences: Vec<String>,
    /// What was stored up to then is in operations already.
    pub gathered: Option<Instant>,
}

/// An operation to be made of an export.
#[derive(Debug, Clone)]
pub struct NewOperation<'a> {
    /// Of which.
    pub due: &'a ReadyExport,
    /// What is to be sent, each after what it refers to.
    pub items: &'a [Key],
    /// All that was stored up to then is in it, or in earlier ones.
    pub gathered: Instant,
}

impl Store {
    /// Exports that are due and whose target there is, at most so many.
    ///
    /// # Errors
    /// The database failed.
    pub async fn ready_exports(&self, count: i64) -> Result<Vec<ReadyExport>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT t.tenant, t.episode, t.export, x.target, e.patient, e.started_us, e.ended_us, x.gathered_us \
             FROM export_trigger t \
             JOIN episode_export x ON x.tenant = t.tenant AND x.episode = t.episode AND x.name = t.export \
             JOIN episode e ON e.tenant = t.tenant AND e.id = t.episode \
             JOIN connection c ON c.tenant = t.tenant AND c.kind = 'data-export' AND c.id = x.target \
             WHERE t.state = 'ready' ORDER BY 1, 2, 3 LIMIT $1 + 0",
        )
        .bind(count)
        .fetch_all(&self.readers)
        .await?;
        let mut ready = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut due = due(row)?;
            let (tenant, episode) = (due.tenant.as_str(), due.episode.as_str());
            let devices =
                sqlx::query("SELECT DISTINCT device FROM episode_device WHERE tenant = $1 AND episode = $2 ORDER BY 1");
            for row in devices.bind(tenant).bind(episode).fetch_all(&self.readers).await? {
                due.devices.push(id(row.try_get(0)?, "device")?);
            }
            let times = sqlx::query(
                "SELECT occurrence FROM export_trigger WHERE tenant = $1 AND episode = $2 AND export = $3 \
                 AND state = 'ready' ORDER BY event_us, occurrence LIMIT $4 + 0",
            );
            let times = times.bind(tenant).bind(episode).bind(due.name.as_str()).bind(OCCURRENCES);
            for row in times.fetch_all(&self.readers).await? {
                due.occurrences.push(row.try_get(0)?);
            }
            // Another process may have taken them meanwhile.
            if !due.occurrences.is_empty() {
                ready.push(due);
            }
        }
        Ok(ready)
    }

    /// Makes an operation; its number. None where somebody else was faster.
    ///
    /// # Errors
    /// The database failed.
    pub async fn make_operation(&self, new: &NewOperation<'_>) -> Result<Option<i64>, StoreError> {
        let ReadyExport { tenant, episode, name, export, patient, occurrences, .. } = new.due;
        let (now, is_empty) = (self.clock.now().0, new.items.is_empty());
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO operation (tenant, export, patient, episode, name, occurrence, state, attempts, created_us, \
             finished_us, sent, refused) VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, 0, 0) RETURNING number",
        )
        .bind(tenant.as_str())
        .bind(export.as_str())
        .bind(patient.as_str())
        .bind(episode.as_str())
        .bind(name.as_str())
        .bind(occurrences.last().map(String::as_str).unwrap_or_default())
        .bind(if is_empty { "succeeded" } else { "pending" })
        .bind(now)
        .bind(is_empty.then_some(now))
        .fetch_one(&mut *tx)
        .await?;
        let number: i64 = row.try_get(0)?;
        let mut take = Sql::new("UPDATE export_trigger SET state = 'taken', operation = ");
        take.bind(number).push(" WHERE tenant = ").bind(tenant.as_str());
        take.push(" AND episode = ").bind(episode.as_str()).push(" AND export = ").bind(name.as_str());
        take.push(" AND state = 'ready' AND occurrence");
        take.bind_in(occurrences.iter().map(|one| Value::from(one.as_str())).collect());
        if take.query().execute(&mut *tx).await?.rows_affected() == 0 {
            return Ok(None);
        }
        sqlx::query("UPDATE episode_export SET gathered_us = $4 WHERE tenant = $1 AND episode = $2 AND name = $3")
            .bind(tenant.as_str())
            .bind(episode.as_str())
            .bind(name.as_str())
            .bind(new.gathered.0)
            .execute(&mut *tx)
            .await?;
        for (piece, items) in new.items.chunks(ITEMS).enumerate() {
            let mut sql = Sql::new("INSERT INTO operation_item (operation, refused, ordinal, kind, id) VALUES ");
            let rows = items.iter().enumerate().map(|(place, (kind, id))| {
                let ordinal = Value::Int((piece * ITEMS + place).cast_signed() as i64);
                vec![ordinal, Value::from(kind.as_str()), Value::from(id.as_str())]
            });
            sql.bind_rows(&[Value::Int(number), Value::Int(0)], rows);
            sql.query().execute(&mut *tx).await?;
        }
        if !is_empty {
            super::lane::wake(&mut tx, tenant, export.as_str(), patient.as_str(), now).await?;
        }
        tx.commit().await?;
        Ok(Some(number))
    }
}

fn due(row: &AnyRow) -> Result<ReadyExport, StoreError> {
    Ok(ReadyExport {
        tenant: id(row.try_get(0)?, "tenant")?,
        episode: id(row.try_get(1)?, "episode id")?,
        name: id(row.try_get(2)?, "export name")?,
        export: id(row.try_get(3)?, "data export")?,
        patient: id(row.try_get(4)?, "patient id")?,
        start: Instant(row.try_get(5)?),
        end: row.try_get::<Option<i64>, _>(6)?.map(Instant),
        devices: Vec::new(),
        occurrences: Vec::new(),
        gathered: row.try_get::<Option<i64>, _>(7)?.map(Instant),
    })
}
