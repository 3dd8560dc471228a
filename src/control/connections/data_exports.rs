//! `/api/v1/data-exports`: what profiles name in `spec.exports[].target`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::super::body::{self, List, PageQuery, id, query};
use super::super::{ControlState, authorize};
use super::Kept;
use crate::delivery::connection::DataExport;
use crate::id::ConnectionId;
use crate::problem::Problem;
use crate::store::{Connection, ConnectionKind};

/// Makes an export, or changes one: that needs `If-Match` with its `ETag`.
#[utoipa::path(
    put,
    path = "/api/v1/data-exports/{id}",
    operation_id = "put_data_export",
    tag = "delivery",
    params(
        ("id" = ConnectionId, Path, description = "Chosen by who makes it"),
        ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
    ),
    request_body = DataExport,
    responses(
        (status = OK, body = Kept<DataExport>, headers(("ETag" = String))),
        (status = CREATED, body = Kept<DataExport>, headers(("ETag" = String))),
        (status = PRECONDITION_FAILED, description = "It was changed since"),
        (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
    ),
)]
pub(in crate::control) async fn put_data_export(
    State(state): State<ControlState>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let id: ConnectionId = id("id", &path)?;
    let content: DataExport = body::read(&body)?;
    let connection = Connection { id, body: String::new(), refers: content.refers(), sealed: None };
    let place = (&grant.tenant, ConnectionKind::DataExport, &headers);
    super::put(&state, place, connection, content, |content| content).await
}

/// An export.
#[utoipa::path(
    get,
    path = "/api/v1/data-exports/{id}",
    operation_id = "read_data_export",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Kept<DataExport>, headers(("ETag" = String))), (status = NOT_FOUND)),
)]
pub(in crate::control) async fn read_data_export(
    State(state): State<ControlState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::read(&state, &grant.tenant, ConnectionKind::DataExport, &id, |content: DataExport| content).await
}

/// All of them, by id.
#[utoipa::path(
    get,
    path = "/api/v1/data-exports",
    operation_id = "list_data_exports",
    tag = "delivery",
    params(PageQuery),
    responses((status = OK, body = List<Kept<DataExport>>)),
)]
pub(in crate::control) async fn list_data_exports(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<Kept<DataExport>>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::list(&state, &grant.tenant, ConnectionKind::DataExport, query(page)?, |_, content: DataExport| content).await
}

/// Deletes one that nothing refers to.
#[utoipa::path(
    delete,
    path = "/api/v1/data-exports/{id}",
    operation_id = "delete_data_export",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND), (status = CONFLICT, description = "Something refers to it")),
)]
pub(in crate::control) async fn delete_data_export(
    State(state): State<ControlState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::delete(&state, &grant.tenant, ConnectionKind::DataExport, &id).await
}
