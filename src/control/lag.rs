//! `/api/v1/ingest/lag`: how much is durable but not yet queryable.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{ControlState, authorize, unavailable};
use crate::problem::Problem;

/// Packets (and streams being caught up) between the journal and the store.
pub(super) async fn lag(State(state): State<ControlState>, headers: HeaderMap) -> Result<Json<Value>, Problem> {
    authorize(&state, &headers).await?;
    let pending = state.pipeline.lag().await.map_err(|e| unavailable(&e))?;
    Ok(Json(json!({"pending": pending})))
}
