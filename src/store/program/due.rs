//! Episodes whose end condition has come true. Nothing is kept for it but what the journal and the episodes say.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::id;
use crate::id::{EpisodeId, TenantId};
use crate::program::{Ended, EndedBy};
use crate::store::{Store, StoreError, StreamId};
use crate::time::{DeviceTime, Instant};

/// An episode that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Tenant.
    pub tenant: TenantId,
    /// Episode.
    pub episode: EpisodeId,
    /// When it ended, which is before it was noticed.
    pub end: Ended,
}

/// How far the samples of an episode are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// Tenant.
    pub tenant: TenantId,
    /// Episode.
    pub episode: EpisodeId,
    /// First moment in it.
    pub start: Instant,
    /// Samples after which it ends.
    pub limit: u64,
    /// Journal rows up to here are counted.
    pub position: i64,
    /// Samples up to there.
    pub samples: u64,
}

/// A packet of a device that is or was in an episode, which need not be of the time when it was.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Place in the journal.
    pub position: i64,
    /// Stream.
    pub stream: StreamId,
    /// Number in the stream.
    pub sequence: u64,
    /// Time of its first sample by the device's clock.
    pub device: DeviceTime,
    /// Canonical JSON.
    pub packet: Vec<u8>,
}

/// When a packet of one of an episode's (`e`) devices was last received: that of the highest number of each stream, which
/// is one look-up.
const NEWEST: &str = "SELECT MAX((SELECT j.received_us FROM journal j WHERE j.stream = s.id ORDER BY j.sequence DESC LIMIT 1)) \
    FROM episode_device d JOIN stream s ON s.tenant = d.tenant AND s.device = d.device \
    WHERE d.tenant = e.tenant AND d.episode = e.id AND d.until_us IS NULL";

/// The same however late packets come in: every packet is looked at.
const LAST: &str = "SELECT MAX(j.received_us) \
    FROM episode_device d JOIN stream s ON s.tenant = d.tenant AND s.device = d.device JOIN journal j ON j.stream = s.id \
    WHERE d.tenant = e.tenant AND d.episode = e.id AND d.until_us IS NULL";

impl Store {
    /// Episodes that have lasted as long as they may.
    ///
    /// # Errors
    /// The database failed.
    pub async fn overlong(&self, now: Instant) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant, id, started_us + max_duration_us FROM episode \
             WHERE ended_us IS NULL AND started_us + max_duration_us <= $1 ORDER BY tenant, id",
        )
        .bind(now.0)
        .fetch_all(&self.readers)
        .await?;
        let due = |row: &AnyRow| due(row, Instant(row.try_get(2)?), EndedBy::MaxDuration);
        rows.iter().map(due).collect()
    }

    /// Episodes whose devices have been silent for as long as they may. An episode's opening and a device's coming into it
    /// break the silence too.
    ///
    /// # Errors
    /// The database failed.
    pub async fn silent(&self, now: Instant) -> Result<Vec<Due>, StoreError> {
        let mut silent = Vec::new();
        for (tenant, episode, _) in self.silent_by(NEWEST, None, now).await? {
            for (tenant, episode, at) in self.silent_by(LAST, Some((&tenant, &episode)), now).await? {
                silent.push(Due { tenant, episode, end: Ended { at, by: EndedBy::Inactivity } });
            }
        }
        Ok(silent)
    }

    async fn silent_by(
        &self,
        received: &str,
        one: Option<(&TenantId, &EpisodeId)>,
        now: Instant,
    ) -> Result<Vec<(TenantId, EpisodeId, Instant)>, StoreError> {
        let mut sql = crate::store::sql::Sql::new(
            "SELECT e.tenant, e.id, e.opened_us, e.inactivity_us, (SELECT MAX(d.from_us) FROM episode_device d \
             WHERE d.tenant = e.tenant AND d.episode = e.id AND d.until_us IS NULL), (",
        );
        sql.push(received).push(") FROM episode e WHERE e.ended_us IS NULL AND e.opened_us + e.inactivity_us <= ");
        sql.bind(now.0);
        if let Some((tenant, episode)) = one {
            sql.push(" AND e.tenant = ").bind(tenant.as_str()).push(" AND e.id = ").bind(episode.as_str());
        }
        sql.push(" ORDER BY e.tenant, e.id");
        let rows = sql.query().fetch_all(&self.readers).await?;
        let mut silent = Vec::new();
        for row in rows {
            let [opened, allowed]: [i64; 2] = [row.try_get(2)?, row.try_get(3)?];
            let [joined, received]: [Option<i64>; 2] = [row.try_get(4)?, row.try_get(5)?];
            let last = [Some(opened), joined, received].into_iter().flatten().max().unwrap_or(opened);
            if last.saturating_add(allowed) <= now.0 {
                let at = Instant(last.saturating_add(allowed));
                silent.push((id(row.try_get(0)?, "tenant")?, id(row.try_get(1)?, "episode id")?, at));
            }
        }
        Ok(silent)
    }

    /// Running episodes that end with a number of samples.
    ///
    /// # Errors
    /// The database failed.
    pub async fn counts(&self) -> Result<Vec<Count>, StoreError> {
        let rows = sqlx::query(
            "SELECT tenant, id, started_us, sample_count, counted_position, counted_samples FROM episode \
             WHERE ended_us IS NULL AND sample_count IS NOT NULL ORDER BY tenant, id",
        )
        .fetch_all(&self.readers)
        .await?;
        let count = |row: &AnyRow| {
            Ok(Count {
                tenant: id(row.try_get(0)?, "tenant")?,
                episode: id(row.try_get(1)?, "episode id")?,
                start: Instant(row.try_get(2)?),
                limit: row.try_get::<i64, _>(3)?.cast_unsigned(),
                position: row.try_get(4)?,
                samples: row.try_get::<i64, _>(5)?.cast_unsigned(),
            })
        };
        rows.iter().map(count).collect()
    }

    /// Packets of an episode's devices that are not counted yet, in the order they became durable.
    ///
    /// # Errors
    /// The database failed.
    pub async fn uncounted(&self, count: &Count, limit: i64) -> Result<Vec<Counted>, StoreError> {
        let rows = sqlx::query(
            "SELECT j.position, j.stream, j.sequence, COALESCE(j.device_us, j.received_us), j.packet FROM journal j JOIN stream s ON s.id = j.stream \
             WHERE j.position > $3 AND s.tenant = $1 AND s.device IN \
             (SELECT device FROM episode_device WHERE tenant = $1 AND episode = $2) ORDER BY j.position LIMIT $4 + 0",
        )
        .bind(count.tenant.as_str())
        .bind(count.episode.as_str())
        .bind(count.position)
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        let counted = |row: &AnyRow| {
            Ok(Counted {
                position: row.try_get(0)?,
                stream: row.try_get(1)?,
                sequence: row.try_get::<i64, _>(2)?.cast_unsigned(),
                device: DeviceTime(row.try_get(3)?),
                packet: row.try_get(4)?,
            })
        };
        rows.iter().map(counted).collect()
    }

    /// Keeps how far the samples of an episode are counted, if nobody else has counted since.
    ///
    /// # Errors
    /// The database failed.
    pub async fn keep_count(&self, before: &Count, now: &Count) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE episode SET counted_position = $4, counted_samples = $5 \
             WHERE tenant = $1 AND id = $2 AND counted_position = $3",
        )
        .bind(now.tenant.as_str())
        .bind(now.episode.as_str())
        .bind(before.position)
        .bind(now.position)
        .bind(now.samples.cast_signed())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn due(row: &AnyRow, at: Instant, by: EndedBy) -> Result<Due, StoreError> {
    Ok(Due {
        tenant: id(row.try_get(0)?, "tenant")?,
        episode: id(row.try_get(1)?, "episode id")?,
        end: Ended { at, by },
    })
}
