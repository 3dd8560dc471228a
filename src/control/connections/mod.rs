//! Where things go: OAuth providers, FHIR servers, exports. Each is put whole, under an id of the caller's.

pub(super) mod client_keys;
mod handlers;
pub(super) mod oauth_providers;
pub(super) mod plain;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::body::{List, PageQuery, failed, id, if_match, invalid, missing, status, tagged};
use super::{ControlState, unavailable};
use crate::id::{ConnectionId, TenantId};
use crate::outward;
use crate::problem::Problem;
use crate::store::{Connection, ConnectionKind, KeptConnection, Page, StoreError};

/// Something that is kept under an id, as it is answered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Kept<T> {
    id: ConnectionId,
    #[serde(flatten)]
    content: T,
}

/// Puts what is kept under an id, and answers it.
async fn put<T: Serialize, A: Serialize>(
    state: &ControlState,
    (tenant, kind, headers): (&TenantId, ConnectionKind, &HeaderMap),
    connection: Connection,
    content: T,
    answer: impl FnOnce(T) -> A,
) -> Result<Response, Problem> {
    let known = if_match(headers)?;
    let body = serde_json::to_string(&content).map_err(|_| damaged(kind))?;
    let connection = Connection { body, ..connection };
    let put = state.store.put_connection(tenant, kind, &connection, known).await;
    let (written, revision) = put.map_err(|e| failed(&e))?;
    Ok(tagged(status(written), revision, Kept { id: connection.id, content: answer(content) }))
}

/// What is kept under an id, and its revision and sealed secrets.
async fn find<T: DeserializeOwned>(
    state: &ControlState,
    tenant: &TenantId,
    kind: ConnectionKind,
    id: &ConnectionId,
) -> Result<Option<(T, KeptConnection)>, Problem> {
    let found = state.store.connection(tenant, kind, id).await.map_err(|e| failed(&e))?;
    found.map(|kept| Ok((content(kind, &kept)?, kept))).transpose()
}

async fn read<T: DeserializeOwned, A: Serialize>(
    state: &ControlState,
    tenant: &TenantId,
    kind: ConnectionKind,
    text: &str,
    answer: impl FnOnce(&TenantId, &ConnectionId, T) -> A,
) -> Result<Response, Problem> {
    let (found, kept) = find(state, tenant, kind, &id("id", text)?).await?.ok_or_else(|| missing(kind.name()))?;
    Ok(tagged(StatusCode::OK, kept.revision, Kept { content: answer(tenant, &kept.id, found), id: kept.id }))
}

async fn list<T: DeserializeOwned, A: Serialize>(
    state: &ControlState,
    tenant: &TenantId,
    kind: ConnectionKind,
    page: PageQuery,
    answer: impl Fn(&TenantId, &ConnectionId, T) -> A,
) -> Result<Json<List<Kept<A>>>, Problem> {
    let after = page.after.as_deref().map(|after| id::<ConnectionId>("after", after)).transpose()?;
    let rows = Page { after: after.as_ref().map_or("", ConnectionId::as_str), count: page.limit()? };
    let found = state.store.connections(tenant, kind, rows).await.map_err(|e| failed(&e))?;
    let kept =
        |kept: KeptConnection| Ok(Kept { content: answer(tenant, &kept.id, content(kind, &kept)?), id: kept.id });
    let items = found.into_iter().map(kept).collect::<Result<Vec<_>, Problem>>()?;
    Ok(page.list(items, |kept| kept.id.to_string()))
}

async fn delete(
    state: &ControlState,
    tenant: &TenantId,
    kind: ConnectionKind,
    text: &str,
) -> Result<Response, Problem> {
    let deleted = state.store.delete_connection(tenant, kind, &id("id", text)?).await.map_err(|e| failed(&e))?;
    if deleted { Ok(StatusCode::NO_CONTENT.into_response()) } else { Err(missing(kind.name())) }
}

fn content<T: DeserializeOwned>(kind: ConnectionKind, kept: &KeptConnection) -> Result<T, Problem> {
    serde_json::from_str(&kept.body).map_err(|_| damaged(kind))
}

fn damaged(kind: ConnectionKind) -> Problem {
    unavailable(&StoreError::Damaged { what: kind.name() })
}

/// A URL this server may ask, without a slash at its end.
fn check_url(state: &ControlState, element: &str, url: &str) -> Result<String, Problem> {
    let refused = || invalid(element, "must be https, at a public address, without user, password, query and fragment");
    outward::url(url, state.reach).filter(|url| url.query().is_none()).ok_or_else(refused)?;
    Ok(url.trim_end_matches('/').to_owned())
}
