//! `/api/v1/orphans`: packets that wait for somebody to wear their device.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;

use super::{ControlState, authorize, unavailable};
use crate::problem::Problem;
use crate::store::Orphans;
use crate::time::Instant;

/// What waits, by stream.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct OrphansBody {
    orphans: Vec<OrphanBody>,
}

/// A stream's packets that wait.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct OrphanBody {
    device: String,
    stream: String,
    packets: i64,
    /// When the first of them came, RFC 3339.
    oldest_received: String,
    /// When the last of them came, RFC 3339.
    newest_received: String,
    /// How many seconds the first of them has waited.
    age_s: i64,
}

/// Packets that are durable and wait for their device to be with somebody.
#[utoipa::path(
    get,
    path = "/api/v1/orphans",
    operation_id = "list_orphans",
    tag = "devices",
    responses((status = OK, body = OrphansBody)),
)]
pub(super) async fn list(State(state): State<ControlState>, headers: HeaderMap) -> Result<Json<OrphansBody>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let now = state.clock.0.now();
    let found = state.store.orphans(&grant.tenant).await.map_err(|e| unavailable(&e))?;
    Ok(Json(OrphansBody { orphans: found.into_iter().map(|orphans| body(orphans, now)).collect() }))
}

fn body(orphans: Orphans, now: Instant) -> OrphanBody {
    OrphanBody {
        device: orphans.device,
        stream: orphans.stream,
        packets: orphans.packets,
        oldest_received: orphans.oldest.to_fhir(),
        newest_received: orphans.newest.to_fhir(),
        age_s: now.seconds_since(orphans.oldest).max(0.0) as i64,
    }
}
