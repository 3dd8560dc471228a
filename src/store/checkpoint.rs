//! Checkpoints: the state of a stream's algorithms, written in one transaction with what they gave.

use std::collections::BTreeSet;

use sqlx::{Any, Row, Transaction};

use super::claim::{self, Claim};
use super::clock::{self, KnownClock};
use super::contribution::{self, Contribution};
use super::held::PacketRange;
use super::journal::StreamId;
use super::judge::Cause;
use super::lease::Lease;
use super::program::fire;
use super::resource::{Stored, Upserted, upsert};
use super::sql::{Sql, Value};
use super::statement::{self, Statement};
use super::{Store, StoreError};
use crate::id::{DeviceKey, EpisodeId, TenantId};
use crate::resource::Resource;
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

/// What one stream gave, with the state it left.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Tenant.
    pub tenant: TenantId,
    /// What was projected.
    pub resources: Vec<Resource>,
    /// What the stream has to offer to measurements that need several streams.
    pub contributions: Vec<Contribution>,
    /// What other sources may have measured as well.
    pub claims: Vec<Claim>,
    /// The first and the last packet it came of.
    pub packets: Option<(u64, u64)>,
    /// The episodes its measurements are of.
    pub episodes: BTreeSet<EpisodeId>,
    /// What the stream says about its device, if that is new.
    pub statement: Option<Statement>,
    /// Everything before this time has been given out with it.
    pub event: Instant,
    /// Journal rows of the stream up to here led to it.
    pub position: i64,
    /// The revision of the device's associations it was computed by.
    pub revision: i64,
    /// What is known of the stream's clock; kept with the state.
    pub clock: KnownClock,
    /// The state after. Without one the stream computes this again when it is taken up from its last checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Under which lease it was computed.
    pub lease: Lease,
}

impl Commit {
    /// This commit's state with nothing else yet; the rest goes without it.
    #[must_use]
    pub fn split_off_state(&mut self) -> Self {
        Self {
            tenant: self.tenant.clone(),
            resources: Vec::new(),
            contributions: Vec::new(),
            claims: Vec::new(),
            packets: self.packets,
            episodes: self.episodes.clone(),
            statement: None,
            event: self.event,
            position: self.position,
            revision: self.revision,
            clock: self.clock.clone(),
            checkpoint: self.checkpoint.take(),
            lease: self.lease,
        }
    }
}

/// What became of commits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Committed {
    /// What became of their resources.
    pub upserted: Upserted,
    /// Commits that were refused, because another process holds their stream by now and computes the same, or because the
    /// stream has to go back to before them.
    pub refused: usize,
}

/// What becomes of what several streams offer.
pub trait Joint: Sync {
    /// What contributions to one window give together.
    fn together(&self, tenant: &TenantId, contributions: &[Vec<u8>]) -> Vec<Resource>;

    /// The Device, after `statement` came; `all` has what each stream says now.
    fn device(&self, tenant: &TenantId, statement: &Statement, all: &[Vec<u8>]) -> Resource;
}

/// Checkpoints of a stream that are kept at least: the newest ones, for packets that come a little late.
const KEEP: i64 = 8;

/// Streams per look-up.
const STREAMS: usize = 256;

/// Whether a commit was computed by what is known now of whose the device is and of its clock.
async fn is_current(tx: &mut Transaction<'_, Any>, commit: &Commit) -> Result<bool, StoreError> {
    let row = sqlx::query(
        "SELECT (SELECT MAX(a.revision) FROM stream s JOIN association_change a ON a.tenant = s.tenant \
         AND a.device = s.device WHERE s.id = $1), (SELECT c.revision FROM stream_clock c WHERE c.stream = $1)",
    )
    .bind(commit.lease.stream)
    .fetch_one(&mut **tx)
    .await?;
    let (revision, clock): (Option<i64>, Option<i64>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(revision.is_none_or(|known| known <= commit.revision)
        && clock.is_none_or(|known| known <= commit.clock.revision))
}

impl Store {
    /// Stores resources and checkpoints of the streams this process holds, all or none, and with them what `joint` makes of what
    /// several streams offer.
    ///
    /// # Errors
    /// The database failed; nothing was stored.
    pub async fn commit(&self, commits: &[Commit], joint: &dyn Joint) -> Result<Committed, StoreError> {
        let mut tx = self.begin().await?;
        let now = self.clock.now();
        let mut done = Committed::default();
        let held = self.hold(&mut tx, commits.iter().map(|commit| commit.lease)).await?;
        let cause = Cause::of(&mut tx, None).await?;
        for commit in commits {
            if !held.contains(&commit.lease) || !is_current(&mut tx, commit).await? {
                done.refused += 1;
                continue;
            }
            // One commit's at a time is copied, for the caller needs them all again if this fails.
            let Commit { mut resources, contributions, claims, .. } = commit.clone();
            for meeting in contribution::keep(&mut tx, self.dialect, &commit.tenant, contributions).await? {
                let present = contribution::present(&mut tx, &commit.tenant, &meeting).await?;
                resources.extend(joint.together(&commit.tenant, &present));
            }
            resources.extend(claim::weighed(&mut tx, self, &commit.tenant, claims).await?);
            if let Some(statement) = &commit.statement {
                let all = statement::keep(&mut tx, self.dialect, &commit.tenant, statement).await?;
                resources.push(joint.device(&commit.tenant, statement, &all));
            }
            let range = |(first, last)| PacketRange { stream: commit.lease.stream, first, last };
            let cause = Cause { packets: commit.packets.map(range), ..cause };
            let Stored { upserted, .. } = upsert(&mut tx, self, &commit.tenant, resources, cause, now).await?;
            done.upserted.created += upserted.created;
            done.upserted.updated += upserted.updated;
            done.upserted.unchanged += upserted.unchanged;
            done.upserted.held += upserted.held;
            if upserted.created + upserted.updated > 0 {
                let place = (commit.lease.stream, commit.event, commit.position);
                fire(&mut tx, &commit.tenant, &commit.episodes, place).await?;
            }
            let Some(checkpoint) = &commit.checkpoint else { continue };
            clock::set(&mut tx, checkpoint.stream, &commit.clock).await?;
            // A stream taken back to an earlier point leaves no state from after it.
            sqlx::query("DELETE FROM checkpoint WHERE stream = $1 AND sequence >= $2")
                .bind(checkpoint.stream)
                .bind(checkpoint.sequence.cast_signed())
                .execute(&mut *tx)
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
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "DELETE FROM checkpoint WHERE stream = $1 AND event_us < \
                 (SELECT MIN(event_us) FROM (SELECT event_us FROM checkpoint WHERE stream = $1 \
                  ORDER BY event_us DESC LIMIT $2 + 0) AS newest) AND event_us % 3600000000 <> 0",
            )
            .bind(checkpoint.stream)
            .bind(KEEP)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        self.tend_bodies();
        Ok(done)
    }

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
