//! Secrets of others that the server needs in the clear, such as the client secret an EHR gave it: sealed with AES-256-GCM
//! under a data key of their tenant, which the master key wraps as it does those of the archive, and which follows every
//! rotation of the master key. No rule of retention destroys it.
//!
//! Sealed is: 16 bytes of key id, 12 of random nonce, the content, 16 of tag. Tenant and place are the associated data, so that
//! what is sealed in one place cannot pass for another's.

use std::sync::Arc;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::key::{DataKey, random};
use super::master::MasterError;
use super::{ArchiveError, KeyUse, Keyring, Settings};
use crate::id::TenantId;
use crate::store::Store;
use crate::time::Clock;

/// What may go wrong with sealed values.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The vault failed.
    #[error("the vault")]
    Vault(#[from] ArchiveError),
    /// What was sealed is not what this version seals.
    #[error("what was sealed is damaged")]
    Damaged,
}

/// Bytes of a key's id.
const ID: usize = 16;

/// Seals and opens secrets. Cheap to clone. The keys are looked for when they are needed, so that a home of the archive that
/// cannot be reached keeps no server from starting.
#[derive(Clone)]
pub struct Vault {
    settings: Arc<Settings>,
    store: Store,
    clock: Arc<dyn Clock>,
    keyring: Arc<Mutex<Option<Keyring>>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Keys of the archive with these settings.
    pub fn new(settings: Settings, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { settings: Arc::new(settings), store, clock, keyring: Arc::default() }
    }

    /// Seals something that is kept in a place.
    ///
    /// # Errors
    /// The master key or the archive's home is not to be had, or the database failed.
    pub async fn seal(&self, tenant: &TenantId, place: &str, plain: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        self.sealer(tenant).await?.seal(place, plain)
    }

    /// What seals secrets of a tenant without another look at the database: for within a transaction.
    ///
    /// # Errors
    /// The master key or the archive's home is not to be had, or the database failed.
    pub async fn sealer(&self, tenant: &TenantId) -> Result<Sealer, ArchiveError> {
        let keyring = self.keyring().await?;
        let current = keyring.current(tenant, KeyUse::Secrets).await;
        let (id, key) = match current {
            // Another process made the first one at the same moment.
            Err(ArchiveError::Key(..)) => keyring.current(tenant, KeyUse::Secrets).await?,
            current => current?,
        };
        let damaged = || ArchiveError::System("a data key has no id of its own".to_owned());
        let id: [u8; ID] = hex::decode(&id).ok().and_then(|id| id.try_into().ok()).ok_or_else(damaged)?;
        Ok(Sealer { tenant: tenant.clone(), id, key })
    }

    /// Opens what was sealed in a place.
    ///
    /// # Errors
    /// It was sealed elsewhere or is damaged; the master key is not to be had, or the database failed.
    pub async fn open(
        &self,
        tenant: &TenantId,
        place: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ArchiveError> {
        let damaged = || ArchiveError::System("a sealed secret is damaged".to_owned());
        let (id, rest) = sealed.split_first_chunk::<ID>().ok_or_else(damaged)?;
        let (nonce, rest) = rest.split_first_chunk::<12>().ok_or_else(damaged)?;
        let key = self.keyring().await?.get(&hex::encode(id)).await?.ok_or_else(damaged)?;
        let mut content = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length =
            cipher(&key)?.open_in_place(nonce, label(tenant, place), &mut content).map_err(|_| damaged())?.len();
        content.truncate(length);
        Ok(content)
    }

    /// Seals a value as JSON; it is overwritten in memory.
    ///
    /// # Errors
    /// As [`Self::seal`], or it has no JSON.
    pub async fn seal_json(
        &self,
        tenant: &TenantId,
        place: &str,
        value: &impl Serialize,
    ) -> Result<Vec<u8>, SealError> {
        let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| SealError::Damaged)?);
        Ok(self.seal(tenant, place, &plain).await?)
    }

    /// Opens what was sealed as JSON.
    ///
    /// # Errors
    /// As [`Self::open`], or it is something else.
    pub async fn open_json<T: DeserializeOwned>(
        &self,
        tenant: &TenantId,
        place: &str,
        sealed: &[u8],
    ) -> Result<T, SealError> {
        let plain = self.open(tenant, place, sealed).await?;
        serde_json::from_slice(&plain).map_err(|_| SealError::Damaged)
    }

    async fn keyring(&self) -> Result<Keyring, ArchiveError> {
        let mut known = self.keyring.lock().await;
        if let Some(keyring) = known.as_ref() {
            // The master key may have been rotated since.
            let current = self.store.archive_master().await?;
            if keyring.check(current.as_deref()).is_ok() {
                return Ok(keyring.clone());
            }
        }
        let opened = self.settings.open(&self.store, Arc::clone(&self.clock)).await?;
        Ok(known.insert(opened.keyring().clone()).clone())
    }
}

/// A tenant's key in hand.
#[derive(Debug)]
pub struct Sealer {
    tenant: TenantId,
    id: [u8; ID],
    key: DataKey,
}

impl Sealer {
    /// Seals something that is kept in a place.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let nonce = random::<12>().map_err(MasterError::from)?;
        let mut sealed = plain.to_vec();
        cipher(&self.key)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), label(&self.tenant, place), &mut sealed)
            .map_err(|_| ArchiveError::System("a secret cannot be sealed".to_owned()))?;
        Ok([&self.id[..], &nonce, &sealed].concat())
    }
}

fn cipher(key: &DataKey) -> Result<LessSafeKey, ArchiveError> {
    let unbound = UnboundKey::new(&AES_256_GCM, key.bytes());
    unbound.map(LessSafeKey::new).map_err(|_| ArchiveError::System("a data key is damaged".to_owned()))
}

fn label(tenant: &TenantId, place: &str) -> Aad<Vec<u8>> {
    Aad::from(format!("afferent secret 1\0{tenant}\0{place}").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Given;
    use crate::archive::master::FileMaster;
    use crate::store::Act;
    use crate::store::fixture::{Standing, store, tenant};

    #[tokio::test]
    async fn what_is_sealed_opens_in_its_place_alone_and_after_a_rotation_of_the_master_key() {
        let (directory, store) = store().await;
        let settings = Given::default().build(directory.path()).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(Standing);
        let vault = Vault::new(settings.clone(), store.clone(), Arc::clone(&clock));
        let (a, b) = (tenant("a"), tenant("b"));
        let sealed = vault.seal(&a, "oauth-provider/x", b"hunter2").await.unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(vault.open(&a, "oauth-provider/x", &sealed).await.unwrap().as_slice(), b"hunter2");
        assert!(vault.open(&a, "oauth-provider/y", &sealed).await.is_err());
        assert!(vault.open(&b, "oauth-provider/x", &sealed).await.is_err());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(vault.open(&a, "oauth-provider/x", &changed).await.is_err(), "byte {at}");
        }
        let archive = settings.open(&store, Arc::clone(&clock)).await.unwrap();
        let master: crate::archive::master::Master = Arc::new(FileMaster::create(&settings.key_directory()).unwrap());
        let act = Act { who: "t", action: "rotate", tenant: None, device: None, period: None, detail: "" };
        assert_eq!(archive.keyring().rewrap(&master, act).await.unwrap(), 1);
        assert_eq!(vault.open(&a, "oauth-provider/x", &sealed).await.unwrap().as_slice(), b"hunter2");
    }
}
