//! The identity provider people sign in at. <https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth>

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod,
    CoreGrantType, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreJwsSigningAlgorithm, CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    HttpRequest, HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier,
    ProviderMetadata, RedirectUrl, TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::NotSignedIn;
use crate::secret::Secret;

/// How long what the provider says of itself is kept: its keys may change.
const KEPT: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most bytes of an answer.
const MOST: usize = 1024 * 1024;

/// What a provider says of itself beyond what the library reads. <https://www.rfc-editor.org/rfc/rfc9207>
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Extra {
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What it says of itself, and when it was asked.
type Found = Option<(Instant, Arc<Metadata>)>;

/// The identity provider.
#[derive(Clone)]
pub struct Upstream {
    issuer: String,
    client_id: String,
    client_secret: Option<Secret>,
    http: reqwest::Client,
    found: Arc<Mutex<Found>>,
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// What was asked, kept until the answer comes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    nonce: String,
    verifier: String,
}

/// What the provider sends somebody back with.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The code.
    pub code: &'a str,
    /// Who says so.
    pub iss: Option<&'a str>,
}

/// Why the provider's answer could not be had.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// There was none.
    #[error("{0}")]
    Failed(#[from] reqwest::Error),
    /// It is too long.
    #[error("the answer has more than {MOST} bytes")]
    TooLong,
    /// It is none.
    #[error("{0}")]
    Http(#[from] axum::http::Error),
}

impl Upstream {
    /// The provider with this issuer URL.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(issuer: String, client_id: String, client_secret: Option<Secret>) -> Result<Self, NotSignedIn> {
        // What the provider says is asked where it says, and nowhere else.
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(TIMEOUT);
        let http = builder.build().map_err(|error| NotSignedIn::Provider(error.to_string()))?;
        Ok(Self { issuer, client_id, client_secret, http, found: Arc::default() })
    }

    /// Its issuer URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL at which somebody signs in who then comes back to `redirect` with `state`. `again`, whoever is signed in there
    /// already is asked for anew.
    ///
    /// # Errors
    /// [`NotSignedIn`].
    pub async fn ask(&self, redirect: &str, state: &str, again: bool) -> Result<(String, Asked), NotSignedIn> {
        let metadata = self.metadata().await?;
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| provider(&error))?;
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.id(), self.secret());
        let client = client.set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = CsrfToken::new(state.to_owned());
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || state.clone(), Nonce::new_random)
            .set_pkce_challenge(challenge);
        if again {
            request = request.add_prompt(openidconnect::core::CoreAuthPrompt::Login);
        }
        let (url, _, nonce) = request.url();
        Ok((url.to_string(), Asked { nonce: nonce.secret().clone(), verifier: verifier.into_secret() }))
    }

    /// Who has signed in, `sub`.
    ///
    /// # Errors
    /// [`NotSignedIn`].
    pub async fn subject(&self, redirect: &str, asked: &Asked, answered: Answered<'_>) -> Result<String, NotSignedIn> {
        let metadata = self.metadata().await?;
        // Mix-up: the answer must be of the provider that was asked, where it can say so.
        let says = metadata.additional_metadata().authorization_response_iss_parameter_supported;
        if answered.iss.is_some_and(|iss| iss != metadata.issuer().as_str()) || (says && answered.iss.is_none()) {
            return Err(NotSignedIn::OtherIssuer);
        }
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|error| provider(&error))?;
        let client = CoreClient::from_provider_metadata((*metadata).clone(), self.id(), self.secret());
        let client = client.set_redirect_uri(redirect);
        let request = client.exchange_code(AuthorizationCode::new(answered.code.to_owned()));
        let request = request.map_err(|error| provider(&error))?;
        let request = request.set_pkce_verifier(PkceCodeVerifier::new(asked.verifier.clone()));
        let answer = request.request_async(self).await.map_err(|error| proof(&error))?;
        let token = answer.id_token().ok_or_else(|| NotSignedIn::Proof("there is no id token".to_owned()))?;
        let verifier = client.id_token_verifier().set_allowed_algs([
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
            CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
            CoreJwsSigningAlgorithm::RsaSsaPssSha256,
            CoreJwsSigningAlgorithm::EcdsaP256Sha256,
            CoreJwsSigningAlgorithm::EcdsaP384Sha384,
            CoreJwsSigningAlgorithm::EdDsa,
        ]);
        let claims = token.claims(&verifier, &Nonce::new(asked.nonce.clone())).map_err(|error| proof(&error))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| proof(&error))?;
            let key = token.signing_key(&verifier).map_err(|error| proof(&error))?;
            let actual = AccessTokenHash::from_token(answer.access_token(), algorithm, key);
            if actual.map_err(|error| proof(&error))? != *expected {
                return Err(NotSignedIn::Proof("at_hash is another token's".to_owned()));
            }
        }
        Ok(claims.subject().as_str().to_owned())
    }

    fn id(&self) -> ClientId {
        ClientId::new(self.client_id.clone())
    }

    fn secret(&self) -> Option<ClientSecret> {
        self.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().to_owned()))
    }

    async fn metadata(&self) -> Result<Arc<Metadata>, NotSignedIn> {
        let mut found = self.found.lock().await;
        if let Some((at, metadata)) = found.as_ref()
            && at.elapsed() < KEPT
        {
            return Ok(Arc::clone(metadata));
        }
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| provider(&error))?;
        let metadata = Metadata::discover_async(issuer, self).await.map_err(|error| provider(&error))?;
        let metadata = Arc::new(metadata);
        *found = Some((Instant::now(), Arc::clone(&metadata)));
        Ok(metadata)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut response = self.http.execute(request.try_into()?).await?;
        let mut answer = axum::http::Response::builder().status(response.status());
        if let Some(headers) = answer.headers_mut() {
            *headers = response.headers().clone();
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(HttpError::TooLong);
            }
        }
        Ok(answer.body(body)?)
    }
}

impl<'c> AsyncHttpClient<'c> for Upstream {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

/// An error with its causes, which here tell more than it does.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn provider(error: &(dyn std::error::Error + 'static)) -> NotSignedIn {
    NotSignedIn::Provider(told(error))
}

fn proof(error: &(dyn std::error::Error + 'static)) -> NotSignedIn {
    NotSignedIn::Proof(told(error))
}
