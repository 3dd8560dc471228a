//! The assertion a client proves itself with: a JWT it signed. <https://www.rfc-editor.org/rfc/rfc7523#section-3>

use std::sync::Arc;

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, dangerous, decode, decode_header};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::fetch::{FetchError, Fetcher};
use super::jwks::KeySet;
use super::replay::{Replay, ReplayError};
use crate::store::{ClientKeys, ClientRecord, Store, StoreError, Used};
use crate::time::{Instant, MICROS};

/// What clients may sign with: RS384 and ES384, which SMART names, and what is stronger.
pub const ALGORITHMS: [(&str, Algorithm); 5] = [
    ("RS384", Algorithm::RS384),
    ("ES384", Algorithm::ES384),
    ("RS512", Algorithm::RS512),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
];

/// Longest an assertion may be good.
const LIFETIME_S: i64 = 300;

/// How far the client's clock may be ahead or behind.
const LEEWAY_S: i64 = 5;

/// Most bytes of an assertion, and of its `jti`.
const MOST: usize = 16 * 1024;
const MOST_ID: usize = 256;

/// Why a client is not who it says.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It is no JWT, or says what it must not.
    #[error("client_assertion: {0}")]
    Invalid(&'static str),
    /// No such client, or not its key, or not its signature: which one is nobody's business.
    #[error("client_assertion: the client, its key or its signature is not known here")]
    Unknown,
    /// The client's own keys cannot be had.
    #[error("jwks_url: {0}")]
    Keys(FetchError),
    /// It was used before.
    #[error("client_assertion: this jti was used before")]
    Replayed,
    /// Too many are waiting.
    #[error("too many requests for tokens are waiting")]
    Busy,
    /// Its secret is not known, or it has to prove itself and did not.
    #[error("the client, its secret or what it proves itself with is not known here")]
    Secret,
    /// It could not be checked.
    #[error("the assertion could not be checked")]
    Failed,
    /// The store failed.
    #[error("the client could not be looked up")]
    Store(#[from] StoreError),
}

impl From<ReplayError> for ClientError {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Busy => Self::Busy,
            ReplayError::Failed => Self::Failed,
        }
    }
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
    iat: Option<f64>,
    nbf: Option<f64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

impl Audience {
    fn has(&self, url: &str) -> bool {
        match self {
            Self::One(one) => one == url,
            Self::Several(all) => all.iter().any(|one| one == url),
        }
    }
}

/// Checks assertions.
#[derive(Debug, Clone)]
pub(in crate::auth) struct Verifier {
    store: Store,
    fetcher: Fetcher,
    replay: Replay,
}

impl Verifier {
    pub(in crate::auth) fn new(store: Store, fetcher: Fetcher) -> Self {
        let replay = Replay::start(store.clone());
        Self { store, fetcher, replay }
    }

    /// What fetches key sets.
    pub(in crate::auth) fn fetcher(&self) -> &Fetcher {
        &self.fetcher
    }

    /// The client that signed an assertion for one of `audiences`, URLs of the token endpoint. It is used up by this.
    pub(in crate::auth) async fn client(
        &self,
        assertion: &str,
        audiences: impl Fn(&ClientRecord) -> Vec<String>,
        now: Instant,
    ) -> Result<ClientRecord, ClientError> {
        if assertion.len() > MOST {
            return Err(ClientError::Invalid("too long"));
        }
        let header =
            decode_header(assertion).map_err(|_| ClientError::Invalid("not a JWT, or an alg that is not taken"))?;
        let id = check_header(&header)?;
        let said = dangerous::insecure_decode::<Claims>(assertion);
        let said = said.map_err(|_| ClientError::Invalid("needs iss, sub, aud, exp and jti"))?.claims;
        let client = self.store.client(&said.iss).await?.ok_or(ClientError::Unknown)?;
        if let Some(url) = &header.jku
            && client.keys != ClientKeys::Url(url.clone())
        {
            return Err(ClientError::Invalid("jku is not the registered URL"));
        }
        let key = self.key(&client, id, header.alg).await?.ok_or(ClientError::Unknown)?;
        let mut validation = Validation::new(header.alg);
        // Every claim is checked below, by this server's clock.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let claims = decode::<Claims>(assertion, &key, &validation).map_err(|_| ClientError::Unknown)?.claims;
        check_claims(&claims, &client, &audiences(&client), now)?;
        // Kept a little longer than it is good, as clocks go.
        let expires = Instant(((claims.exp as i64) + 2 * LEEWAY_S).saturating_mul(MICROS));
        let used = Used { client: client.id.clone(), sha256: Sha256::digest(claims.jti.as_bytes()).into(), expires };
        if self.replay.is_first(used).await? { Ok(client) } else { Err(ClientError::Replayed) }
    }

    async fn key(
        &self,
        client: &ClientRecord,
        id: &str,
        algorithm: Algorithm,
    ) -> Result<Option<DecodingKey>, ClientError> {
        let set = match &client.keys {
            ClientKeys::Value(text) => Arc::new(KeySet::parse(text).map_err(|_| ClientError::Failed)?),
            ClientKeys::Url(url) => {
                let wanted = |set: &KeySet| set.key(id, algorithm).is_some();
                self.fetcher.set(url, wanted).await.map_err(ClientError::Keys)?
            }
            // Whoever has no keys proves itself in another way.
            ClientKeys::Secret(_) | ClientKeys::Nothing => return Ok(None),
        };
        Ok(set.key(id, algorithm))
    }
}

/// Gives the id of the key.
fn check_header(header: &Header) -> Result<&str, ClientError> {
    if !ALGORITHMS.iter().any(|(_, algorithm)| *algorithm == header.alg) {
        return Err(ClientError::Invalid("alg must be RS384 or ES384, or RS512, PS384, PS512"));
    }
    if header.crit.is_some() {
        return Err(ClientError::Invalid("crit names what is not understood here"));
    }
    // What was signed as something else is no assertion.
    if header.typ.as_ref().is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT")) {
        return Err(ClientError::Invalid("typ must be JWT"));
    }
    header.kid.as_deref().ok_or(ClientError::Invalid("kid is missing"))
}

fn check_claims(claims: &Claims, client: &ClientRecord, audiences: &[String], now: Instant) -> Result<(), ClientError> {
    let invalid = |problem| Err(ClientError::Invalid(problem));
    let now = now.0 as f64 / MICROS as f64;
    let leeway = LEEWAY_S as f64;
    if claims.iss != client.id || claims.sub != client.id {
        return invalid("iss and sub must both be the client_id");
    }
    if !audiences.iter().any(|url| claims.aud.has(url)) {
        return invalid("aud must be the URL of the token endpoint");
    }
    if claims.exp <= now {
        return invalid("exp is past");
    }
    if claims.exp > now + LIFETIME_S as f64 + leeway {
        return invalid("exp must be within five minutes");
    }
    if claims.iat.is_some_and(|at| at > now + leeway) || claims.nbf.is_some_and(|at| at > now + leeway) {
        return invalid("iat or nbf is in the future");
    }
    if claims.jti.is_empty() || claims.jti.len() > MOST_ID {
        return invalid("jti must have 1 to 256 bytes");
    }
    Ok(())
}
