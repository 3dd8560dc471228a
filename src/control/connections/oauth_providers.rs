//! `/api/v1/oauth-providers`: who gives tokens. Secrets go in and never come out.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::body::{self, List, PageQuery, Time, check_text, id, invalid, query};
use super::super::{ControlState, authorize};
use super::handlers::kept;
use super::{Kept, client_keys};
use crate::delivery::connection::{Authentication, OauthProvider, PublicKey};
use crate::delivery::keys::Secrets;
use crate::delivery::seal;
use crate::id::{ConnectionId, TenantId};
use crate::problem::Problem;
use crate::store::{Connection, ConnectionKind, KeptConnection};

pub(super) const KIND: ConnectionKind = ConnectionKind::OauthProvider;

/// An OAuth provider, as it is sent: with `client_secret`, or with `private_key_jwt`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct OauthProviderRequest {
    /// What people read.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// Its token endpoint.
    token_url: String,
    /// What it calls this server.
    #[schema(min_length = 1, max_length = 200)]
    client_id: String,
    /// The client's secret. It is sealed and never shown; left out in a change, it stays what it is.
    #[serde(default)]
    #[schema(write_only)]
    client_secret: Option<String>,
    /// Whether this server proves itself by assertions it signs, with a key it makes and publishes.
    #[serde(default)]
    private_key_jwt: bool,
    /// Scope to ask for.
    #[serde(default)]
    scope: Option<String>,
}

/// An OAuth provider.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::control) struct OauthProviderAnswer {
    name: String,
    token_url: String,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    authentication: Authentication,
    /// Path of the public keys, to be given to the provider as a URL of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    jwks: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<KeyAnswer>,
}

/// A key assertions are signed with.
#[derive(Debug, Serialize, ToSchema)]
struct KeyAnswer {
    /// `kid`.
    id: String,
    /// From when on it signs, until another one does.
    signs: Time,
    /// Until when it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Time>,
}

pub(super) fn answer(tenant: &TenantId, id: &ConnectionId, provider: OauthProvider) -> OauthProviderAnswer {
    let is_signing = provider.authentication == Authentication::PrivateKeyJwt;
    let key = |key: PublicKey| KeyAnswer { id: key.id, signs: Time(key.signs), expires: key.expires.map(Time) };
    OauthProviderAnswer {
        jwks: is_signing.then(|| format!("/api/v1/client-keys/{tenant}/{id}/jwks.json")),
        name: provider.name,
        token_url: provider.token_url,
        client_id: provider.client_id,
        scope: provider.scope,
        authentication: provider.authentication,
        keys: provider.keys.into_iter().map(key).collect(),
    }
}

/// Makes an OAuth provider, or changes one: that needs `If-Match` with its `ETag`.
#[utoipa::path(
    put,
    path = "/api/v1/oauth-providers/{id}",
    tag = "delivery",
    params(
        ("id" = ConnectionId, Path, description = "Chosen by who makes it"),
        ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
    ),
    request_body = OauthProviderRequest,
    responses(
        (status = OK, body = Kept<OauthProviderAnswer>, headers(("ETag" = String))),
        (status = CREATED, body = Kept<OauthProviderAnswer>, headers(("ETag" = String))),
        (status = PRECONDITION_FAILED, description = "It was changed since"),
        (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
    ),
)]
pub(in crate::control) async fn put_oauth_provider(
    State(state): State<ControlState>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let id: ConnectionId = id("id", &path)?;
    let given: OauthProviderRequest = body::read(&body)?;
    check_text("name", &given.name, 200)?;
    check_text("client_id", &given.client_id, 200)?;
    let token_url = super::check_url(&state, "token_url", &given.token_url)?;
    let found = super::find::<OauthProvider>(&state, &grant.tenant, KIND, &id).await?;
    let (before, kept) = found.map_or((None, None), |(provider, kept)| (Some(provider), Some(kept)));
    let mut secrets = secrets(&state, &grant.tenant, kept.as_ref()).await?;
    let old = secrets.clone();
    let mut provider = OauthProvider {
        name: given.name,
        token_url,
        client_id: given.client_id,
        scope: given.scope,
        authentication: Authentication::ClientSecret,
        keys: before.map(|before| before.keys).unwrap_or_default(),
    };
    match (given.client_secret, given.private_key_jwt) {
        (Some(_), true) => return Err(invalid("client_secret", "is of no use beside private_key_jwt")),
        (None, true) => {
            provider.authentication = Authentication::PrivateKeyJwt;
            secrets.client_secret = None;
            if provider.keys.is_empty() {
                client_keys::rotate(&state, &mut provider, &mut secrets, false)?;
            }
        }
        (given, false) => {
            if let Some(secret) = given {
                check_text("client_secret", &secret, 4096)?;
                secrets.client_secret = Some(secret);
            }
            if secrets.client_secret.is_none() {
                return Err(invalid("client_secret", "it or private_key_jwt is needed"));
            }
            provider.keys.clear();
            secrets.keys.clear();
        }
    }
    // What did not change is not sealed anew, so that the same request once more changes nothing.
    let sealed = match kept.filter(|_| old == secrets) {
        Some(kept) => kept.sealed,
        None => Some(sealed(&state, &grant.tenant, &id, &secrets).await?),
    };
    let connection = Connection { id: id.clone(), body: String::new(), refers: None, sealed };
    let tenant = grant.tenant.clone();
    super::put(&state, (&grant.tenant, KIND, &headers), connection, provider, |p| answer(&tenant, &id, p)).await
}

kept! {
    KIND, OauthProviderAnswer = answer, at "/api/v1/oauth-providers/{id}" in "/api/v1/oauth-providers";
    /// An OAuth provider, without its secrets.
    read_oauth_provider;
    /// OAuth providers by id.
    list_oauth_providers;
    /// Deletes an OAuth provider that nothing refers to, and its secrets.
    delete_oauth_provider;
}

pub(super) async fn secrets(
    state: &ControlState,
    tenant: &TenantId,
    kept: Option<&KeptConnection>,
) -> Result<Secrets, Problem> {
    let Some(kept) = kept else { return Ok(Secrets::default()) };
    seal::secrets(&state.vault, tenant, kept).await.map_err(|error| unsealed(&error))
}

pub(super) async fn sealed(
    state: &ControlState,
    tenant: &TenantId,
    id: &ConnectionId,
    secrets: &Secrets,
) -> Result<Vec<u8>, Problem> {
    seal::seal(&state.vault, tenant, id, secrets).await.map_err(|error| unsealed(&error))
}

/// Secrets cannot be sealed or opened: the cause goes to the log.
pub(super) fn unsealed(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "secrets of an OAuth provider cannot be sealed or opened");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(5)
}
