//! `/api/v1/clients`: backend services and apps, registered.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::body::{List, PageQuery, failed, invalid, missing, query, read};
use super::{ControlState, authorize, hands_on};
use crate::auth::{NewClient, RegistrationError, app_secret};
use crate::problem::Problem;
use crate::store::{ClientKeys, ClientRecord};

/// A client, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ClientRequest {
    /// What people call it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// The most it may be granted, blank-separated.
    #[schema(max_length = 10_000)]
    scope: String,
    /// Its public keys, a JWK Set.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    jwks: Option<Value>,
    /// Or where they are.
    #[serde(default)]
    jwks_uri: Option<String>,
    /// Where people are sent back to who use it, exactly. This makes it an app.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// Whether an app without keys gets a secret.
    #[serde(default)]
    secret: bool,
}

/// A client.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ClientAnswer {
    /// `client_id`.
    id: String,
    name: String,
    scope: String,
    /// Empty for a backend service.
    redirect_uris: Vec<String>,
    /// The secret, when it is made: the only time it can be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

impl From<ClientRecord> for ClientAnswer {
    fn from(client: ClientRecord) -> Self {
        let ClientRecord { id, name, scope, redirects, .. } = client;
        Self { id, name, scope, redirect_uris: redirects, client_secret: None }
    }
}

/// Registers a client. Who does must be allowed all it is to be granted for itself.
#[utoipa::path(
    post,
    path = "/api/v1/clients",
    operation_id = "create_client",
    tag = "sign-in",
    request_body = ClientRequest,
    responses((status = CREATED, body = ClientAnswer)),
)]
pub(super) async fn create_client(
    State(state): State<ControlState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let ClientRequest { name, scope, jwks, jwks_uri, redirect_uris, secret } = read(&body)?;
    let (shown, keys) = match (jwks, jwks_uri) {
        (Some(_), _) | (_, Some(_)) if secret => return Err(invalid("secret", "is for an app without keys")),
        (Some(_), Some(_)) => return Err(invalid("jwks_uri", "goes without jwks")),
        (Some(set), None) => (None, ClientKeys::Value(set.to_string())),
        (None, Some(url)) => (None, ClientKeys::Url(url)),
        (None, None) if secret => app_secret().map(|(secret, keys)| (Some(secret), keys)).map_err(|e| refused(&e))?,
        (None, None) => (None, ClientKeys::Nothing),
    };
    if redirect_uris.is_empty() {
        hands_on(&grant, &scope)?;
    }
    let new = NewClient { tenant: grant.tenant.clone(), name, scope, keys, redirects: redirect_uris };
    let client = state.auth.register(new).await.map_err(|e| refused(&e))?;
    let client_secret = shown.map(|secret| secret.expose().to_owned());
    Ok((StatusCode::CREATED, Json(ClientAnswer { client_secret, ..client.into() })).into_response())
}

fn refused(error: &RegistrationError) -> Problem {
    let element = match error {
        RegistrationError::Store(error) => return failed(error),
        RegistrationError::Random => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()).retry_after(1);
        }
        RegistrationError::Scope(_) | RegistrationError::Context | RegistrationError::AppContext => "scope",
        RegistrationError::Redirect(_) => "redirect_uris",
        RegistrationError::NoKeys | RegistrationError::Keys(_) => "jwks",
        RegistrationError::Url(_) => "jwks_uri",
        RegistrationError::Name => "name",
    };
    invalid(element, error)
}

/// The clients there are.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    operation_id = "list_clients",
    tag = "sign-in",
    params(PageQuery),
    responses((status = OK, body = List<ClientAnswer>)),
)]
pub(super) async fn list_clients(
    State(state): State<ControlState>,
    asked: Result<Query<PageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<List<ClientAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(asked)?;
    let clients = state.store.clients(&grant.tenant).await.map_err(|e| failed(&e))?;
    page.of_all(clients.into_iter().map(ClientAnswer::from), |client| client.id.clone())
}

/// Takes a registration back, and with it the client's tokens.
#[utoipa::path(
    delete,
    path = "/api/v1/clients/{client}",
    operation_id = "delete_client",
    tag = "sign-in",
    params(("client" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND)),
)]
pub(super) async fn delete_client(
    State(state): State<ControlState>,
    Path(client): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let grant = authorize(&state, &headers).await?;
    let known = state.store.client(&client).await.map_err(|e| failed(&e))?;
    if known.is_none_or(|known| known.tenant != grant.tenant) {
        return Err(missing("client"));
    }
    state.store.revoke_client(&client).await.map_err(|e| failed(&e))?;
    Ok(StatusCode::NO_CONTENT)
}
