//! Access tokens: in memory only, one request for one at a time, renewed shortly before they expire.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use super::connection::{Authentication, OauthProvider};
use super::keys::{self, KeyError, Secrets};
use super::throttle;
use crate::id::{ConnectionId, TenantId};
use crate::secret::Secret;
use crate::time;

const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long a token is good whose life nobody told, in seconds.
const UNTOLD_S: u64 = 300;
/// A token is renewed so long before it expires, or in the last tenth of its life where that is shorter.
const BEFORE: Duration = Duration::from_secs(60);
/// How long one that could not be had is not asked for again.
pub const REST: Duration = Duration::from_secs(1);
/// Most bytes of an answer.
const MOST: usize = 64 * 1024;

/// Why there is no token. Tells nothing secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TokenError {
    /// The provider said no.
    #[error("the token endpoint refused: {error}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `error` of its answer. <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>
        error: String,
        /// How long it asks to be left alone.
        wait: Option<Duration>,
    },
    /// It could not be asked.
    #[error("the token endpoint did not answer: {0}")]
    Unanswered(String),
    /// No assertion can be made.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Whose token.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenKey {
    /// Tenant.
    pub tenant: TenantId,
    /// Provider.
    pub provider: ConnectionId,
    /// Its revision: a changed provider may have other tokens.
    pub revision: i64,
}

/// A token in use.
#[derive(Debug)]
pub struct Token {
    /// It.
    pub value: Secret,
    until: Instant,
}

#[derive(Debug, Default)]
struct Place {
    token: Option<Arc<Token>>,
    failed: Option<(Instant, TokenError)>,
}

/// The tokens of all providers.
#[derive(Debug, Clone)]
pub struct Tokens {
    client: Client,
    places: Arc<Mutex<BTreeMap<TokenKey, Arc<tokio::sync::Mutex<Place>>>>>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
}

impl Tokens {
    /// Asked for by this client.
    pub fn new(client: Client) -> Self {
        Self { client, places: Arc::default() }
    }

    /// A token that is good for a while. Whoever comes while one is being asked for waits for that one.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn get(
        &self,
        key: &TokenKey,
        provider: &OauthProvider,
        secrets: &Secrets,
        now: time::Instant,
    ) -> Result<Arc<Token>, TokenError> {
        let place = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            places.retain(|other, _| {
                other.revision == key.revision || other.provider != key.provider || other.tenant != key.tenant
            });
            Arc::clone(places.entry(key.clone()).or_default())
        };
        let mut place = place.lock().await;
        if let Some(token) = place.token.as_ref().filter(|token| Instant::now() < token.until) {
            return Ok(Arc::clone(token));
        }
        if let Some((_, error)) = place.failed.as_ref().filter(|(at, _)| at.elapsed() < REST) {
            return Err(error.clone());
        }
        match ask(&self.client, provider, secrets, now).await {
            Ok(token) => {
                let token = Arc::new(token);
                *place = Place { token: Some(Arc::clone(&token)), failed: None };
                Ok(token)
            }
            Err(error) => {
                *place = Place { token: None, failed: Some((Instant::now(), error.clone())) };
                Err(error)
            }
        }
    }

    /// The receiver does not know a token: the next one is a new one, unless there is one by now.
    pub async fn reject(&self, key: &TokenKey, token: &Arc<Token>) {
        let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if let Some(place) = place {
            let mut place = place.lock().await;
            place.token = place.token.take().filter(|current| !Arc::ptr_eq(current, token));
        }
    }
}

/// Asks for a token. <https://www.rfc-editor.org/rfc/rfc6749#section-4.4>
///
/// # Errors
/// [`TokenError`].
pub async fn ask(
    client: &Client,
    provider: &OauthProvider,
    secrets: &Secrets,
    now: time::Instant,
) -> Result<Token, TokenError> {
    let mut request = client.post(&provider.token_url);
    if provider.authentication == Authentication::ClientSecret {
        request = request.header(header::AUTHORIZATION, basic(provider, secrets)?.expose());
    }
    let form = form(provider, secrets, now)?;
    let unanswered = |error: reqwest::Error| TokenError::Unanswered(error.without_url().to_string());
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let mut response =
        request.header(header::ACCEPT, "application/json").body(form).send().await.map_err(unanswered)?;
    let asked = Instant::now();
    let status = response.status();
    let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let wait = throttle::wait(text("retry-after"), text("ratelimit"));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            return Err(TokenError::Unanswered("its answer is too long".to_owned()));
        }
    }
    if status != StatusCode::OK {
        let error = serde_json::from_slice::<serde_json::Value>(&body).ok();
        let error = error.as_ref().and_then(|body| body["error"].as_str()).filter(|e| e.len() < 64);
        let error = error.unwrap_or("no error code").to_owned();
        return Err(TokenError::Refused { status: status.as_u16(), error, wait });
    }
    let answer: Answer =
        serde_json::from_slice(&body).map_err(|_| TokenError::Unanswered("its answer is no token".to_owned()))?;
    let life = Duration::from_secs(answer.expires_in.unwrap_or(UNTOLD_S));
    let until = asked.checked_add(life.saturating_sub(BEFORE.min(life / 10))).unwrap_or(asked);
    Ok(Token { value: Secret::new(answer.access_token), until })
}

/// <https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1>
fn basic(provider: &OauthProvider, secrets: &Secrets) -> Result<Secret, TokenError> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = secrets.client_secret.as_deref().ok_or(KeyError::Missing)?;
    let pair = Secret::new(format!("{}:{}", encoded(&provider.client_id), encoded(secret)));
    Ok(Secret::new(format!("Basic {}", STANDARD.encode(pair.expose()))))
}

fn form(provider: &OauthProvider, secrets: &Secrets, now: time::Instant) -> Result<String, TokenError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if let Some(scope) = &provider.scope {
        form.append_pair("scope", scope);
    }
    if provider.authentication == Authentication::PrivateKeyJwt {
        form.append_pair("client_assertion_type", ASSERTION);
        form.append_pair("client_assertion", &keys::assertion(provider, secrets, now)?);
    }
    Ok(form.finish())
}
