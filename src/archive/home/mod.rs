//! Where blocks are kept: a directory, or S3 with Object Lock.
//!
//! ```text
//! t-TENANT/d-DEVICE/NUMBER-NAME.block    a block; NUMBER in ten digits, NAME the SHA-256 of its bytes
//! t-TENANT/keys/ID.json                  a wrapped data key, as the database has it
//! ```
//! Blocks are written once and locked. Copies of keys are replaced when the master key is rotated, and removed to destroy
//! what they open.

mod local;
mod s3;
#[cfg(test)]
pub(in crate::archive) mod tests;

use async_trait::async_trait;

pub use local::LocalHome;
pub use s3::{Lock, Mode, S3Home, S3Settings};

use super::ChainKey;
use super::block::Hash;
use crate::id::{DeviceKey, TenantId};

/// What became of something to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, or never was.
    Gone,
    /// The home does not permit it yet.
    Locked,
}

/// A file and its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    /// Its path.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// Why a home did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// There is something else under the name.
    #[error("{0}: there is another file of this name")]
    Taken(String),
    /// The disk failed.
    #[error("{path}")]
    Disk {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// S3 failed.
    #[error("S3")]
    S3(#[from] object_store::Error),
    /// S3 answered what it should not.
    #[error("S3: {0}")]
    Answer(String),
    /// A setting is wrong or missing.
    #[error("{0}")]
    Settings(String),
}

/// A place for blocks.
#[async_trait]
pub trait Home: Send + Sync + std::fmt::Debug {
    /// Writes a block, durably, under a name that is not taken. The same bytes under it are fine.
    async fn create(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError>;

    /// Writes a copy of a key, durably, in place of what was there.
    async fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError>;

    /// A file's bytes, if it is there.
    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, HomeError>;

    /// The files right in a folder, in order.
    async fn files(&self, folder: &str) -> Result<Vec<Item>, HomeError>;

    /// The names of the folders right in a folder, in order; the top is "".
    async fn folders(&self, folder: &str) -> Result<Vec<String>, HomeError>;

    /// Removes a file in all its versions, if the home permits it.
    async fn remove(&self, path: &str) -> Result<Removal, HomeError>;

    /// Removes what a writer that was killed left half-written, where that can be.
    async fn tidy(&self) -> Result<(), HomeError> {
        Ok(())
    }
}

/// The folder of a device's blocks.
pub fn chain_folder(chain: &ChainKey) -> String {
    format!("t-{}/d-{}", chain.tenant, chain.device)
}

/// Where a block is.
pub fn block_path(chain: &ChainKey, number: u64, name: &Hash) -> String {
    format!("{}/{number:010}-{name}.block", chain_folder(chain))
}

/// Number and name of the block at a path; `None` where it is no block's path.
pub fn block_at(path: &str) -> Option<(u64, Hash)> {
    let (number, name) = path.rsplit('/').next()?.strip_suffix(".block")?.split_once('-')?;
    Some((number.parse().ok()?, Hash::try_from(name.to_owned()).ok()?))
}

/// The folder of a tenant's keys.
pub fn key_folder(tenant: &TenantId) -> String {
    format!("t-{tenant}/keys")
}

/// Where the copy of a key is.
pub fn key_path(tenant: &TenantId, id: &str) -> String {
    format!("{}/{id}.json", key_folder(tenant))
}

/// Every tenant and device a home has a folder of.
///
/// # Errors
/// The home failed.
pub async fn chains(home: &dyn Home) -> Result<Vec<ChainKey>, HomeError> {
    let mut chains = Vec::new();
    for folder in home.folders("").await? {
        let Some(tenant) = folder.strip_prefix("t-").and_then(|name| TenantId::new(name).ok()) else { continue };
        for name in home.folders(&folder).await? {
            if let Some(device) = name.strip_prefix("d-").and_then(|name| DeviceKey::new(name).ok()) {
                chains.push(ChainKey { tenant: tenant.clone(), device });
            }
        }
    }
    Ok(chains)
}
