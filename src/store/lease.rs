//! Who processes which stream where several processes share a database.
//!
//! A process says every second that it is alive ([`Holder::tend`]) and holds streams: free ones, those of processes that
//! are gone, and never more than its share. A process is gone when the connection it spoke over is closed, which a killed
//! process's is at once, or when it has been silent for too long by the database's clock. What makes it safe is not time,
//! though: [`Store::commit`] locks the leases it writes under, so a process that slept through its expiry finds its commit
//! refused, and a stream cannot change hands while a commit to it is under way.
//!
//! Statements that take leases from others pass by locked rows (`SKIP LOCKED`) or lock them in the order of their streams,
//! so they never wait for each other in a circle. They choose in an `ARRAY(…)` of its own, which runs once; a plain `IN` may
//! run again for every row and take more than it should. On SQLite there is one process, and it holds everything.

use std::collections::BTreeSet;

use sqlx::{Any, AnyConnection, Connection as _, Row as _, Transaction};

use super::journal::StreamId;
use super::sql::{Sql, Value, pieces};
use super::{Store, StoreError};

/// A process that has not been heard of for so long has lost its streams.
const EXPIRY_US: i64 = 6_000_000;

/// Leases per statement.
const ROWS: usize = 256;

/// The database's time.
const NOW: &str = "(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

/// Whether process `p` is alive.
const ALIVE: &str = "p.expires_us > (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT \
    AND EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.pid = p.backend)";

/// Streams `s` that may have something to be processed for: their device is or was with somebody.
const ON_PATIENT: &str = "stream s JOIN association_change a ON a.tenant = s.tenant AND a.device = s.device \
    AND a.revision = 1";

/// The right to process a stream, until it changes hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// Stream.
    pub stream: StreamId,
    /// How often it had changed hands.
    pub epoch: i64,
}

impl Lease {
    /// That of a process that has the database to itself.
    pub fn sole(stream: StreamId) -> Self {
        Self { stream, epoch: 0 }
    }
}

/// What a process holds its streams by: a connection that is there as long as the process is.
#[derive(Debug)]
pub struct Holder {
    store: Store,
    connection: Option<AnyConnection>,
}

impl Holder {
    /// Says that this process is alive and has stored all that its streams gave up to journal position `done`; takes over
    /// what is free and gives up what is too much. Returns the streams it holds now.
    ///
    /// # Errors
    /// The database failed; what is held is as before, until it expires.
    pub async fn tend(&mut self, done: i64) -> Result<BTreeSet<Lease>, StoreError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.store.writer.acquire().await?.detach(),
        };
        let held = self.store.tend(&mut connection, done).await;
        if held.as_ref().err().is_none_or(StoreError::is_contention) {
            self.connection = Some(connection);
        }
        held
    }
}

impl Store {
    /// For a process that is going to process streams.
    pub fn holder(&self) -> Holder {
        Holder { store: self.clone(), connection: None }
    }

    async fn tend(&self, connection: &mut AnyConnection, done: i64) -> Result<BTreeSet<Lease>, StoreError> {
        let mut alive = Sql::new("INSERT INTO process (id, backend, expires_us, done_position) VALUES (");
        alive.bind(&*self.process).push(", pg_backend_pid(), ").push(NOW).push(" + ").bind(EXPIRY_US);
        alive.push(", ").bind(done).push(") ON CONFLICT (id) DO UPDATE SET backend = excluded.backend, ");
        alive.push("expires_us = excluded.expires_us, done_position = excluded.done_position");
        alive.query().execute(&mut *connection).await?;
        let mut tx = connection.begin().await?;
        bury(&mut tx).await?;
        sqlx::query(
            "INSERT INTO stream_lease (stream) SELECT id FROM stream \
             WHERE id > (SELECT COALESCE(MAX(stream), 0) FROM stream_lease) ORDER BY id ON CONFLICT DO NOTHING",
        )
        .execute(&mut *tx)
        .await?;
        self.share(&mut tx).await?;
        tx.commit().await?;
        let rows = sqlx::query("SELECT stream, epoch FROM stream_lease WHERE process = $1")
            .bind(&*self.process)
            .fetch_all(connection)
            .await?;
        rows.iter().map(|row| Ok(Lease { stream: row.try_get(0)?, epoch: row.try_get(1)? })).collect()
    }

    /// Takes free streams up to this process's share of all, or gives some up where it holds more.
    async fn share(&self, tx: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
        let mut sql = Sql::new("SELECT (SELECT COUNT(*) FROM process p WHERE ");
        sql.push(ALIVE).push("), (SELECT COUNT(*) FROM stream_lease WHERE process IS NOT NULL), ");
        sql.push("(SELECT COUNT(*) FROM ").push(ON_PATIENT).push(" JOIN stream_lease l ON l.stream = s.id ");
        sql.push("WHERE l.process IS NULL), (SELECT COUNT(*) FROM stream_lease WHERE process = ");
        sql.bind(&*self.process).push(")");
        let row = sql.query().fetch_one(&mut **tx).await?;
        let [processes, taken, free, held] =
            [row.try_get::<i64, _>(0)?, row.try_get(1)?, row.try_get(2)?, row.try_get(3)?];
        let share = (taken + free + processes - 1) / processes.max(1);
        let mut sql = Sql::new("UPDATE stream_lease SET epoch = epoch + 1, ready = 0, process = ");
        if held > share {
            sql.push("NULL WHERE stream = ANY (ARRAY(SELECT stream FROM stream_lease WHERE process = ");
            sql.bind(&*self.process).push(" ORDER BY stream DESC").limit(held - share);
            sql.push(" FOR UPDATE SKIP LOCKED))");
        } else if free > 0 {
            sql.bind(&*self.process).push(" WHERE stream = ANY (ARRAY(SELECT s.id FROM ");
            sql.push(ON_PATIENT).push(" JOIN stream_lease l ON l.stream = s.id WHERE l.process IS NULL ");
            sql.push("ORDER BY s.id").limit(share - held).push(" FOR UPDATE OF l SKIP LOCKED))");
        } else {
            return Ok(());
        }
        sql.query().execute(&mut **tx).await?;
        Ok(())
    }

    /// Those of `leases` this process still holds. They stay in its hands until the end of the transaction.
    pub(in crate::store) async fn hold(
        &self,
        tx: &mut Transaction<'_, Any>,
        leases: impl Iterator<Item = Lease>,
    ) -> Result<BTreeSet<Lease>, StoreError> {
        let leases: BTreeSet<Lease> = leases.collect();
        if !self.is_shared() || leases.is_empty() {
            return Ok(leases);
        }
        let mut sql = Sql::new("SELECT stream, epoch FROM stream_lease WHERE process = ");
        sql.bind(&*self.process).push(" AND stream").bind_in(leases.iter().map(|l| Value::Int(l.stream)).collect());
        sql.push(" ORDER BY stream FOR SHARE");
        let rows = sql.query().fetch_all(&mut **tx).await?;
        let held = rows.iter().map(|row| Ok(Lease { stream: row.try_get(0)?, epoch: row.try_get(1)? }));
        let held = held.collect::<Result<BTreeSet<Lease>, StoreError>>()?;
        Ok(leases.intersection(&held).copied().collect())
    }

    /// The streams of these leases have been brought up to the journal, and what that gave is stored.
    ///
    /// # Errors
    /// The database failed.
    pub async fn ready(&self, leases: &[Lease]) -> Result<(), StoreError> {
        for piece in pieces(leases, ROWS).into_iter().filter(|_| self.is_shared()) {
            let mut sql = Sql::new("UPDATE stream_lease SET ready = 1 WHERE process = ");
            sql.bind(&*self.process).push(" AND (stream, epoch) IN (");
            sql.bind_rows(&[], piece.iter().map(|lease| vec![lease.stream.into(), lease.epoch.into()])).push(")");
            sql.query().execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Takes streams from whoever holds them: they have to be brought up anew.
    ///
    /// # Errors
    /// The database failed.
    pub async fn free(&self, streams: &[StreamId]) -> Result<(), StoreError> {
        if streams.is_empty() {
            return Ok(());
        }
        let mut sql =
            Sql::new("UPDATE stream_lease SET epoch = epoch + 1, ready = 0, process = NULL WHERE stream = ANY (");
        sql.push("ARRAY(SELECT stream FROM stream_lease WHERE stream");
        sql.bind_in(streams.iter().copied().map(Value::Int).collect()).push(" ORDER BY stream FOR UPDATE))");
        sql.query().execute(&self.writer).await?;
        Ok(())
    }

    /// How much is durable but not processed, whichever process it falls to: packets, and streams to be brought up.
    ///
    /// # Errors
    /// The database failed.
    pub async fn lag(&self) -> Result<i64, StoreError> {
        let mut sql = Sql::new("SELECT GREATEST(0, (SELECT COALESCE(MAX(position), 0) FROM journal) - ");
        sql.push("COALESCE((SELECT MIN(done_position) FROM process p WHERE ").push(ALIVE).push("), 0)) + ");
        sql.push("(SELECT COUNT(*) FROM ").push(ON_PATIENT).push(" LEFT JOIN stream_lease l ON l.stream = s.id ");
        sql.push("WHERE l.process IS NULL OR l.ready = 0 OR NOT EXISTS ");
        sql.push("(SELECT 1 FROM process p WHERE p.id = l.process AND ").push(ALIVE).push("))");
        let row = sql.query().fetch_one(&self.readers).await?;
        Ok(row.try_get(0)?)
    }
}

/// Frees the streams of processes that are gone. Not right after the database itself was away: everybody's connection is
/// closed then, and whoever is alive speaks first.
async fn bury(tx: &mut Transaction<'_, Any>) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE stream_lease SET epoch = epoch + 1, ready = 0, process = NULL WHERE stream = ANY (");
    sql.push("ARRAY(SELECT l.stream FROM stream_lease l JOIN process p ON p.id = l.process WHERE NOT (").push(ALIVE);
    sql.push(") AND pg_postmaster_start_time() < clock_timestamp() - ").bind(EXPIRY_US);
    sql.push(" * INTERVAL '1 microsecond' FOR UPDATE OF l SKIP LOCKED))");
    sql.query().execute(&mut **tx).await?;
    let mut sql = Sql::new("DELETE FROM process WHERE id = ANY (ARRAY(SELECT id FROM process p WHERE NOT (");
    sql.push(ALIVE).push(") AND NOT EXISTS (SELECT 1 FROM stream_lease l WHERE l.process = p.id)");
    sql.push(" FOR UPDATE SKIP LOCKED))");
    sql.query().execute(&mut **tx).await?;
    Ok(())
}
