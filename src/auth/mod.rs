//! Who may do what: developer keys and their scopes.

mod grant;
mod key;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

pub use grant::{Access, Grant, ScopeSet};
pub use key::{KeyError, NewKey};

use crate::problem::Problem;
use crate::store::{KeyRecord, Store, StoreError};
use crate::time::Clock;

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No `Authorization: Bearer` header.
    #[error("a bearer token is needed: Authorization: Bearer sk_…")]
    Missing,
    /// The token is unknown, expired or revoked; which one is nobody's business.
    #[error("the bearer token is not valid")]
    Invalid,
    /// The store failed.
    #[error("the token could not be checked")]
    Store(#[from] StoreError),
}

/// What a caller outside the FHIR paths is told.
impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing | Denied::Invalid => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", denied.to_string())
            }
            Denied::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "token could not be checked");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(1)
            }
        }
    }
}

/// How long a key that was found is taken for good without asking again: devices send every second, and each asks.
const TRUST: Duration = Duration::from_secs(1);
/// Keys that are remembered so.
const REMEMBERED: usize = 4096;

/// Checks bearer tokens.
#[derive(Clone)]
pub struct Auth {
    store: Store,
    clock: Arc<dyn Clock>,
    found: Arc<Mutex<Found>>,
}

/// Keys by their hash, with when they were found.
type Found = BTreeMap<[u8; 32], (Instant, KeyRecord)>;

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Auth {
    /// Checks against this store.
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, found: Arc::default() }
    }

    /// What the bearer of this `Authorization` header may do.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn authenticate(&self, header: Option<&HeaderValue>) -> Result<Grant, Denied> {
        let header = header.ok_or(Denied::Missing)?.to_str().map_err(|_| Denied::Invalid)?;
        let (scheme, token) = header.split_once(' ').ok_or(Denied::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Missing);
        }
        self.authenticate_token(token.trim()).await
    }

    /// What the bearer of this token may do. A key that is revoked is good for a second more.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn authenticate_token(&self, token: &str) -> Result<Grant, Denied> {
        // Looked up by hash, so the time it takes tells nothing about the key.
        let hash = hash(token);
        let record = match self.remembered(&hash) {
            Some(record) => record,
            None => self.remember(hash, self.store.find_key(&hash).await?.ok_or(Denied::Invalid)?),
        };
        if record.expires.is_some_and(|at| at <= self.clock.now()) {
            return Err(Denied::Invalid);
        }
        Ok(Grant {
            tenant: record.tenant,
            sandbox: record.sandbox,
            scope: ScopeSet::parse(&record.scope),
            key_id: record.id,
        })
    }
}

impl Auth {
    fn remembered(&self, hash: &[u8; 32]) -> Option<KeyRecord> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(hash).filter(|(at, _)| at.elapsed() < TRUST).map(|(_, record)| record.clone())
    }

    fn remember(&self, hash: [u8; 32], record: KeyRecord) -> KeyRecord {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(hash, (Instant::now(), record.clone()));
        record
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}
