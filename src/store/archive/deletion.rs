//! Deletion of a tenant's month.
//!
//! It is decided in one transaction: the audit record, the blocks it takes, the destroyed keys. What follows from it (packets
//! out of the journal, blocks out of the archive, copies of keys) is done block by block and can be taken up again after a
//! crash, because the blocks say how far it has come.

use sha2::{Digest as _, Sha256};
use sqlx::{Any, Row as _, Transaction};

use super::block::block;
use super::retention::hold;
use super::{Act, ArchiveBlock};
use crate::id::{DeviceKey, TenantId};
use crate::store::journal::StreamId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// The audit record.
    pub audit: i64,
    /// Blocks it took.
    pub blocks: i64,
    /// Packets in them.
    pub packets: i64,
    /// Whether the data keys are destroyed; they are not while a device under hold needs them.
    pub destroyed: bool,
}

impl Store {
    /// Packets of a tenant that came before a time and are not archived yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unarchived_before(&self, tenant: &TenantId, before: Instant) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM journal j JOIN stream s ON s.id = j.stream AND s.tenant = $1 \
             LEFT JOIN archive_head h ON h.tenant = s.tenant AND h.device = s.device \
             WHERE j.position > (SELECT position FROM archive_progress) AND j.received_us < $2 \
             AND j.position > COALESCE(h.last_position, -1)",
        )
        .bind(tenant.as_str())
        .bind(before.0)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get(0)?)
    }

    /// Decides that what a tenant sent in a month is deleted, but for what is under hold, and destroys the month's data keys
    /// if nothing is. `received` is the month. `None` where there is nothing left to delete or all of it is under hold.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_period(
        &self,
        received: (Instant, Instant),
        act: Act<'_>,
    ) -> Result<Option<Deletion>, StoreError> {
        let (Some(tenant), Some(period)) = (act.tenant, act.period) else { return Ok(None) };
        let mut tx = self.begin_erasing().await?;
        let rows = sqlx::query("SELECT tenant, device, reason, since_us FROM legal_hold WHERE tenant = $1")
            .bind(tenant.as_str())
            .fetch_all(&mut *tx)
            .await?;
        let holds = rows.iter().map(hold).collect::<Result<Vec<_>, _>>()?;
        let held = |device: &DeviceKey| holds.iter().any(|h| h.device.as_ref().is_none_or(|held| held == device));
        let blocks = blocks_of(&mut tx, tenant, period).await?;
        let (kept, taken): (Vec<_>, Vec<_>) = blocks.into_iter().partition(|block| held(&block.device));
        let everything = holds.iter().any(|hold| hold.device.is_none());
        let destroyed = !everything && kept.is_empty();
        let mut keys = 0;
        if destroyed {
            keys = sqlx::query(
                "UPDATE archive_key SET wrapped = NULL, copied = 0, destroyed_us = $1 \
                 WHERE tenant = $2 AND period = $3 AND wrapped IS NOT NULL",
            )
            .bind(self.clock.now().0)
            .bind(tenant.as_str())
            .bind(period)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        }
        if taken.is_empty() && keys == 0 {
            return Ok(None);
        }
        let packets = taken.iter().map(|block| block.packets.cast_signed()).sum();
        let names = taken.iter().fold(Sha256::new(), |hash, block| hash.chain_update(block.name)).finalize();
        let count = taken.len().cast_signed() as i64;
        let audit = self.record_deletion(&mut tx, act, (count, packets), Some(names.into())).await?;
        for block in &taken {
            sqlx::query("UPDATE archive_block SET audit = $1 WHERE tenant = $2 AND device = $3 AND number = $4")
                .bind(audit)
                .bind(block.tenant.as_str())
                .bind(block.device.as_str())
                .bind(block.number.cast_signed())
                .execute(&mut *tx)
                .await?;
        }
        if !everything {
            sqlx::query(
                "DELETE FROM quarantine WHERE tenant = $1 AND kind = 'packet' AND received_us >= $2 AND received_us < $3 \
                 AND stream NOT IN (SELECT s.id FROM stream s JOIN legal_hold h ON h.tenant = s.tenant AND h.device = s.device)",
            )
            .bind(tenant.as_str())
            .bind(received.0.0)
            .bind(received.1.0)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(Some(Deletion { audit, blocks: count, packets, destroyed }))
    }

    /// Deleted blocks that are still in the archive, or whose packets are still in the journal.
    ///
    /// # Errors
    /// The database failed.
    pub async fn blocks_to_purge(&self) -> Result<Vec<ArchiveBlock>, StoreError> {
        let mut sql = super::block::select();
        sql.push(" WHERE audit IS NOT NULL AND purged < 2 ORDER BY tenant, device, number");
        sql.query().fetch_all(&self.readers).await?.iter().map(block).collect()
    }

    /// Takes a deleted block's packets out of the journal. Their numbers stay taken.
    ///
    /// # Errors
    /// The database failed.
    pub async fn purge_journal(&self, block: &ArchiveBlock) -> Result<(), StoreError> {
        let mut tx = self.begin_erasing().await?;
        for (name, first, last) in &block.streams {
            let stream = sqlx::query("SELECT id FROM stream WHERE tenant = $1 AND device = $2 AND name = $3")
                .bind(block.tenant.as_str())
                .bind(block.device.as_str())
                .bind(name.as_str())
                .fetch_one(&mut *tx)
                .await?
                .try_get::<StreamId, _>(0)?;
            purge(&mut tx, stream, (first.cast_signed(), last.cast_signed()), block.positions).await?;
        }
        sqlx::query(
            "UPDATE archive_block SET purged = 1 WHERE tenant = $1 AND device = $2 AND number = $3 AND purged = 0",
        )
        .bind(block.tenant.as_str())
        .bind(block.device.as_str())
        .bind(block.number.cast_signed())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Overwrites what was deleted, as far as the database can be made to.
    ///
    /// # Errors
    /// The database failed.
    pub async fn erase_deleted(&self) -> Result<(), StoreError> {
        sqlx::query(self.dialect.erase_deleted()).execute(&self.writer).await?;
        Ok(())
    }

    /// Starts a transaction whose deletions overwrite what they delete, where the database can do that.
    pub(in crate::store) async fn begin_erasing(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        if let Some(setting) = self.dialect.overwrite_deleted() {
            sqlx::query(setting).execute(&self.writer).await?; // the one connection that writes
        }
        self.begin_numbering().await
    }

    /// A deleted block is out of the archive.
    ///
    /// # Errors
    /// The database failed.
    pub async fn block_removed(&self, block: &ArchiveBlock) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE archive_block SET purged = 2 WHERE tenant = $1 AND device = $2 AND number = $3 AND purged = 1",
        )
        .bind(block.tenant.as_str())
        .bind(block.device.as_str())
        .bind(block.number.cast_signed())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// The blocks of a tenant and month that no deletion took yet, in the order of device and number.
async fn blocks_of(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    period: &str,
) -> Result<Vec<ArchiveBlock>, StoreError> {
    let mut sql = super::block::select();
    sql.push(" WHERE audit IS NULL AND key IN (SELECT id FROM archive_key WHERE tenant = ").bind(tenant.as_str());
    sql.push(" AND period = ").bind(period).push(") ORDER BY tenant, device, number");
    sql.query().fetch_all(&mut **tx).await?.iter().map(block).collect()
}

/// Deletes packets of a stream and remembers their numbers.
async fn purge(
    tx: &mut Transaction<'_, Any>,
    stream: StreamId,
    numbers: (i64, i64),
    positions: (i64, i64),
) -> Result<(), StoreError> {
    // Numbers in a row have the same distance to their rank, so that distance names the run.
    let runs = sqlx::query(
        "SELECT MIN(sequence), MAX(sequence), MAX(position) FROM (SELECT sequence, position, \
         sequence - ROW_NUMBER() OVER (ORDER BY sequence) AS run FROM journal \
         WHERE stream = $1 AND sequence BETWEEN $2 AND $3 AND position BETWEEN $4 AND $5) AS r GROUP BY run ORDER BY 1",
    )
    .bind(stream)
    .bind(numbers.0)
    .bind(numbers.1)
    .bind(positions.0)
    .bind(positions.1)
    .fetch_all(&mut **tx)
    .await?;
    for run in runs {
        let (first, last, position): (i64, i64, i64) = (run.try_get(0)?, run.try_get(1)?, run.try_get(2)?);
        let extended = sqlx::query(
            "UPDATE journal_deleted SET last_sequence = $1, \
             last_position = CASE WHEN last_position > $2 THEN last_position ELSE $2 END \
             WHERE stream = $3 AND last_sequence = $4",
        )
        .bind(last)
        .bind(position)
        .bind(stream)
        .bind(first - 1)
        .execute(&mut **tx)
        .await?;
        if extended.rows_affected() == 0 {
            sqlx::query(
                "INSERT INTO journal_deleted (stream, first_sequence, last_sequence, last_position) VALUES ($1, $2, $3, $4)",
            )
            .bind(stream)
            .bind(first)
            .bind(last)
            .bind(position)
            .execute(&mut **tx)
            .await?;
        }
    }
    sqlx::query("DELETE FROM journal WHERE stream = $1 AND sequence BETWEEN $2 AND $3 AND position BETWEEN $4 AND $5")
        .bind(stream)
        .bind(numbers.0)
        .bind(numbers.1)
        .bind(positions.0)
        .bind(positions.1)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
