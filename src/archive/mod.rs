//! The raw archive: every acknowledged packet, in blocks that are written once, encrypted and chained.
//!
//! ```text
//! journal --archivist--> block (zstd, AES-256-GCM) --> home: directory, or S3 with Object Lock
//!                          |
//!                          +-- names the device's block before it; the newest name stands in the database
//! ```
//! Ingest knows nothing of it: what is durable in the journal is acknowledged, and the archivist follows. `docs/archive.md`
//! tells what it proves and what it cannot.

pub mod archivist;
pub mod block;
pub mod given;
pub mod home;
pub mod key;
pub mod keyring;
pub mod master;
mod period;
pub mod read;
pub mod retention;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod vault;
pub mod verify;

use std::sync::Arc;

pub use archivist::Archivist;
pub use given::Given;
pub use home::Home;
pub use keyring::Keyring;
pub use period::{KeyUse, Period};
pub use settings::Settings;
pub use vault::{SealError, Sealer, Vault};

use crate::id::{DeviceKey, TenantId};
use crate::store::{Store, StoreError};
use block::BlockError;
use home::HomeError;
use master::MasterError;

/// Whose blocks follow each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainKey {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
}

/// The archive of a database: where its blocks are, and the keys to them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    store: Store,
    home: Arc<dyn Home>,
    keyring: Keyring,
}

impl Archive {
    /// The archive in this home, with its keys under this master key.
    pub fn new(store: Store, home: Arc<dyn Home>, master: master::Master) -> Self {
        let keyring = Keyring::new(store.clone(), Arc::clone(&home), master);
        Self { store, home, keyring }
    }

    /// Its keys.
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }
}

/// Why the archive did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The home failed.
    #[error("archive home")]
    Home(#[from] HomeError),
    /// There is no use of the master key.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// A block cannot be made.
    #[error("archive block")]
    Block(#[from] BlockError),
    /// A data key is not there.
    #[error("data key {0}: {1}")]
    Key(String, &'static str),
    /// The clock, a thread or randomness failed.
    #[error("{0}")]
    System(String),
}
