//! The control plane under `/api/v1`.

mod associations;
mod devices;
mod lag;

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{get, put};

use crate::auth::{Auth, Grant};
use crate::ingest::SharedClock;
use crate::pipeline::Pipeline;
use crate::problem::Problem;
use crate::store::Store;

/// What control-plane handlers need.
#[derive(Debug, Clone)]
pub struct ControlState {
    /// Who may ask.
    pub auth: Auth,
    /// Store.
    pub store: Store,
    /// Told when a device changes patients, and asked how far it has come.
    pub pipeline: Pipeline,
    /// What time it is.
    pub clock: SharedClock,
    /// Device models there are.
    pub registry: std::sync::Arc<crate::registry::Registry>,
}

/// Routes of `/api/v1`.
pub fn router(state: ControlState) -> Router {
    Router::new()
        .route("/api/v1/devices/{device}", put(devices::link).get(devices::read))
        .route("/api/v1/devices/{device}/associations", put(associations::replace).get(associations::read))
        .route("/api/v1/ingest/lag", get(lag::lag))
        .with_state(state)
}

/// Who asks, if they may use the control plane.
async fn authorize(state: &ControlState, headers: &HeaderMap) -> Result<Grant, Problem> {
    let grant = state.auth.authenticate(headers.get(header::AUTHORIZATION)).await?;
    if grant.scope.may_control() {
        return Ok(grant);
    }
    Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", "the key has no control scope"))
}

/// The store failed: the cause goes to the log, not to the caller.
fn unavailable(error: &crate::store::StoreError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "control plane request failed");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(1)
}
