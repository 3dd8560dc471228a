//! The one home of SQL. SQLite (WAL) by default; the same portable SQL with `$n` parameters runs on PostgreSQL.
//!
//! One connection writes, many read. Writers queue for the connection, which is also what makes group commit work: while
//! one transaction is being made durable the next one gathers.
#![expect(clippy::disallowed_methods, reason = "the one home of SQL")]

mod checkpoint;
mod contribution;
pub mod date;
mod developer_key;
mod device_link;
mod error;
#[cfg(test)]
pub(crate) mod fixture;
mod index;
mod journal;
mod read;
mod resource;
mod retract;
pub mod search;
mod sql;
mod table;

use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyPool, Executor};

pub use checkpoint::{Checkpoint, Commit, Together};
pub use contribution::{Contribution, Meeting};
pub use developer_key::KeyRecord;
pub use device_link::DeviceLink;
pub use error::StoreError;
pub use index::normalize_reference;
pub use journal::{Appended, Entry, NewEntry, StreamId, StreamKey};
pub use read::Stored;
pub use resource::Upserted;

use crate::capability::Capability;
use crate::time::Clock;

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    writer: AnyPool,
    readers: AnyPool,
    clock: Arc<dyn Clock>,
    /// Which elements of a resource are searchable.
    capability: Arc<Capability>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");

impl Store {
    /// Opens the database at `url` (`sqlite:PATH`), creating and migrating it as needed.
    ///
    /// # Errors
    /// The URL is not one of a known database, the file cannot be opened, or a migration fails.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let path = url.strip_prefix("sqlite:").ok_or_else(|| StoreError::UnknownDatabase(scheme(url)))?;
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = format!("sqlite:{path}?mode=rwc").parse()?;
        let writer = pool(1, options.clone(), "PRAGMA synchronous=FULL").await?;
        SQLITE_MIGRATIONS.run(&writer).await?;
        let readers = pool(4, options, "PRAGMA query_only=ON").await?;
        let capability = Arc::new(Capability::builtin()?);
        Ok(Self { writer, readers, clock, capability })
    }

    /// The table its search columns are made from.
    pub fn capability(&self) -> &Arc<Capability> {
        &self.capability
    }

    /// Starts a transaction that writes.
    ///
    /// It takes the write lock at once and waits for it: `admin` may be writing to the same file. A transaction that
    /// reads first and asks for the lock later is refused when somebody wrote in between.
    async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Any>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn pool(size: u32, options: AnyConnectOptions, last: &'static str) -> Result<AnyPool, StoreError> {
    const PRAGMAS: &str = "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000; PRAGMA foreign_keys=ON; \
        PRAGMA cache_size=-16384; PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY;";
    let pool = AnyPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(30))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                connection.execute(PRAGMAS).await?;
                connection.execute(last).await?;
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

fn scheme(url: &str) -> String {
    url.split(':').next().unwrap_or_default().to_owned()
}
