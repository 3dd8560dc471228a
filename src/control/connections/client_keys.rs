//! The keys this server proves itself with to OAuth providers: published, and rotated.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::super::body::{self, id, invalid, missing};
use super::super::{ControlState, authorize};
use super::Kept;
use super::oauth_providers::{KIND, OauthProviderAnswer, answer, sealed, secrets, unsealed};
use crate::delivery::connection::{Authentication, OauthProvider};
use crate::delivery::keys::{self, PUBLISHED_S, Secrets};
use crate::id::{ConnectionId, TenantId};
use crate::problem::Problem;
use crate::store::Connection;

/// How keys are rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::control) struct RotationRequest {
    /// Whether the old keys go and the new one signs at once, because others have seen an old one.
    #[serde(default)]
    at_once: bool,
}

/// Makes a new key for an OAuth provider's assertions. It is published now and signs in ten minutes.
#[utoipa::path(
    post,
    path = "/api/v1/oauth-providers/{id}/rotate-key",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    request_body = RotationRequest,
    responses((status = OK, body = Kept<OauthProviderAnswer>, headers(("ETag" = String))), (status = NOT_FOUND)),
)]
pub(in crate::control) async fn rotate_oauth_provider_key(
    State(state): State<ControlState>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let id: ConnectionId = id("id", &path)?;
    let RotationRequest { at_once } = if body.is_empty() { RotationRequest::default() } else { body::read(&body)? };
    let found = super::find::<OauthProvider>(&state, &grant.tenant, KIND, &id).await?;
    let (mut provider, kept) = found.ok_or_else(|| missing(KIND.name()))?;
    if provider.authentication != Authentication::PrivateKeyJwt {
        return Err(invalid("id", "the provider has a client secret and no key"));
    }
    let mut secrets = secrets(&state, &grant.tenant, Some(&kept)).await?;
    rotate(&state, &mut provider, &mut secrets, at_once)?;
    let sealed = Some(sealed(&state, &grant.tenant, &id, &secrets).await?);
    let connection = Connection { id: id.clone(), body: String::new(), refers: None, sealed };
    // Of two rotations at once one is told that the other was faster.
    let mut headers = HeaderMap::new();
    headers.extend(HeaderValue::from_str(&format!("\"{}\"", kept.revision)).ok().map(|tag| (header::IF_MATCH, tag)));
    let tenant = grant.tenant.clone();
    super::put(&state, (&grant.tenant, KIND, &headers), connection, provider, |p| answer(&tenant, &id, p)).await
}

/// The public keys of the assertions for an OAuth provider: the URL it is given. <https://www.rfc-editor.org/rfc/rfc7517>
#[utoipa::path(
    get,
    path = "/api/v1/client-keys/{tenant}/{id}/jwks.json",
    tag = "delivery",
    security(()),
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = OK, body = serde_json::Value)),
)]
pub(in crate::control) async fn read_client_keys(
    State(state): State<ControlState>,
    Path((tenant, path)): Path<(String, String)>,
) -> Result<Response, Problem> {
    // Whether there is such a provider is nobody's business.
    let keys = match (TenantId::new(tenant), ConnectionId::new(path)) {
        (Ok(tenant), Ok(id)) => super::find::<OauthProvider>(&state, &tenant, KIND, &id).await?,
        _ => None,
    };
    let none = || serde_json::json!({ "keys": [] });
    let set = keys.map_or_else(none, |(provider, _)| keys::published(&provider, state.clock.0.now()));
    let age = HeaderValue::from_str(&format!("public, max-age={}", PUBLISHED_S / 2));
    let age = age.unwrap_or(HeaderValue::from_static("no-cache"));
    Ok(([(header::CACHE_CONTROL, age)], Json(set)).into_response())
}

pub(super) fn rotate(
    state: &ControlState,
    provider: &mut OauthProvider,
    secrets: &mut Secrets,
    at_once: bool,
) -> Result<(), Problem> {
    keys::rotate(provider, secrets, state.clock.0.now(), at_once).map_err(|error| unsealed(&error))
}
