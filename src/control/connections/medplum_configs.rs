//! `/api/v1/fhir-medplum-configs`: Medplum projects.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::super::body::{self, List, PageQuery, id, query};
use super::super::{ControlState, authorize};
use super::Kept;
use crate::delivery::connection::MedplumConfig;
use crate::id::ConnectionId;
use crate::problem::Problem;
use crate::store::{Connection, ConnectionKind};

/// Makes a Medplum configuration, or changes one: that needs `If-Match` with its `ETag`.
#[utoipa::path(
    put,
    path = "/api/v1/fhir-medplum-configs/{id}",
    operation_id = "put_medplum_config",
    tag = "delivery",
    params(
        ("id" = ConnectionId, Path, description = "Chosen by who makes it"),
        ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
    ),
    request_body = MedplumConfig,
    responses(
        (status = OK, body = Kept<MedplumConfig>, headers(("ETag" = String))),
        (status = CREATED, body = Kept<MedplumConfig>, headers(("ETag" = String))),
        (status = PRECONDITION_FAILED, description = "It was changed since"),
        (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
    ),
)]
pub(in crate::control) async fn put_medplum_config(
    State(state): State<ControlState>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let id: ConnectionId = id("id", &path)?;
    let given: MedplumConfig = body::read(&body)?;
    let content = MedplumConfig { base_url: super::check_url(&state, "base_url", &given.base_url)?, ..given };
    let provider = content.oauth_provider_id.clone();
    let connection = Connection {
        id,
        body: String::new(),
        refers: Some(("oauth_provider_id", ConnectionKind::OauthProvider, provider)),
        sealed: None,
    };
    let place = (&grant.tenant, ConnectionKind::MedplumConfig, &headers);
    super::put(&state, place, connection, content, |content| content).await
}

/// A Medplum configuration.
#[utoipa::path(
    get,
    path = "/api/v1/fhir-medplum-configs/{id}",
    operation_id = "read_medplum_config",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    responses((status = OK, body = Kept<MedplumConfig>, headers(("ETag" = String))), (status = NOT_FOUND)),
)]
pub(in crate::control) async fn read_medplum_config(
    State(state): State<ControlState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::read(&state, &grant.tenant, ConnectionKind::MedplumConfig, &id, |content: MedplumConfig| content).await
}

/// All of them, by id.
#[utoipa::path(
    get,
    path = "/api/v1/fhir-medplum-configs",
    operation_id = "list_medplum_configs",
    tag = "delivery",
    params(PageQuery),
    responses((status = OK, body = List<Kept<MedplumConfig>>)),
)]
pub(in crate::control) async fn list_medplum_configs(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<Kept<MedplumConfig>>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::list(&state, &grant.tenant, ConnectionKind::MedplumConfig, query(page)?, |_, content: MedplumConfig| content)
        .await
}

/// Deletes one that nothing refers to.
#[utoipa::path(
    delete,
    path = "/api/v1/fhir-medplum-configs/{id}",
    operation_id = "delete_medplum_config",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND), (status = CONFLICT, description = "Something refers to it")),
)]
pub(in crate::control) async fn delete_medplum_config(
    State(state): State<ControlState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    super::delete(&state, &grant.tenant, ConnectionKind::MedplumConfig, &id).await
}
