//! What can go wrong in the store.

use crate::id::{DeviceKey, EpisodeId};

/// A failed store call.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL has a scheme this server has no code for.
    #[error("no database driver for {0}: use sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME")]
    UnknownDatabase(String),
    /// The database refused or could not be reached.
    #[error("database failed")]
    Database(#[from] sqlx::Error),
    /// The schema could not be brought up to date.
    #[error("migration failed")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// A resource could not be written as FHIR.
    #[error("resource cannot be stored")]
    Resource(#[from] crate::fhir::json::WriteError),
    /// The table of search parameters is at fault.
    #[error("search parameters cannot be indexed")]
    Capability(#[from] crate::capability::CapabilityError),
    /// The control plane cannot hold it.
    #[error(transparent)]
    Refused(#[from] super::Refusal),
    /// A page would bring too much along.
    #[error("the page would include more than {most} resources")]
    TooMany {
        /// Most it may include.
        most: usize,
    },
    /// A chain leads over too many resources, or a search has too many values.
    #[error("more than {most} values or resources are on the way; ask for less")]
    TooBroad {
        /// The parameter that leads there.
        parameter: String,
        /// Most it may lead over.
        most: usize,
    },
    /// A device can be part of one episode at a time.
    #[error("device {device} is part of episode {episode} at that time")]
    InAnotherEpisode {
        /// The device.
        device: DeviceKey,
        /// The episode it is part of.
        episode: EpisodeId,
    },
    /// As many clients as may wait to write are waiting.
    #[error("too many clients are waiting to write")]
    Busy,
    /// Another process may be archiving by now.
    #[error("the right to add to the archive is gone")]
    NotArchiving,
    /// The process cannot be given a name of its own.
    #[error("no randomness to be had")]
    Random,
    /// A tenant holds synthetic patients alone, or real ones; a key for the others does not open it.
    #[error("the tenant holds {} patients", patients(*.synthetic))]
    OtherKindOfTenant {
        /// What it holds.
        synthetic: bool,
    },
    /// A stored value is not what this version wrote.
    #[error("stored {what} is damaged")]
    Damaged {
        /// Which value.
        what: &'static str,
    },
}

fn patients(synthetic: bool) -> &'static str {
    if synthetic { "synthetic" } else { "real" }
}

impl StoreError {
    /// Whether the store was closed: the server is stopping.
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Database(sqlx::Error::PoolClosed))
    }

    /// Whether the database cannot be reached for now: the same call may succeed a little later.
    pub fn is_away(&self) -> bool {
        let Self::Database(error) = self else { return false };
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                true
            }
            // Connection exceptions; too many connections; shut down, crashed, or starting.
            sqlx::Error::Database(error) => error.code().is_some_and(|code| {
                code.len() == 5 && (code.starts_with("08") || code == "53300" || code.starts_with("57P"))
            }),
            _ => false,
        }
    }

    /// Whether there is no space left to write to.
    pub fn is_full(&self) -> bool {
        const SQLITE_FULL: &str = "13";
        const DISK_FULL: &str = "53100";
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| [SQLITE_FULL, DISK_FULL].contains(&&*code))
    }

    /// Whether a transaction only lost a race against another process: done again, it finds what that one wrote.
    pub fn is_contention(&self) -> bool {
        const DEADLOCK: &str = "40P01";
        const SERIALIZATION: &str = "40001";
        const UNIQUE: &str = "23505";
        let Self::Database(sqlx::Error::Database(error)) = self else { return false };
        error.code().is_some_and(|code| [DEADLOCK, SERIALIZATION, UNIQUE].contains(&&*code))
    }
}
