//! Blocks and heads, and the journal as the archive reads it.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{device, hash, tenant};
use crate::id::{DeviceKey, StreamName, TenantId};
use crate::store::journal::{Entry, StreamId, entry};
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// A block of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveBlock {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Number in the device's chain, from 1 on.
    pub number: u64,
    /// SHA-256 of its bytes.
    pub name: [u8; 32],
    /// Name of the block before it.
    pub previous: Option<[u8; 32]>,
    /// Id of its data key.
    pub key: String,
    /// First and last position of its packets in the journal.
    pub positions: (i64, i64),
    /// When the first and the last of them came.
    pub received: (Instant, Instant),
    /// Its streams with the lowest and the highest of its sequence numbers.
    pub streams: Vec<(StreamName, u64, u64)>,
    /// Packets.
    pub packets: u64,
    /// Length.
    pub bytes: u64,
    /// The deletion it fell to: id of the audit record.
    pub audit: Option<i64>,
    /// Whether the block is out of the archive too.
    pub removed: bool,
}

/// The newest block of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveHead {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Its number.
    pub number: u64,
    /// Its name.
    pub name: [u8; 32],
    /// The device's packets up to here in the journal are archived.
    pub last_position: i64,
}

/// What is known of a packet before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Place in the journal.
    pub position: i64,
    /// Stream.
    pub stream: StreamId,
    /// When it came.
    pub received: Instant,
    /// Length.
    pub bytes: u32,
}

/// What a tenant has in the archive, and what is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveTotals {
    /// Tenant.
    pub tenant: TenantId,
    /// Devices with blocks.
    pub devices: u64,
    /// Blocks that are not deleted.
    pub blocks: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their packets.
    pub packets: u64,
    /// Packets in the journal only.
    pub waiting: u64,
    /// When the oldest of those came.
    pub oldest_waiting: Option<Instant>,
}

impl Store {
    /// The journal after `position`, without its packets.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_marks(&self, position: i64, limit: i64) -> Result<Vec<Mark>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, stream, received_us, CAST(LENGTH(packet) AS BIGINT) FROM journal WHERE position > $1 \
             ORDER BY position LIMIT $2 + 0",
        )
        .bind(position)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let mark = |row: &AnyRow| -> Result<Mark, StoreError> {
            let bytes = u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(u32::MAX);
            Ok(Mark { position: row.try_get(0)?, stream: row.try_get(1)?, received: Instant(row.try_get(2)?), bytes })
        };
        rows.iter().map(mark).collect()
    }

    /// Packets by their positions, in that order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_entries(&self, positions: &[i64]) -> Result<Vec<Entry>, StoreError> {
        const ROWS: usize = 256;
        let mut entries = Vec::with_capacity(positions.len());
        for piece in positions.chunks(ROWS) {
            let mut sql = Sql::new(
                "SELECT position, stream, sequence, received_us, COALESCE(device_us, received_us), sha256, packet \
                 FROM journal WHERE position",
            );
            sql.bind_in(piece.iter().copied().map(Value::Int).collect()).push(" ORDER BY position");
            let rows = sql.query().fetch_all(&self.readers).await?;
            entries.extend(rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(entries)
    }

    /// Position, number and SHA-256 of a stream's packets in a range of numbers and one of positions, by number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn journal_hashes(
        &self,
        stream: StreamId,
        numbers: (u64, u64),
        positions: (i64, i64),
    ) -> Result<Vec<(i64, u64, [u8; 32])>, StoreError> {
        let rows = sqlx::query(
            "SELECT position, sequence, sha256 FROM journal WHERE stream = $1 AND sequence BETWEEN $2 AND $3 \
             AND position BETWEEN $4 AND $5 ORDER BY sequence",
        )
        .bind(stream)
        .bind(numbers.0.cast_signed())
        .bind(numbers.1.cast_signed())
        .bind(positions.0)
        .bind(positions.1)
        .fetch_all(&self.readers)
        .await?;
        let row = |row: &AnyRow| -> Result<_, StoreError> {
            Ok((row.try_get(0)?, row.try_get::<i64, _>(1)?.cast_unsigned(), hash(row.try_get(2)?)?))
        };
        rows.iter().map(row).collect()
    }

    /// How many packets of a device the journal has up to a position.
    ///
    /// # Errors
    /// The database failed.
    pub async fn journal_count(&self, tenant: &TenantId, device: &DeviceKey, until: i64) -> Result<u64, StoreError> {
        let row = sqlx::query(
            "SELECT COUNT(*) FROM stream s JOIN journal j ON j.stream = s.id \
             WHERE s.tenant = $1 AND s.device = $2 AND j.position <= $3",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(until)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<i64, _>(0)?.cast_unsigned())
    }

    /// Up to where everything in the journal is archived.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_progress(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT position FROM archive_progress").fetch_one(&self.readers).await?;
        Ok(row.try_get(0)?)
    }

    /// The newest block of a device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_head(&self, tenant: &TenantId, device: &DeviceKey) -> Result<Option<ArchiveHead>, StoreError> {
        let row = sqlx::query("SELECT number, name, last_position FROM archive_head WHERE tenant = $1 AND device = $2")
            .bind(tenant.as_str())
            .bind(device.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let head = |row: AnyRow| -> Result<_, StoreError> {
            Ok(ArchiveHead {
                tenant: tenant.clone(),
                device: device.clone(),
                number: row.try_get::<i64, _>(0)?.cast_unsigned(),
                name: hash(row.try_get(1)?)?,
                last_position: row.try_get(2)?,
            })
        };
        row.map(head).transpose()
    }

    /// Whoever has blocks, written or being written.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_chains(&self) -> Result<Vec<(TenantId, DeviceKey)>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant, device FROM archive_head UNION SELECT tenant, device FROM archive_block ORDER BY 1, 2",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok((tenant(row, 0)?, device(row, 1)?))).collect()
    }

    /// A device's blocks after a number, in order: those of its chain, and one that is being written.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_blocks(
        &self,
        tenant: &TenantId,
        device: &DeviceKey,
        after: u64,
        limit: i64,
    ) -> Result<Vec<ArchiveBlock>, StoreError> {
        let mut sql = select();
        sql.push(" WHERE tenant = ").bind(tenant.as_str());
        sql.push(" AND device = ").bind(device.as_str()).push(" AND number > ").bind(after.cast_signed());
        sql.push(" ORDER BY number").limit(limit);
        sql.query().fetch_all(&self.readers).await?.iter().map(block).collect()
    }

    /// Blocks that are being written: they have no place in their chain yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_pending(&self) -> Result<Vec<ArchiveBlock>, StoreError> {
        let mut sql = select();
        sql.push(" WHERE number > COALESCE((SELECT h.number FROM archive_head h ");
        sql.push("WHERE h.tenant = b.tenant AND h.device = b.device), 0) ORDER BY tenant, device, number");
        sql.query().fetch_all(&self.readers).await?.iter().map(block).collect()
    }

    /// What each tenant has in the archive, and what waits for it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_totals(&self) -> Result<Vec<ArchiveTotals>, StoreError> {
        let mut sql = Sql::new("SELECT t.tenant, ");
        sql.push("(SELECT COUNT(*) FROM archive_head h WHERE h.tenant = t.tenant), ");
        sql.push("(SELECT COUNT(*) FROM archive_block b WHERE b.tenant = t.tenant AND b.audit IS NULL), ");
        sql.push("(SELECT CAST(COALESCE(SUM(b.bytes), 0) AS BIGINT) FROM archive_block b ");
        sql.push("WHERE b.tenant = t.tenant AND b.audit IS NULL), ");
        sql.push("(SELECT CAST(COALESCE(SUM(b.packets), 0) AS BIGINT) FROM archive_block b ");
        sql.push("WHERE b.tenant = t.tenant AND b.audit IS NULL), ");
        sql.push("(SELECT COUNT(*)").push(WAITING).push("), (SELECT MIN(j.received_us)").push(WAITING).push(") ");
        sql.push("FROM (SELECT DISTINCT tenant FROM stream) t ORDER BY t.tenant");
        let rows = sql.query().fetch_all(&self.readers).await?;
        let totals = |row: &AnyRow| -> Result<ArchiveTotals, StoreError> {
            let number = |column| -> Result<u64, StoreError> { Ok(row.try_get::<i64, _>(column)?.cast_unsigned()) };
            Ok(ArchiveTotals {
                tenant: tenant(row, 0)?,
                devices: number(1)?,
                blocks: number(2)?,
                bytes: number(3)?,
                packets: number(4)?,
                waiting: number(5)?,
                oldest_waiting: row.try_get::<Option<i64>, _>(6)?.map(Instant),
            })
        };
        rows.iter().map(totals).collect()
    }
}

/// Packets of tenant `t` that are not archived.
const WAITING: &str = " FROM journal j JOIN stream s ON s.id = j.stream AND s.tenant = t.tenant \
    LEFT JOIN archive_head h ON h.tenant = s.tenant AND h.device = s.device \
    WHERE j.position > (SELECT position FROM archive_progress) AND j.position > COALESCE(h.last_position, -1)";

/// Every block, as [`block`] reads it; the table is `b`.
pub(super) fn select() -> Sql {
    Sql::new(
        "SELECT tenant, device, number, name, previous, key, first_position, last_position, from_us, until_us, \
         streams, packets, bytes, audit, purged FROM archive_block b",
    )
}

pub(super) fn block(row: &AnyRow) -> Result<ArchiveBlock, StoreError> {
    let number = |column| -> Result<u64, StoreError> { Ok(row.try_get::<i64, _>(column)?.cast_unsigned()) };
    Ok(ArchiveBlock {
        tenant: tenant(row, 0)?,
        device: device(row, 1)?,
        number: number(2)?,
        name: hash(row.try_get(3)?)?,
        previous: row.try_get::<Option<Vec<u8>>, _>(4)?.map(hash).transpose()?,
        key: row.try_get(5)?,
        positions: (row.try_get(6)?, row.try_get(7)?),
        received: (Instant(row.try_get(8)?), Instant(row.try_get(9)?)),
        streams: serde_json::from_str(&row.try_get::<String, _>(10)?)
            .map_err(|_| StoreError::Damaged { what: "list of a block's streams" })?,
        packets: number(11)?,
        bytes: number(12)?,
        audit: row.try_get(13)?,
        removed: row.try_get::<i64, _>(14)? == 2,
    })
}
