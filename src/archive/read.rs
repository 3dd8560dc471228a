//! Reading an archive by itself: its home and its master key, no database.

use std::collections::HashMap;
use std::sync::Arc;

use super::block::{self, Hash, Packet};
use super::home::{Home, block_at, chain_folder, key_folder};
use super::key::DataKey;
use super::keyring::KeyCopy;
use super::{ArchiveError, ChainKey};
use crate::id::TenantId;

/// What could not be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Number of the block.
    pub number: u64,
    /// Why.
    pub why: String,
}

/// An archive without its database.
#[derive(Debug)]
pub struct Reader {
    home: Arc<dyn Home>,
    keys: HashMap<String, DataKey>,
}

/// The id of the master key that a home's data keys are wrapped by; `None` where there are no keys.
///
/// # Errors
/// The home failed.
pub async fn master_of(home: &dyn Home, tenant: &TenantId) -> Result<Option<String>, ArchiveError> {
    Ok(copies(home, tenant).await?.pop().map(|copy| copy.master))
}

async fn copies(home: &dyn Home, tenant: &TenantId) -> Result<Vec<KeyCopy>, ArchiveError> {
    let mut copies = Vec::new();
    for item in home.files(&key_folder(tenant)).await? {
        let Some(bytes) = home.get(&item.path).await? else { continue };
        let copy = serde_json::from_slice(&bytes);
        copies.push(copy.map_err(|_| ArchiveError::Key(item.path, "the copy of a key is damaged"))?);
    }
    Ok(copies)
}

impl Reader {
    /// Opens a tenant's part of an archive.
    ///
    /// # Errors
    /// The home failed, or a key is not wrapped by this master key.
    pub async fn open(
        home: Arc<dyn Home>,
        master: &super::master::Master,
        tenant: &TenantId,
    ) -> Result<Self, ArchiveError> {
        let mut keys = HashMap::new();
        for copy in copies(&*home, tenant).await? {
            keys.insert(copy.id.clone(), copy.open(master)?);
        }
        Ok(Self { home, keys })
    }

    /// The blocks of a device, in order.
    ///
    /// # Errors
    /// The home failed.
    pub async fn blocks(&self, chain: &ChainKey) -> Result<Vec<(u64, Hash, String)>, ArchiveError> {
        let files = self.home.files(&chain_folder(chain)).await?;
        let block = |item: super::home::Item| block_at(&item.path).map(|(number, name)| (number, name, item.path));
        Ok(files.into_iter().filter_map(block).collect())
    }

    /// The packets of a block, or why they cannot be read.
    ///
    /// # Errors
    /// The home failed.
    pub async fn packets(
        &self,
        (number, name, path): &(u64, Hash, String),
    ) -> Result<Result<Vec<Packet>, Unread>, ArchiveError> {
        let unread = |why: String| Err(Unread { number: *number, why });
        let Some(bytes) = self.home.get(path).await? else { return Ok(unread("it is missing".to_owned())) };
        if Hash::of(&bytes) != *name {
            return Ok(unread("its bytes are not those it is named after".to_owned()));
        }
        let header = match block::header(&bytes) {
            Ok(header) => header,
            Err(error) => return Ok(unread(error.to_string())),
        };
        let Some(key) = self.keys.get(&header.key) else {
            return Ok(unread("its data key is destroyed, or its copy missing".to_owned()));
        };
        Ok(block::open(&bytes, key).map(|(_, packets)| packets).or_else(|error| unread(error.to_string())))
    }
}
