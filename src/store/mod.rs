//! The one home of SQL. SQLite (WAL) by default; the same portable SQL with `$n` parameters runs on PostgreSQL. What
//! differs is in `migrations/` and [`dialect`]; [`lease`] is for several processes and so for PostgreSQL alone.
//!
//! SQLite: one connection writes, many read. Packets are appended by one transaction at a time on both, which is also what
//! makes group commit work: while one transaction is being made durable the next one gathers.
#![expect(clippy::disallowed_methods, reason = "the one home of SQL")]

mod alert;
mod archive;
mod association;
mod body;
mod checkpoint;
mod claim;
mod clock;
mod commit;
mod compare;
mod connection;
mod contribution;
pub mod date;
pub mod delivery;
mod developer_key;
mod device_link;
mod dialect;
mod draft;
mod error;
mod fits;
#[cfg(test)]
pub(crate) mod fixture;
mod heartbeat;
mod held;
mod history;
mod index;
mod journal;
mod judge;
mod lease;
mod log;
mod misplaced;
mod oauth;
mod orphan;
mod program;
mod read;
mod resource;
mod raised;
mod retract;
pub mod search;
mod series;
mod sql;
mod statement;
mod storage;
mod subscription;
mod table;
mod tenant;
#[cfg(test)]
mod tests;
mod text;
mod write;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyPool, Connection as _, Executor, Transaction};
use tokio::sync::{Notify, Semaphore};

pub use alert::{
    Alert, AlertKind, AlertState, Channel, ChannelKind, Dispatch, DispatchState, NewAlert, Sending, Severity, Unsealed,
};
pub use archive::{
    Act, ArchiveBlock, ArchiveHead, ArchiveKey, ArchiveTotals, ArchiveWriter, AuditRecord, Deletion, LegalHold, Mark,
    RetentionRule,
};
pub use association::{Associations, EpisodeDevice};
pub use checkpoint::Checkpoint;
pub use claim::Claim;
pub use clock::KnownClock;
pub use commit::{Commit, Committed, Joint};
pub use compare::Change;
pub use connection::{Connection, ConnectionKind, KeptConnection};
pub use contribution::{Contribution, Meeting};
pub use developer_key::KeyRecord;
pub use draft::Draft;
pub use error::StoreError;
pub use heartbeat::while_held;
pub use held::{Held, HeldKind, HeldState, Kept, NewHeld, PacketRange, Settled};
pub use history::{Place, Versions};
pub use index::{OF_TYPE, identifier_of, normalize_reference, text_of};
pub use journal::{Appended, Entry, NewEntry, StreamId, StreamKey, Stretch};
pub use lease::{Holder, Lease};
pub use oauth::{
    ClientKeys, ClientRecord, GrantRecord, PersonRecord, Redeemed, RequestRecord, SigningAlgorithm, SigningKeyRecord,
    Ticket, TicketKind, Used,
};
pub use orphan::Orphans;
pub use program::{
    Closing, Count, Counted, Due, EpisodeDevices, ExportTrigger, Opening, Page, Project, Refusal, Shown, TriggerKey,
    TriggerState, Waiting, Written,
};
pub use raised::Raised;
pub use read::Stored;
pub use resource::{Origin, Upserted};
pub use series::Series;
pub use statement::Statement;
pub use storage::Storage;
pub use subscription::{
    Binding, ChannelType, Content, Definition, EVENTS_KEPT_US, HookChannel, Matched, NewEvent, NewSubscription,
    NotedChange, SubscriptionCounts, SubscriptionEvent, SubscriptionRecord, SubscriptionStatus, TakenSubscription,
    UnsealedSubscription, Watch, WatchedSubscription,
};
pub use tenant::TenantFacts;
pub use write::{Condition, Effect, Found, Head, Known, Put, Writing, new_id};

use crate::capability::Capability;
use crate::conformant::Validator;
use crate::time::Clock;
use body::Bodies;
use dialect::{Dialect, Role};

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    /// What judges resources that are computed.
    validator: Option<Arc<Validator>>,
}

/// What the clones of a [`Store`] share.
pub struct Shared {
    dialect: Dialect,
    writer: AnyPool,
    readers: AnyPool,
    clock: Arc<dyn Clock>,
    /// Which elements of a resource are searchable.
    capability: Arc<Capability>,
    /// How their tails are written.
    bodies: Bodies,
    /// What this process is called where several share the database.
    process: Arc<str>,
    /// Something was written that may be an event.
    written: Notify,
    /// For each client that may write at the same time, and for each that may wait to.
    turns: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    /// Writing transactions that were started.
    transactions: AtomicU64,
}

/// Most clients that wait to write.
const MOST_WAITING: usize = 1024;

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

impl std::ops::Deref for Store {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Store {
    /// Opens the database at `url` (`sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`), migrating it and making its search
    /// indexes again as needed; a file is created.
    ///
    /// # Errors
    /// The URL is not one of a known database, it cannot be opened, or a migration fails.
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let dialect = Dialect::of(url)?;
        sqlx::any::install_default_drivers();
        let options: AnyConnectOptions = dialect.address(url).parse()?;
        let writer = pool(dialect, Role::Write, options.clone()).await?;
        dialect.migrator().run(&writer).await?;
        let readers = pool(dialect, Role::Read, options).await?;
        let capability = Arc::new(Capability::builtin()?);
        let turns = Arc::new(Semaphore::new(dialect.client_writers()));
        let waiting = Arc::new(Semaphore::new(MOST_WAITING));
        let (bodies, process) = (Bodies::default(), process_name()?);
        bodies.load(&readers).await?;
        let transactions = AtomicU64::new(0);
        let written = Notify::new();
        let shared = Shared {
            dialect,
            writer,
            readers,
            clock,
            capability,
            bodies,
            process,
            written,
            turns,
            waiting,
            transactions,
        };
        let store = Self { shared: Arc::new(shared), validator: None };
        if let Some(statement) = dialect.tend_log() {
            tokio::spawn(log::tend(Arc::downgrade(&store.shared), statement));
        }
        store.keep_indexes().await?;
        Ok(store)
    }

    /// The table its search columns are made from.
    pub fn capability(&self) -> &Arc<Capability> {
        &self.capability
    }

    /// Waits until something was written here that may be an event.
    pub async fn written(&self) {
        self.written.notified().await;
    }

    /// Whether other processes may be at work on the same database.
    pub fn is_shared(&self) -> bool {
        self.dialect.is_shared()
    }

    async fn begin_with(&self, statement: &'static str) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        self.writer.begin_with(statement).await
    }

    /// Starts a transaction that writes.
    async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        self.begin_with(self.dialect.begin()).await
    }

    /// Starts a transaction that writes and may give rows their numbers: the only one that does, until it ends.
    async fn begin_numbering(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        let mut tx = self.begin().await?;
        if let Some(lock) = self.dialect.numbering() {
            sqlx::query(lock).execute(&mut *tx).await?;
        }
        Ok(tx)
    }

    /// Waits for running statements and closes the database.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

async fn pool(dialect: Dialect, role: Role, options: AnyConnectOptions) -> Result<AnyPool, StoreError> {
    let (most, patience_s) = dialect.pool(role);
    let pool = AnyPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(patience_s))
        .test_before_acquire(dialect.may_be_away())
        // When a disk is full SQLite ends a transaction by itself, and sqlx takes the connection to be in it ever after.
        .before_acquire(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        .after_connect(move |connection, _| {
            Box::pin(async move {
                for statement in dialect.settings(role) {
                    connection.execute(*statement).await?;
                }
                Ok(())
            })
        })
        .connect_with(options)
        .await?;
    Ok(pool)
}

/// A name no other process has.
fn process_name() -> Result<Arc<str>, StoreError> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).map_err(|_| StoreError::Random)?;
    Ok(hex::encode(random).into())
}
