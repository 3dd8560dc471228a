//! The signing keys of a tenant and their rotation.
//!
//! A new key is published before it signs, so that whoever keeps a copy of the key set knows it by then; an old one is
//! taken until what it signed has expired. The private keys are in the database, which every node shares, so any node's
//! tokens are good at all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant as Moment};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::id::TenantId;
use crate::store::{SigningKeyRecord, Store, StoreError};
use crate::time::{Instant, MICROS};

/// How long a copy of the key set may be kept, and so how long a key is published before it signs.
pub(in crate::auth) const PUBLISHED_S: i64 = 600;

/// How long a key is taken when another one signs: tokens live for half of it.
const OVERLAP_S: i64 = 600;

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

/// A key, ready to be used.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) tenant: TenantId,
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    signs: Instant,
    expires: Option<Instant>,
    jwk: Value,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    fn of(record: &SigningKeyRecord) -> Result<Self, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &record.private, &SystemRandom::new());
        let pair = pair.map_err(|_| KeyError::Damaged)?;
        // Uncompressed: 4, x, y.
        let point = pair.public_key().as_ref();
        let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or(KeyError::Damaged)?;
        let text = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        Ok(Self {
            id: record.id.clone(),
            tenant: record.tenant.clone(),
            private: EncodingKey::from_ec_der(&record.private),
            public: DecodingKey::from_ec_der(point),
            signs: record.signs,
            expires: record.expires,
            jwk: json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": record.id, "x": text(x), "y": text(y),
            }),
        })
    }

    fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
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

    /// The key that signs now; made where there is none.
    pub(super) async fn signing(&self, tenant: &TenantId, now: Instant) -> Result<Arc<Key>, KeyError> {
        let newest = |keys: Vec<Arc<Key>>| keys.into_iter().rfind(|key| key.signs <= now && !key.has_expired(now));
        if let Some(key) = newest(self.of(tenant).await?) {
            return Ok(key);
        }
        self.store.insert_signing_key(&made(tenant, now)?, None).await?;
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

fn made(tenant: &TenantId, signs: Instant) -> Result<SigningKeyRecord, KeyError> {
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    let private = document.map_err(|_| KeyError::Random)?.as_ref().to_vec();
    let id = crate::auth::new_id("sig").map_err(|_| KeyError::Random)?;
    Ok(SigningKeyRecord { id, tenant: tenant.clone(), private, signs, expires: None })
}

/// Makes a new key for a tenant and gives its id: published now, it signs when copies of the key set have been renewed, and
/// those before it are taken until what they signed has expired. `at_once`, for a key that was seen by others, it signs now,
/// and what those before it signed is no longer taken.
///
/// # Errors
/// [`KeyError`].
pub async fn rotate(store: &Store, tenant: &TenantId, now: Instant, at_once: bool) -> Result<String, KeyError> {
    let signs = if at_once { now } else { now.plus(PUBLISHED_S * MICROS) };
    let others_expire = if at_once { now } else { signs.plus(OVERLAP_S * MICROS) };
    let key = made(tenant, signs)?;
    store.insert_signing_key(&key, Some(others_expire)).await?;
    Ok(key.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{Standing, store, tenant};
    use crate::time::Clock as _;

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_an_old_one_is_taken_after() {
        let (_directory, store) = store().await;
        let (keys, tenant, now) = (Keys::new(store.clone()), tenant("a"), Standing.now());
        let first = keys.signing(&tenant, now).await.unwrap();
        assert_eq!(keys.signing(&tenant, now).await.unwrap().id, first.id);
        let second = rotate(&store, &tenant, now, false).await.unwrap();
        keys.forget(&tenant);
        assert_eq!(keys.published(&tenant).await.unwrap()["keys"].as_array().unwrap().len(), 2);
        let later = |seconds: i64| now.plus(seconds * MICROS);
        for (seconds, signs, first_is_taken) in
            [(0, &first.id, true), (599, &first.id, true), (600, &second, true), (1200, &second, false)]
        {
            assert_eq!(keys.signing(&tenant, later(seconds)).await.unwrap().id, *signs, "{seconds}");
            assert_eq!(keys.by_id(&first.id, later(seconds)).await.unwrap().is_some(), first_is_taken, "{seconds}");
        }
        assert!(keys.by_id("sig_none", now).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_key_that_was_seen_by_others_goes_at_once() {
        let (_directory, store) = store().await;
        let (keys, tenant, now) = (Keys::new(store.clone()), tenant("a"), Standing.now());
        let first = keys.signing(&tenant, now).await.unwrap();
        let second = rotate(&store, &tenant, now, true).await.unwrap();
        keys.forget(&tenant);
        assert_eq!(keys.signing(&tenant, now).await.unwrap().id, second);
        assert!(keys.by_id(&first.id, now).await.unwrap().is_none());
        assert!(!format!("{first:?}").contains("private"));
    }
}
