//! The journal: packets in the order they became durable, and the ledger of what each stream has.
//!
//! [`Store::append`] is one transaction however many senders' packets it holds (group commit); when it returns, every
//! packet in it has been written and synced, and only then may anybody be told.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Row, Transaction};

use super::alert::{AlertKind, NewAlert, Severity};
use super::held::{self, HeldKind, NewHeld, PacketRange};
use super::sql::{Sql, Value, pieces};
use super::{Store, StoreError};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::time::{DeviceTime, Instant};

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
    /// Time of its first sample by the device's clock.
    pub device: DeviceTime,
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
    /// Time of its first sample by the device's clock; of packets from before that was kept, when they came.
    pub device: DeviceTime,
    /// SHA-256 of `packet`.
    pub sha256: [u8; 32],
    /// Canonical JSON.
    pub packet: Vec<u8>,
}

/// A stretch of the journal.
#[derive(Debug, Clone, Default)]
pub struct Stretch {
    /// Packets of the streams this process holds, in the order they became durable.
    pub entries: Vec<Entry>,
    /// Last position of the stretch.
    pub until: i64,
    /// Positions after it.
    pub left: i64,
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

/// What alerts say of packets that are put aside.
const CONFLICT: (AlertKind, &str) =
    (AlertKind::PacketConflict, "A device sent other content under numbers it had used before");
const UNREADABLE: (AlertKind, &str) = (AlertKind::PacketUnreadable, "A device sent packets that cannot be read");

/// Rows per statement, as for resources.
const ROWS: usize = 16;

/// The newest position there ever was, and whether anything was deleted.
const LAST_POSITION: &str = "SELECT COALESCE(MAX(p), 0), (SELECT COUNT(*) FROM (SELECT 1 FROM journal_deleted LIMIT 1) d) \
    FROM (SELECT MAX(position) AS p FROM journal UNION ALL SELECT MAX(last_position) FROM journal_deleted) m";

/// Sequence numbers by stream, as inclusive ranges.
type Ledgers = BTreeMap<StreamId, Vec<(u64, u64)>>;

impl Store {
    /// Makes packets durable, all or none. Gives the position of the first one, which those after it follow.
    ///
    /// # Errors
    /// The database failed; nothing was stored, or all of it and only the word of it was lost.
    pub async fn append(&self, entries: &[NewEntry]) -> Result<(i64, Vec<Appended>), StoreError> {
        let mut tx = self.begin_numbering().await?;
        let row = sqlx::query(LAST_POSITION).fetch_one(&mut *tx).await?;
        let start = row.try_get::<i64, _>(0)? + 1;
        let mut first = start;
        let deleted = if row.try_get::<i64, _>(1)? > 0 { deleted(&mut tx, entries).await? } else { Ledgers::new() };
        let is_deleted =
            |entry: &NewEntry| deleted.get(&entry.stream).is_some_and(|ranges| within(ranges, entry.sequence));
        let mut appended = Vec::with_capacity(entries.len());
        for piece in entries.chunk_by(|a, b| is_deleted(a) == is_deleted(b)) {
            // They were here once, and were deleted because their time had come.
            if piece.first().is_some_and(is_deleted) {
                appended.resize(appended.len() + piece.len(), Appended::Duplicate);
                first += piece.len().cast_signed() as i64;
                continue;
            }
            for piece in pieces(piece, ROWS) {
                let stored = insert(&mut tx, first, piece).await?;
                for (position, entry) in (first..).zip(piece) {
                    appended.push(if stored.as_ref().is_none_or(|stored| stored.contains(&position)) {
                        Appended::Stored
                    } else {
                        duplicate_or_conflict(&mut tx, entry).await?
                    });
                }
                // A duplicate leaves its position empty; whether later ones close up does not matter.
                first += piece.len().cast_signed() as i64;
            }
        }
        tx.commit().await?;
        Ok((start, appended))
    }

    /// The row id of a stream, made on first sight.
    ///
    /// # Errors
    /// The database failed.
    pub async fn stream_id(&self, key: &StreamKey) -> Result<StreamId, StoreError> {
        let mut tx = self.begin_numbering().await?;
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
        stream_key(&row)
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

    /// The sequence numbers a stream has or had until they were deleted, as inclusive ranges in order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sequences(&self, stream: StreamId) -> Result<Vec<(u64, u64)>, StoreError> {
        // Numbers in a row have the same distance to their rank, so that distance names the range.
        let rows = sqlx::query(
            "SELECT MIN(sequence), MAX(sequence) FROM \
             (SELECT sequence, sequence - ROW_NUMBER() OVER (ORDER BY sequence) AS run FROM journal WHERE stream = $1) AS r \
             GROUP BY run UNION ALL SELECT first_sequence, last_sequence FROM journal_deleted WHERE stream = $1 ORDER BY 1",
        )
        .bind(stream)
        .fetch_all(&self.readers)
        .await?;
        let mut ranges: Vec<(u64, u64)> = Vec::with_capacity(rows.len());
        for row in rows {
            let next = (row.try_get::<i64, _>(0)?.cast_unsigned(), row.try_get::<i64, _>(1)?.cast_unsigned());
            match ranges.last_mut() {
                // What was deleted touches what is there.
                Some(range) if range.1.checked_add(1) == Some(next.0) => range.1 = next.1,
                _ => ranges.push(next),
            }
        }
        Ok(ranges)
    }

    /// The sequence numbers a stream has within inclusive ranges.
    ///
    /// # Errors
    /// The database failed.
    pub async fn sequences_in(&self, stream: StreamId, ranges: &[(u64, u64)]) -> Result<Vec<u64>, StoreError> {
        let mut sql = Sql::new("SELECT sequence FROM journal WHERE stream = ");
        sql.bind(stream).push(" AND (1 = 0");
        for (first, last) in ranges {
            sql.push(" OR sequence BETWEEN ").bind(first.cast_signed()).push(" AND ").bind(last.cast_signed());
        }
        sql.push(")");
        let rows = sql.query().fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get::<i64, _>(0)?.cast_unsigned())).collect()
    }

    /// The newest position.
    ///
    /// # Errors
    /// The database failed.
    pub async fn last_position(&self) -> Result<i64, StoreError> {
        let row = sqlx::query(LAST_POSITION).fetch_one(&self.readers).await?;
        Ok(row.try_get(0)?)
    }

    /// The journal after `position`: up to `limit` packets for this process.
    ///
    /// # Errors
    /// The database failed.
    pub async fn read_after(&self, position: i64, limit: i64) -> Result<Stretch, StoreError> {
        let end = self.last_position().await?;
        if end <= position {
            return Ok(Stretch { until: position, ..Stretch::default() });
        }
        let mut sql = Sql::new(
            "SELECT j.position, j.stream, j.sequence, j.received_us, COALESCE(j.device_us, j.received_us), j.sha256, \
             j.packet FROM journal j",
        );
        if self.is_shared() {
            sql.push(" JOIN stream_lease l ON l.stream = j.stream AND l.process = ").bind(&*self.process);
        }
        sql.push(" WHERE j.position > ").bind(position).push(" AND j.position <= ").bind(end);
        sql.push(" ORDER BY j.position").limit(limit);
        let rows = sql.query().fetch_all(&self.readers).await?;
        let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
        let full = entries.last().filter(|_| entries.len().cast_signed() as i64 == limit);
        let until = full.map_or(end, |last: &Entry| last.position);
        Ok(Stretch { entries, until, left: end - until })
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
            "SELECT position, stream, sequence, received_us, COALESCE(device_us, received_us), sha256, packet FROM journal \
             WHERE stream = $1 AND sequence >= $2 AND position <= $3 ORDER BY sequence LIMIT $4 + 0",
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
        set_aside(&mut tx, entry, reason, UNREADABLE, self.clock.now()).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// The numbers that were deleted from these packets' streams.
async fn deleted(tx: &mut Transaction<'_, sqlx::Any>, entries: &[NewEntry]) -> Result<Ledgers, StoreError> {
    let streams: BTreeSet<StreamId> = entries.iter().map(|entry| entry.stream).collect();
    let mut sql = Sql::new("SELECT stream, first_sequence, last_sequence FROM journal_deleted WHERE stream");
    sql.bind_in(streams.into_iter().map(Value::Int).collect());
    let mut found = Ledgers::new();
    for row in sql.query().fetch_all(&mut **tx).await? {
        let range = (row.try_get::<i64, _>(1)?.cast_unsigned(), row.try_get::<i64, _>(2)?.cast_unsigned());
        found.entry(row.try_get(0)?).or_default().push(range);
    }
    Ok(found)
}

fn within(ranges: &[(u64, u64)], number: u64) -> bool {
    ranges.iter().any(|(first, last)| (*first..=*last).contains(&number))
}

/// Inserts entries at `first` and the positions after it; gives the positions of those whose number was free, none when all
/// were.
async fn insert(
    tx: &mut Transaction<'_, sqlx::Any>,
    first: i64,
    entries: &[NewEntry],
) -> Result<Option<BTreeSet<i64>>, StoreError> {
    let row = |(position, entry): (i64, &NewEntry)| {
        vec![
            Value::Int(position),
            entry.stream.into(),
            entry.sequence.cast_signed().into(),
            entry.received.0.into(),
            entry.device.0.into(),
            entry.sha256.to_vec().into(),
            entry.packet.clone().into(),
        ]
    };
    let mut sql =
        Sql::new("INSERT INTO journal (position, stream, sequence, received_us, device_us, sha256, packet) VALUES ");
    sql.bind_rows(&[], (first..).zip(entries).map(row));
    sql.push(" ON CONFLICT (stream, sequence) DO NOTHING");
    if sql.query().execute(&mut **tx).await?.rows_affected() == entries.len() as u64 {
        return Ok(None);
    }
    let rows =
        sqlx::query("SELECT position FROM journal WHERE position >= $1").bind(first).fetch_all(&mut **tx).await?;
    Ok(Some(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?))
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
    // By the time it came: what is said of it is the same whenever it is said.
    set_aside(tx, entry, "another packet has this sequence number", CONFLICT, entry.received).await?;
    Ok(Appended::Conflict)
}

/// Puts a packet aside and says so.
async fn set_aside(
    tx: &mut Transaction<'_, sqlx::Any>,
    entry: &NewEntry,
    reason: &str,
    (kind, detail): (AlertKind, &'static str),
    now: Instant,
) -> Result<(), StoreError> {
    let row = sqlx::query("SELECT tenant, device, name FROM stream WHERE id = $1")
        .bind(entry.stream)
        .fetch_one(&mut **tx)
        .await?;
    let key = stream_key(&row)?;
    let (number, hash) = (entry.sequence, hex::encode(entry.sha256));
    let held = NewHeld {
        kind: HeldKind::Packet,
        name: format!("packet\u{1f}{}\u{1f}{number}\u{1f}{hash}\u{1f}{reason}", entry.stream),
        about: format!("packet {number} of stream {} of device {}", key.name, key.device),
        packets: Some(PacketRange { stream: entry.stream, first: number, last: number }),
        received: Some(entry.received),
        reason: reason.to_owned(),
        outcome: None,
        content: entry.packet.clone(),
    };
    let alert = NewAlert {
        kind,
        severity: Severity::Error,
        cause: key.device.as_str().to_owned(),
        about: format!("device {}", key.device),
        detail,
    };
    held::hold(tx, &key.tenant, &held, &alert, now).await?;
    Ok(())
}

pub(in crate::store) fn stream_key(row: &sqlx::any::AnyRow) -> Result<StreamKey, StoreError> {
    let damaged = |_| StoreError::Damaged { what: "stream" };
    Ok(StreamKey {
        tenant: TenantId::new(row.try_get::<String, _>(0)?).map_err(damaged)?,
        device: DeviceKey::new(row.try_get::<String, _>(1)?).map_err(damaged)?,
        name: StreamName::new(row.try_get::<String, _>(2)?).map_err(damaged)?,
    })
}

pub(in crate::store) fn entry(row: &sqlx::any::AnyRow) -> Result<Entry, StoreError> {
    let sha256 = row.try_get::<Vec<u8>, _>(5)?;
    Ok(Entry {
        position: row.try_get(0)?,
        stream: row.try_get(1)?,
        sequence: row.try_get::<i64, _>(2)?.cast_unsigned(),
        received: Instant(row.try_get(3)?),
        device: DeviceTime(row.try_get(4)?),
        sha256: sha256.try_into().map_err(|_| StoreError::Damaged { what: "packet hash" })?,
        packet: row.try_get(6)?,
    })
}
