//! The signing keys of a tenant and their rotation.
//!
//! A new key is published before it signs, so that whoever keeps a copy of the key set knows it by then; an old one is
//! taken until what it signed has expired. The private keys are in the database, which every node shares, so any node's
//! tokens are good at all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use serde_json::{Value, json};

use super::key::{Key, made};
use crate::id::TenantId;
use crate::store::{SigningAlgorithm, Store, StoreError};
use crate::time::{Instant, MICROS};

/// How long a copy of the key set may be kept, and so how long a key is published before it signs.
pub(in crate::auth) const PUBLISHED_S: i64 = 600;

/// How long a key is taken when another one signs: the tokens of apps live for an hour.
const OVERLAP_S: i64 = 4200;

/// How long what was read of a tenant's keys is taken for good.
const TRUST: Duration = Duration::from_secs(5);

/// Tenants whose keys are remembered.
const REMEMBERED: usize = 4096;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// What is stored is no key.
    #[error("the signing key is damaged")]
    Damaged,
    /// The store failed.
    #[error("the signing keys could not be read or kept")]
    Store(#[from] StoreError),
}

type OfTenant = (Moment, Vec<Arc<Key>>);

/// The signing keys of all tenants.
#[derive(Clone)]
pub struct Keys {
    store: Store,
    read: Arc<Mutex<BTreeMap<TenantId, OfTenant>>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

impl Keys {
    pub(in crate::auth) fn new(store: Store) -> Self {
        Self { store, read: Arc::default() }
    }

    /// The key that signs so now; made where there is none.
    pub(super) async fn signing(
        &self,
        tenant: &TenantId,
        algorithm: SigningAlgorithm,
        now: Instant,
    ) -> Result<Arc<Key>, KeyError> {
        let signs = |key: &Arc<Key>| key.algorithm == algorithm && key.signs <= now && !key.has_expired(now);
        let newest = |keys: Vec<Arc<Key>>| keys.into_iter().rfind(signs);
        if let Some(key) = newest(self.of(tenant).await?) {
            return Ok(key);
        }
        self.store.insert_signing_key(&made(tenant, algorithm, now).await?, None).await?;
        self.forget(tenant);
        newest(self.of(tenant).await?).ok_or(KeyError::Damaged)
    }

    /// The key with this id, which says nothing about whose it is.
    pub(super) async fn by_id(&self, id: &str, now: Instant) -> Result<Option<Arc<Key>>, KeyError> {
        let known = |key: &&Arc<Key>| key.id == id && !key.has_expired(now);
        {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh = read.values().filter(|(at, _)| at.elapsed() < TRUST);
            if let Some(key) = fresh.flat_map(|(_, keys)| keys).find(known) {
                return Ok(Some(Arc::clone(key)));
            }
        }
        let Some(record) = self.store.signing_key(id).await? else { return Ok(None) };
        Ok(self.of(&record.tenant).await?.iter().find(known).cloned())
    }

    /// The public keys of a tenant as a JWK Set.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn published(&self, tenant: &TenantId) -> Result<Value, KeyError> {
        let keys: Vec<Value> = self.of(tenant).await?.iter().map(|key| key.jwk.clone()).collect();
        Ok(json!({ "keys": keys }))
    }

    async fn of(&self, tenant: &TenantId) -> Result<Vec<Arc<Key>>, KeyError> {
        {
            let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, keys)) = read.get(tenant).filter(|(at, _)| at.elapsed() < TRUST) {
                return Ok(keys.clone());
            }
        }
        let records = self.store.signing_keys(tenant).await?;
        let keys = records.iter().map(|record| Key::of(record).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        if !keys.is_empty() {
            let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
            if read.len() >= REMEMBERED {
                read.clear();
            }
            read.insert(tenant.clone(), (Moment::now(), keys.clone()));
        }
        Ok(keys)
    }

    fn forget(&self, tenant: &TenantId) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
    }
}

/// Makes new keys for a tenant, one for each use there was one for, and gives their ids: published now, they sign when copies
/// of the key set have been renewed, and those before them are taken until what they signed has expired. `at_once`, for keys that were seen by
/// others, they sign now, and what those before them signed is no longer taken.
///
/// # Errors
/// [`KeyError`].
pub async fn rotate(store: &Store, tenant: &TenantId, now: Instant, at_once: bool) -> Result<Vec<String>, KeyError> {
    let signs = if at_once { now } else { now.plus(PUBLISHED_S * MICROS) };
    let others_expire = if at_once { now } else { signs.plus(OVERLAP_S * MICROS) };
    let has_rsa = store.signing_keys(tenant).await?.iter().any(|key| key.algorithm == SigningAlgorithm::Rs256);
    let mut ids = Vec::new();
    for algorithm in [Some(SigningAlgorithm::Es256), has_rsa.then_some(SigningAlgorithm::Rs256)].into_iter().flatten() {
        let key = made(tenant, algorithm, signs).await?;
        store.insert_signing_key(&key, Some(others_expire)).await?;
        ids.push(key.id);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SigningAlgorithm::{Es256, Rs256};
    use crate::store::fixture::{Standing, store, tenant};
    use crate::time::Clock as _;

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_an_old_one_is_taken_after() {
        let (_directory, store) = store().await;
        let (keys, tenant, now) = (Keys::new(store.clone()), tenant("a"), Standing.now());
        let first = keys.signing(&tenant, Es256, now).await.unwrap();
        assert_eq!(keys.signing(&tenant, Es256, now).await.unwrap().id, first.id);
        let second = rotate(&store, &tenant, now, false).await.unwrap().remove(0);
        keys.forget(&tenant);
        assert_eq!(keys.published(&tenant).await.unwrap()["keys"].as_array().unwrap().len(), 2);
        let later = |seconds: i64| now.plus(seconds * MICROS);
        for (seconds, signs, first_is_taken) in [
            (0, &first.id, true),
            (599, &first.id, true),
            (600, &second, true),
            (4799, &second, true),
            (4800, &second, false),
        ] {
            assert_eq!(keys.signing(&tenant, Es256, later(seconds)).await.unwrap().id, *signs, "{seconds}");
            assert_eq!(keys.by_id(&first.id, later(seconds)).await.unwrap().is_some(), first_is_taken, "{seconds}");
        }
        assert!(keys.by_id("sig_none", now).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_that_was_seen_by_others_goes_at_once() {
        let (_directory, store) = store().await;
        let (keys, tenant, now) = (Keys::new(store.clone()), tenant("a"), Standing.now());
        let first = keys.signing(&tenant, Es256, now).await.unwrap();
        let second = rotate(&store, &tenant, now, true).await.unwrap().remove(0);
        keys.forget(&tenant);
        assert_eq!(keys.signing(&tenant, Es256, now).await.unwrap().id, second);
        assert!(keys.by_id(&first.id, now).await.unwrap().is_none());
        assert!(!format!("{first:?}").contains("private"));
    }

    #[tokio::test]
    async fn id_tokens_have_a_key_of_their_own_which_is_renewed_with_the_other() {
        let (_directory, store) = store().await;
        let (keys, tenant, now) = (Keys::new(store.clone()), tenant("a"), Standing.now());
        let rsa = keys.signing(&tenant, Rs256, now).await.unwrap();
        let ecdsa = keys.signing(&tenant, Es256, now).await.unwrap();
        assert_ne!(rsa.id, ecdsa.id);
        let published = keys.published(&tenant).await.unwrap();
        let jwk = published["keys"].as_array().unwrap().iter().find(|jwk| jwk["kid"] == rsa.id.as_str()).unwrap();
        assert_eq!((&jwk["kty"], &jwk["alg"], jwk["n"].as_str().unwrap().len()), (&json!("RSA"), &json!("RS256"), 342));
        assert!(jwk.get("d").is_none());
        assert_eq!(rotate(&store, &tenant, now, true).await.unwrap().len(), 2);
    }
}
