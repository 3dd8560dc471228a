//! Who may do what: developer keys, clients of the authorization server and their tokens, scopes, and the policy that
//! decides.

mod app;
mod client;
mod consent;
mod denied;
mod grant;
mod issue;
mod key;
mod limit;
mod policy;
mod scope;
mod standing;
mod token;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::HeaderValue;
use sha2::{Digest, Sha256};

#[cfg(test)]
pub(crate) use app::fixture as app_fixture;
pub use app::{
    Answered, AppError, AppRequest, Asked, CodeUse, Consent, GivenSignIn, LaunchContext, NewPerson, NoLaunch,
    NotSignedIn, Pending, PersonError, Session, SignIn, SignInSettings, Tokens, Upstream,
};
#[cfg(test)]
pub(crate) use client::fixture;
pub use client::{ALGORITHMS, ClientError, FetchError, Fetcher, NewClient, RegistrationError, app_secret};
pub use consent::{PatientConsent, consent_of};
pub use denied::Denied;
pub use grant::{Bearer, Grant, GrantKind, TokenFacts, User};
pub use issue::{Issued, NoToken};
pub use key::{KeyError, NewKey};
pub use policy::{Action, Decision, Place, Policy, PolicyError};
pub use scope::{Access, Context, Mark, ResourceScope, ScopeSet, UnknownScope};
pub use standing::Standing;
pub use token::{AccessToken, Claims, KeyError as SigningKeyError, Keys, rotate};

use crate::secret::Secret;
use crate::store::{Store, StoreError, TenantFacts};
use crate::time::{self, Clock};
use client::Verifier;
use limit::Limiter;

/// How long a copy of the key set may be kept, in seconds.
pub const KEY_SET_AGE_S: i64 = token::PUBLISHED_S;

/// How long a token that was found is taken for good without asking again: devices send every second, and each asks.
const TRUST: Duration = Duration::from_secs(1);
/// Tokens that are remembered so.
const REMEMBERED: usize = 4096;

/// How much callers may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Requests a second with one key, or of one client, at each node.
    pub requests_per_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { requests_per_s: 5_000 }
    }
}

/// Checks bearer tokens, and gives them to clients.
#[derive(Clone)]
pub struct Auth {
    store: Store,
    clock: Arc<dyn Clock>,
    policy: Arc<Policy>,
    keys: Keys,
    clients: Verifier,
    found: Arc<Mutex<Found>>,
    limiter: Limiter,
    /// When what is too old was last forgotten.
    forgot: Arc<Mutex<Option<Instant>>>,
}

/// What tokens grant by their hash, with when they were found and when they expire.
type Found = BTreeMap<[u8; 32], Known>;

#[derive(Debug, Clone)]
struct Known {
    at: Instant,
    expires: Option<time::Instant>,
    bearer: Arc<Bearer>,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Auth").finish_non_exhaustive()
    }
}

impl Auth {
    /// Checks against this store and decides by this policy; key sets of clients are fetched by `fetcher`. To be called where
    /// there is a runtime.
    pub fn new(store: Store, clock: Arc<dyn Clock>, policy: Policy, fetcher: Fetcher, limits: Limits) -> Self {
        token::install();
        let clients = Verifier::new(store.clone(), fetcher);
        let keys = Keys::new(store.clone());
        Self {
            store,
            clock,
            policy: Arc::new(policy),
            keys,
            clients,
            found: Arc::default(),
            limiter: Limiter::new(limits.requests_per_s),
            forgot: Arc::default(),
        }
    }

    /// What time it is.
    pub fn now(&self) -> time::Instant {
        self.clock.now()
    }

    /// The keys tokens are signed with.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What the bearer of this `Authorization` header may do.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn authenticate(&self, header: Option<&HeaderValue>) -> Result<Arc<Bearer>, Denied> {
        let header = header.ok_or(Denied::Missing)?.to_str().map_err(|_| Denied::Invalid)?;
        let (scheme, token) = header.split_once(' ').ok_or(Denied::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::Missing);
        }
        self.authenticate_token(token.trim()).await
    }

    /// What the bearer of this token may do. One that is revoked is good for a second more.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn authenticate_token(&self, token: &str) -> Result<Arc<Bearer>, Denied> {
        // Looked up by hash, so the time it takes tells nothing about the token.
        let hash = hash(token);
        let known = match self.remembered(&hash) {
            Some(known) => known,
            None => self.remember(hash, self.find(token, &hash).await?),
        };
        if known.expires.is_some_and(|at| at <= self.clock.now()) {
            return Err(Denied::Invalid);
        }
        self.limiter.count(&known.bearer.key_id, Instant::now()).map_err(|_| Denied::Limited)?;
        Ok(known.bearer)
    }

    async fn find(&self, token: &str, hash: &[u8; 32]) -> Result<Known, Denied> {
        if token.starts_with("sk_") {
            let (key, facts) = self.store.find_key(hash).await?.ok_or(Denied::Invalid)?;
            let expires = key.expires;
            return self.known(expires, Grant::of_key(key, facts)).await;
        }
        let token = self.keys.read(token, self.clock.now()).await?.ok_or(Denied::Invalid)?;
        let facts = self.standing(&token).await?.ok_or(Denied::Invalid)?;
        let expires = Some(token.claims.expires());
        let grant = Grant::of_token(token.tenant, token.claims, facts);
        self.known(expires, grant).await
    }

    /// Whether what a token was given for still holds, and if so what holds for its tenant.
    async fn standing(&self, token: &AccessToken) -> Result<Option<TenantFacts>, StoreError> {
        let granted = token.claims.person.as_ref().map(|person| person.grant.as_str());
        self.store.standing(&token.claims.jti, &token.claims.client_id, granted).await
    }

    async fn known(&self, expires: Option<time::Instant>, mut grant: Grant) -> Result<Known, Denied> {
        if let Some(patient) = &grant.patient {
            grant.consent = consent_of(&self.store, &grant.tenant, patient, self.clock.now()).await?;
        }
        Ok(Known { at: Instant::now(), expires, bearer: Arc::new(Bearer::new(grant, Arc::clone(&self.policy))) })
    }

    fn remembered(&self, hash: &[u8; 32]) -> Option<Known> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(hash).filter(|known| known.at.elapsed() < TRUST).cloned()
    }

    fn remember(&self, hash: [u8; 32], known: Known) -> Known {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if found.len() >= REMEMBERED {
            found.clear();
        }
        found.insert(hash, known.clone());
        known
    }
}

impl Auth {
    /// Asks again about every token: some that were good may have been taken back.
    fn forget_found(&self) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A public id nobody has: the kind and 16 random bytes.
fn new_id(kind: &str) -> Result<String, getrandom::Error> {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random)?;
    Ok(format!("{kind}_{}", hex::encode(random)))
}

/// A token nobody can guess: the kind and 32 random bytes.
fn random_token(kind: &str) -> Result<Secret, getrandom::Error> {
    let mut random = [0_u8; 32];
    getrandom::fill(&mut random)?;
    Ok(Secret::new(format!("{kind}_{}", hex::encode(random))))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// The cryptography of TLS, which the binary chooses.
#[cfg(test)]
pub(crate) fn install_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// One that asks public addresses.
#[cfg(test)]
pub(crate) fn fetcher() -> Fetcher {
    install_tls();
    Fetcher::new(false).unwrap()
}
