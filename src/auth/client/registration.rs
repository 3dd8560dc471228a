//! Registering clients.

use super::fetch::{FetchError, Fetcher};
use super::jwks::{InvalidKeySet, KeySet};
use crate::auth::scope::{Context, ScopeSet, UnknownScope};
use crate::id::TenantId;
use crate::store::{ClientKeys, ClientRecord, Store, StoreError};

/// What a new client is to be.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Tenant it belongs to.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Most it may be granted, blank-separated.
    pub scope: String,
    /// Its public keys.
    pub keys: ClientKeys,
}

/// Why no client was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// A scope is none.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// A backend service acts for nobody.
    #[error("a backend client has system/ scopes, ingest and control, and at least one of them")]
    Context,
    /// The name is nobody's.
    #[error("a name must have 1 to 200 characters, none of them a control character")]
    Name,
    /// Its keys cannot be used.
    #[error("jwks: {0}")]
    Keys(#[from] InvalidKeySet),
    /// The URL of its keys is not asked.
    #[error(transparent)]
    Url(#[from] FetchError),
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the client could not be kept")]
    Store(#[from] StoreError),
}

impl NewClient {
    /// Registers the client and gives what is kept of it, its id among it.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn register(self, store: &Store, fetcher: &Fetcher) -> Result<ClientRecord, RegistrationError> {
        let scope = ScopeSet::parse_all(&self.scope)?;
        if scope.is_empty() || scope.has(Context::Patient) || scope.has(Context::User) {
            return Err(RegistrationError::Context);
        }
        if self.name.is_empty() || self.name.chars().count() > 200 || self.name.chars().any(char::is_control) {
            return Err(RegistrationError::Name);
        }
        match &self.keys {
            ClientKeys::Value(set) => drop(KeySet::parse(set)?),
            ClientKeys::Url(url) => fetcher.check(url)?,
        }
        let id = crate::auth::new_id("client").map_err(|_| RegistrationError::Random)?;
        let scope = scope.to_string();
        let client = ClientRecord { id, tenant: self.tenant, name: self.name, scope, keys: self.keys };
        store.insert_client(&client).await?;
        Ok(client)
    }
}
