//! Developer keys: `sk_sandbox_…` and `sk_live_…`, shown once and kept as SHA-256.
//!
//! A key has 32 random bytes, so a fast hash is the right one: there is nothing to guess.

use super::scope::{Context, ScopeSet, UnknownScope};
use crate::id::{ResourceId, TenantId};
use crate::secret::Secret;
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
    /// The patient its `patient/` scopes are about.
    pub patient: Option<ResourceId>,
    /// When it stops working.
    pub expires: Option<Instant>,
}

/// Scopes of a key that may do everything its tenant can.
pub(super) const ALL_SCOPES: &str = "system/*.cruds ingest control";

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A scope is none.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// There is no app and nobody signs in.
    #[error("openid, launch and their like are for apps that people use")]
    App,
    /// Scopes about one patient need the patient, and a patient needs them and no others.
    #[error("a key about one patient has a patient and patient/ scopes alone")]
    Patient,
    /// The tenant holds the other kind of patients.
    #[error("{0}: a sandbox key opens tenants that were made by one, a live key the others")]
    Tenant(StoreError),
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the key could not be kept")]
    Store(#[source] StoreError),
}

impl NewKey {
    /// A key for everything in a tenant.
    pub fn for_everything(tenant: TenantId, sandbox: bool) -> Self {
        Self { tenant, sandbox, scope: ALL_SCOPES.to_owned(), patient: None, expires: None }
    }

    /// Makes the key, keeps its hash, and returns the key: the only time it can be seen.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn create(self, store: &Store) -> Result<Secret, KeyError> {
        let scope = ScopeSet::parse_all(&self.scope)?;
        if scope.is_an_apps() {
            return Err(KeyError::App);
        }
        let others =
            scope.has(Context::System) || scope.has(Context::User) || scope.may_ingest() || scope.may_control();
        if scope.has(Context::Patient) != self.patient.is_some() || (self.patient.is_some() && others) {
            return Err(KeyError::Patient);
        }
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|_| KeyError::Random)?;
        let key = Secret::new(format!("sk_{}_{}", if self.sandbox { "sandbox" } else { "live" }, hex::encode(secret)));
        let record = KeyRecord {
            id: super::new_id("key").map_err(|_| KeyError::Random)?,
            tenant: self.tenant,
            sandbox: self.sandbox,
            scope: scope.to_string(),
            patient: self.patient,
            expires: self.expires,
        };
        store.insert_key(&record, &super::hash(key.expose())).await.map_err(|error| match error {
            StoreError::OtherKindOfTenant { .. } => KeyError::Tenant(error),
            other => KeyError::Store(other),
        })?;
        Ok(key)
    }
}
