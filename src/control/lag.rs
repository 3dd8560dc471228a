//! `/api/v1/ingest/lag`: how much is durable but not yet queryable.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;

use super::{ControlState, authorize, unavailable};
use crate::problem::Problem;

/// How much is under way.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Lag {
    /// Packets, and streams being caught up.
    pending: i64,
}

/// Packets (and streams being caught up) between the journal and the store.
#[utoipa::path(
    get,
    path = "/api/v1/ingest/lag",
    operation_id = "read_lag",
    tag = "operations",
    responses((status = OK, body = Lag)),
)]
pub(super) async fn lag(State(state): State<ControlState>, headers: HeaderMap) -> Result<Json<Lag>, Problem> {
    authorize(&state, &headers).await?;
    let pending = state.pipeline.lag().await.map_err(|e| unavailable(&e))?;
    Ok(Json(Lag { pending }))
}
