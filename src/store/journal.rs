//! The journal: packets in the order they became durable, and the ledger of what each stream has.
//!
//! [`Store::append`] is one transaction however many senders' packets it holds (group commit); when it returns, every
//! packet in it has been written and synced, and only then may anybody be told.

use sqlx::{Row, Transaction};

use super::{Store, StoreError};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::time::Instant;

/// A stream's row id.
pub type StreamId = i64;

/// A packet to append.
#[derive(Debug, Clone)]
pub struct NewEntry {
    /// Stream it belongs to.
    pub stream: StreamId,
    /// Its number there.
    pub sequence: u64,
    /// When it came.
    pub received: Instant,
    /// SHA-256 of `packet`.
    pub sha256: [u8; 32],
    /// Canonical JSON.
    pub packet: Vec<u8>,
}

/// What became of an appended packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is durable.
    Stored,
    /// It was there already.
    Duplicate,
    /// Its number is taken by other content; it is in quarantine.
    Conflict,
}

/// A packet as the pipeline reads it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Place in the journal.
    pub position: i64,
    /// Stream.
    pub stream: StreamId,
    /// Number in the stream.
    pub sequence: u64,
    /// When it came.
    pub received: Instant,
    /// SHA-256 of `packet`.
    pub sha256: [u8; 32],
    /// Canonical JSON.
    pub packet: Vec<u8>,
}

/// Who a stream is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamKey {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Name.
    pub name: StreamName,
}

const INSERT: &str = "INSERT INTO journal (position, stream, sequence, received_us, sha256, packet) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stream, sequence) DO NOTHING";

impl Store {
    /// Makes packets durable, all or none.
    ///
    /// # Errors
    /// The database failed; nothing was stored.
    pub async fn append(&self, entries: &[NewEntry]) -> Result<Vec<Appended>, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query("SELECT COALESCE(MAX(position), 0) FROM journal").fetch_one(&mut *tx).await?;
        let mut position: i64 = row.try_get(0)?;
        let mut appended = Vec::with_capacity(entries.len());
        for entry in entries {
            let result = sqlx::query(INSERT)
                .bind(position + 1)
                .bind(entry.stream)
                .bind(entry.sequence.cast_signed())
                .bind(entry.received.0)
                .bind(entry.sha256.as_slice())
                .bind(entry.packet.as_slice())
                .execute(&mut *tx)
                .await?;
            if result.rows_affected() == 1 {
                position += 1;
                appended.push(Appended::Stored);
            } else {
                appended.push(duplicate_or_conflict(&mut tx, entry).await?);
            }
        }
        tx.commit().await?;
        Ok(appended)
    }

    /// The row id of a stream, made on first sight.
    ///
    /// # Errors
    /// The database failed.
    pub async fn stream_id(&self, key: &StreamKey) -> Result<StreamId, StoreError> {
        let mut tx = self.begin().await?;
        let found = sqlx::query("SELECT id FROM stream WHERE tenant = $1 AND device = $2 AND name = $3")
            .bind(key.tenant.as_str())
            .bind(key.device.as_str())
            .bind(key.name.as_str())
            .fetch_optional(&mut *tx)
            .await?;
        if let Some(row) = found {
            return Ok(row.try_get(0)?);
        }
        let row = sqlx::query(
            "INSERT INTO stream (id, tenant, device, name) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3 FROM stream RETURNING id",
        )
        .bind(key.tenant.as_str())
        .bind(key.device.as_str())
        .bind(key.name.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let id = row.try_get(0)?;
        tx.commit().await?;
        Ok(id)
    }

    /// Who a stream is of.
    ///
    /// # Errors
    /// The database failed, or there is no such stream.
    pub async fn stream_key(&self, stream: StreamId) -> Result<StreamKey, StoreError> {
        let row = sqlx::query("SELECT tenant, device, name FROM stream WHERE id = $1")
            .bind(stream)
            .fetch_one(&self.readers)
            .await?;
        let damaged = |_| StoreError::Damaged { what: "stream" };
        Ok(StreamKey {
            tenant: TenantId::new(row.try_get::<String, _>(0)?).map_err(damaged)?,
            device: DeviceKey::new(row.try_get::<String, _>(1)?).map_err(damaged)?,
            name: StreamName::new(row.try_get::<String, _>(2)?).map_err(damaged)?,
        })
    }

    /// The streams of a device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn streams_of(&self, tenant: &TenantId, device: &DeviceKey) -> Result<Vec<StreamId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM stream WHERE tenant = $1 AND device = $2 ORDER BY id")
            .bind(tenant.as_str())
            .bind(device.as_str())
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// The sequence numbers a stream has, as inclusive ranges in order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sequences(&self, stream: StreamId) -> Result<Vec<(u64, u64)>, StoreError> {
        // Numbers in a row have the same distance to their rank, so that distance names the range.
        let rows = sqlx::query(
            "SELECT MIN(sequence), MAX(sequence) FROM \
             (SELECT sequence, sequence - ROW_NUMBER() OVER (ORDER BY sequence) AS run FROM journal WHERE stream = $1) AS r \
             GROUP BY run ORDER BY 1",
        )
        .bind(stream)
        .fetch_all(&self.readers)
        .await?;
        let range = |row: &sqlx::any::AnyRow| -> Result<(u64, u64), StoreError> {
            Ok((row.try_get::<i64, _>(0)?.cast_unsigned(), row.try_get::<i64, _>(1)?.cast_unsigned()))
        };
        rows.iter().map(range).collect()
    }

    /// The newest position.
    ///
    /// # Errors
    /// The database failed.
    pub async fn last_position(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT COALESCE(MAX(position), 0) FROM journal").fetch_one(&self.readers).await?;
        Ok(row.try_get(0)?)
    }

    /// Packets after `position` in the order they became durable.
    ///
    /// # Errors
    /// The database failed.
    pub async fn read_after(&self, position: i64, limit: i64) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, stream, sequence, received_us, sha256, packet FROM journal \
             WHERE position > $1 ORDER BY position LIMIT $2",
        )
        .bind(position)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// A stream's packets from `sequence` on that lie at or before position `until`, in sequence order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn read_stream(
        &self,
        stream: StreamId,
        sequence: u64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Entry>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, stream, sequence, received_us, sha256, packet FROM journal \
             WHERE stream = $1 AND sequence >= $2 AND position <= $3 ORDER BY sequence LIMIT $4",
        )
        .bind(stream)
        .bind(sequence.cast_signed())
        .bind(until)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// Puts a packet no stage could read aside, with the reason.
    ///
    /// # Errors
    /// The database failed.
    pub async fn quarantine(&self, entry: &NewEntry, reason: &str) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        insert_quarantine(&mut tx, entry, reason).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn duplicate_or_conflict(tx: &mut Transaction<'_, sqlx::Any>, entry: &NewEntry) -> Result<Appended, StoreError> {
    let row = sqlx::query("SELECT sha256 FROM journal WHERE stream = $1 AND sequence = $2")
        .bind(entry.stream)
        .bind(entry.sequence.cast_signed())
        .fetch_one(&mut **tx)
        .await?;
    if row.try_get::<Vec<u8>, _>(0)? == entry.sha256 {
        return Ok(Appended::Duplicate);
    }
    insert_quarantine(tx, entry, "another packet has this sequence number").await?;
    Ok(Appended::Conflict)
}

async fn insert_quarantine(
    tx: &mut Transaction<'_, sqlx::Any>,
    entry: &NewEntry,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO quarantine (id, tenant, stream, sequence, received_us, sha256, reason, packet) \
         SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM quarantine), tenant, id, $2, $3, $4, $5, $6 FROM stream WHERE id = $1 \
         ON CONFLICT (stream, sequence, sha256, reason) DO NOTHING",
    )
    .bind(entry.stream)
    .bind(entry.sequence.cast_signed())
    .bind(entry.received.0)
    .bind(entry.sha256.as_slice())
    .bind(reason)
    .bind(entry.packet.as_slice())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn entry(row: &sqlx::any::AnyRow) -> Result<Entry, StoreError> {
    let sha256 = row.try_get::<Vec<u8>, _>(4)?;
    Ok(Entry {
        position: row.try_get(0)?,
        stream: row.try_get(1)?,
        sequence: row.try_get::<i64, _>(2)?.cast_unsigned(),
        received: Instant(row.try_get(3)?),
        sha256: sha256.try_into().map_err(|_| StoreError::Damaged { what: "packet hash" })?,
        packet: row.try_get(5)?,
    })
}
