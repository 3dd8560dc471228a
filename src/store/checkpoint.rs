//! Checkpoints: the state of a stream's algorithms, written in one transaction with what they gave.

use sqlx::{Any, Row, Transaction};

use super::clock::{self, KnownClock};
use super::journal::StreamId;
use super::sql::{Sql, Value};
use super::{Store, StoreError};
use crate::id::{DeviceKey, TenantId};
use crate::time::Instant;

/// The state of a stream right before it reads `sequence`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Stream.
    pub stream: StreamId,
    /// Everything before this time has been given out.
    pub event: Instant,
    /// Next sequence number to read.
    pub sequence: u64,
    /// Journal rows of the stream up to here are in the state.
    pub position: i64,
    /// The latest packet's time in the state.
    pub newest: Instant,
    /// Which revision of the device's associations it was computed under.
    pub revision: i64,
    /// Serialized state.
    pub state: Vec<u8>,
}

/// Checkpoints of a stream that are kept at least: the newest ones, for packets that come a little late.
const KEEP: i64 = 8;

/// Streams per look-up.
const STREAMS: usize = 256;

/// Stores a checkpoint and what is known of its stream's clock as part of `tx`.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    checkpoint: &Checkpoint,
    known: &KnownClock,
) -> Result<(), StoreError> {
    clock::set(tx, checkpoint.stream, known).await?;
    // A stream taken back to an earlier point leaves no state from after it.
    sqlx::query("DELETE FROM checkpoint WHERE stream = $1 AND sequence >= $2")
        .bind(checkpoint.stream)
        .bind(checkpoint.sequence.cast_signed())
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "INSERT INTO checkpoint (stream, event_us, sequence, position, newest_us, revision, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (stream, event_us) DO UPDATE SET \
         sequence = excluded.sequence, position = excluded.position, newest_us = excluded.newest_us, \
         revision = excluded.revision, state = excluded.state",
    )
    .bind(checkpoint.stream)
    .bind(checkpoint.event.0)
    .bind(checkpoint.sequence.cast_signed())
    .bind(checkpoint.position)
    .bind(checkpoint.newest.0)
    .bind(checkpoint.revision)
    .bind(checkpoint.state.as_slice())
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "DELETE FROM checkpoint WHERE stream = $1 AND event_us < \
         (SELECT MIN(event_us) FROM (SELECT event_us FROM checkpoint WHERE stream = $1 \
          ORDER BY event_us DESC LIMIT $2 + 0) AS newest) AND event_us % 3600000000 <> 0",
    )
    .bind(checkpoint.stream)
    .bind(KEEP)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

impl Store {
    /// The newest checkpoint of a stream that has read nothing from `before` on (`None`: any) and that no change of the
    /// device's associations since has made worthless.
    ///
    /// # Errors
    /// The database failed.
    pub async fn checkpoint(&self, stream: StreamId, before: Option<u64>) -> Result<Option<Checkpoint>, StoreError> {
        let row = sqlx::query(
            "SELECT c.event_us, c.sequence, c.position, c.newest_us, c.revision, c.state \
             FROM checkpoint c JOIN stream s ON s.id = c.stream WHERE c.stream = $1 AND c.sequence <= $2 \
             AND c.newest_us < COALESCE((SELECT MIN(a.from_us) FROM association_change a WHERE a.tenant = s.tenant \
             AND a.device = s.device AND a.revision > c.revision), 9223372036854775807) \
             ORDER BY c.sequence DESC LIMIT 1",
        )
        .bind(stream)
        .bind(before.map_or(i64::MAX, u64::cast_signed))
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Checkpoint {
            stream,
            event: Instant(row.try_get(0)?),
            sequence: row.try_get::<i64, _>(1)?.cast_unsigned(),
            position: row.try_get(2)?,
            newest: Instant(row.try_get(3)?),
            revision: row.try_get(4)?,
            state: row.try_get(5)?,
        }))
    }

    /// The first instant a stream has to be computed anew from, because its device's associations changed after what is
    /// stored of it was computed. Without a checkpoint that may have been under the first of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn overtaken(&self, stream: StreamId) -> Result<Option<Instant>, StoreError> {
        let row = sqlx::query(
            "SELECT MIN(a.from_us) FROM stream s JOIN association_change a ON a.tenant = s.tenant \
             AND a.device = s.device WHERE s.id = $1 AND a.revision > \
             COALESCE((SELECT c.revision FROM checkpoint c WHERE c.stream = s.id ORDER BY c.sequence DESC LIMIT 1), 1)",
        )
        .bind(stream)
        .fetch_one(&self.readers)
        .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(Instant))
    }

    /// The lowest sequence number of a stream that became durable after `position` but lies before `sequence`: a packet
    /// that came late and that the state does not know.
    ///
    /// # Errors
    /// The database failed.
    pub async fn late(&self, stream: StreamId, position: i64, sequence: u64) -> Result<Option<u64>, StoreError> {
        let row =
            sqlx::query("SELECT MIN(sequence) FROM journal WHERE stream = $1 AND sequence < $2 AND position > $3")
                .bind(stream)
                .bind(sequence.cast_signed())
                .bind(position)
                .fetch_one(&self.readers)
                .await?;
        Ok(row.try_get::<Option<i64>, _>(0)?.map(i64::cast_unsigned))
    }

    /// Streams of associated devices that have packets their newest checkpoint does not know (later ones in the sequence, or
    /// late ones that became durable after it), or that were computed under an earlier revision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished(&self) -> Result<Vec<StreamId>, StoreError> {
        self.unfinished_where(&[]).await
    }

    /// Those of `streams` that are [unfinished](Self::unfinished).
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished_among(&self, streams: &[StreamId]) -> Result<Vec<StreamId>, StoreError> {
        let mut found = Vec::new();
        for piece in streams.chunks(STREAMS) {
            found.extend(self.unfinished_where(piece).await?);
        }
        Ok(found)
    }

    /// Streams of a device of which not all is stored that they gave before a moment: they are
    /// [unfinished](Self::unfinished), and what is stored does not know of every change of the device's associations or has
    /// not come as far.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unfinished_before(
        &self,
        tenant: &TenantId,
        device: &DeviceKey,
        moment: Instant,
    ) -> Result<Vec<StreamId>, StoreError> {
        let rows = sqlx::query(
            "SELECT s.id FROM stream s WHERE s.tenant = $1 AND s.device = $2 AND COALESCE((\
             SELECT CASE WHEN c.newest_us >= $3 AND c.revision >= (SELECT COALESCE(MAX(a.revision), 0) \
             FROM association_change a WHERE a.tenant = $1 AND a.device = $2) THEN 1 ELSE 0 END \
             FROM checkpoint c WHERE c.stream = s.id ORDER BY c.sequence DESC LIMIT 1), 0) = 0",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(moment.0)
        .fetch_all(&self.readers)
        .await?;
        let behind: Vec<StreamId> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        self.unfinished_among(&behind).await
    }

    async fn unfinished_where(&self, among: &[StreamId]) -> Result<Vec<StreamId>, StoreError> {
        let mut sql = Sql::new(
            "SELECT s.id FROM stream s JOIN association_change a ON a.tenant = s.tenant AND a.device = s.device \
             AND a.revision = (SELECT MAX(revision) FROM association_change n WHERE n.tenant = s.tenant \
             AND n.device = s.device) WHERE (\
             COALESCE((SELECT MAX(j.position) FROM journal j WHERE j.stream = s.id), 0) > \
             COALESCE((SELECT MAX(c.position) FROM checkpoint c WHERE c.stream = s.id), 0) OR \
             COALESCE((SELECT MAX(j.sequence) FROM journal j WHERE j.stream = s.id), -1) >= \
             COALESCE((SELECT MAX(c.sequence) FROM checkpoint c WHERE c.stream = s.id), 0) OR \
             COALESCE((SELECT c.revision FROM checkpoint c WHERE c.stream = s.id ORDER BY c.sequence DESC LIMIT 1), 0) \
             < a.revision)",
        );
        if !among.is_empty() {
            sql.push(" AND s.id").bind_in(among.iter().copied().map(Value::Int).collect());
        }
        sql.push(" ORDER BY s.id");
        let rows = sql.query().fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }
}
