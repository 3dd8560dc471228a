//! `/api/v1/reconciliation`: whether receivers have what they said they have.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::{failed, id, missing};
use super::{ControlState, authorize, unavailable};
use crate::delivery::Report;
use crate::delivery::route::NoRoute;
use crate::id::ConnectionId;
use crate::problem::Problem;
use crate::store::delivery::Tally;

/// What was sent, and what was found when it was read back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Tallies {
    /// By base URL or folder.
    items: Vec<Tally>,
}

/// What was sent to each destination, and what was found there when it was read back.
#[utoipa::path(
    get,
    path = "/api/v1/reconciliation",
    tag = "delivery",
    responses((status = OK, body = Tallies)),
)]
pub(super) async fn list_reconciliation(
    State(state): State<ControlState>,
    headers: HeaderMap,
) -> Result<Json<Tallies>, Problem> {
    let grant = authorize(&state, &headers).await?;
    Ok(Json(Tallies { items: state.store.tallies(&grant.tenant).await.map_err(|e| failed(&e))? }))
}

/// Reads back now what was sent by an export and was not read back since, up to 500 resources, and has sent again what is not
/// there as it should be. It happens by itself five minutes after something was sent.
#[utoipa::path(
    post,
    path = "/api/v1/data-exports/{id}/reconcile",
    tag = "delivery",
    params(("id" = ConnectionId, Path)),
    responses(
        (status = OK, body = Report),
        (status = NOT_FOUND),
        (status = BAD_GATEWAY, description = "The target does not answer"),
    ),
)]
pub(super) async fn reconcile(
    State(state): State<ControlState>,
    Path(export): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Report>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let export: ConnectionId = id("id", &export)?;
    match state.delivery.reconcile(&grant.tenant, &export, state.clock.0.now().plus(1)).await {
        Ok(report) => Ok(Json(report)),
        Err(NoRoute::Missing(what)) => Err(missing(what)),
        Err(NoRoute::Store(error)) => Err(unavailable(&error)),
        Err(error) => Err(Problem::new(StatusCode::BAD_GATEWAY, "target", error.to_string())),
    }
}
