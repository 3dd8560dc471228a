//! Developer keys: `sk_sandbox_…` and `sk_live_…`, shown once and kept as SHA-256.
//!
//! A key has 32 random bytes, so a fast hash is the right one: there is nothing to guess.

use crate::id::TenantId;
use crate::store::{KeyRecord, Store, StoreError};
use crate::time::Instant;

/// What a new key is to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Tenant it opens.
    pub tenant: TenantId,
    /// Whether it may touch synthetic patients only.
    pub sandbox: bool,
    /// Blank-separated scopes.
    pub scope: String,
    /// When it stops working.
    pub expires: Option<Instant>,
}

/// Scopes of a key that may do everything its tenant can.
pub(super) const ALL_SCOPES: &str = "system/*.cruds ingest control";

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the key could not be kept")]
    Store(#[from] StoreError),
}

impl NewKey {
    /// A key for everything in a tenant.
    pub fn for_everything(tenant: TenantId, sandbox: bool) -> Self {
        Self { tenant, sandbox, scope: ALL_SCOPES.to_owned(), expires: None }
    }

    /// Makes the key, keeps its hash, and returns the key: the only time it can be seen.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn create(self, store: &Store) -> Result<String, KeyError> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|_| KeyError::Random)?;
        let mut id = [0_u8; 8];
        getrandom::fill(&mut id).map_err(|_| KeyError::Random)?;
        let key = format!("sk_{}_{}", if self.sandbox { "sandbox" } else { "live" }, hex::encode(secret));
        let record = KeyRecord {
            id: format!("key_{}", hex::encode(id)),
            tenant: self.tenant,
            sandbox: self.sandbox,
            scope: self.scope,
            expires: self.expires,
        };
        store.insert_key(&record, &super::hash(&key)).await?;
        Ok(key)
    }
}
