//! `/api/v1/dead-letters/{operation}/correct`: what a receiver refuses is corrected for it.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::body::{Time, check_text, failed, invalid, missing, read};
use super::dead_letters::dead;
use super::{ControlState, authorize, reads_everything};
use crate::conformant::outcome;
use crate::delivery::Uncorrected;
use crate::delivery::route::NoRoute;
use crate::problem::Problem;
use crate::store::delivery::{Correction, Key};

/// Most resources of an operation that are looked through.
const MOST: i64 = 100_000;

/// What is to be corrected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrectionRequest {
    /// One of the dead letter's `items`.
    resource: String,
    /// JSON Merge Patch of the resource as it is here (RFC 7396); an empty one takes a correction back. Not of `id`, `meta`,
    /// `identifier` and whom it is about.
    patch: Map<String, Value>,
    /// Why.
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// What is sent of a resource from now on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Corrected {
    resource: String,
    /// With references by identifier; those to what the target has are by its ids there.
    content: Value,
}

/// That something was corrected for a target.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CorrectionAnswer {
    reason: String,
    /// Public id of the key or client that did it.
    corrected_by: String,
    corrected: Time,
    /// The version of the resource it holds for.
    version: i64,
}

impl From<Correction> for CorrectionAnswer {
    fn from(of: Correction) -> Self {
        Self { reason: of.reason, corrected_by: of.by, corrected: Time(of.at), version: of.version }
    }
}

/// Corrects a resource of a dead letter for its target. It holds for this version of the resource and for all that goes to
/// that target; what is stored here stays as it is. It is sent when the dead letter is redriven.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{operation}/correct",
    tag = "delivery",
    params(("operation" = i64, Path)),
    request_body = CorrectionRequest,
    responses(
        (status = OK, body = Corrected),
        (status = FORBIDDEN, description = "The key has no scope to read all resources, such as system/*.r"),
        (status = NOT_FOUND),
        (status = CONFLICT, description = "The operation has not failed"),
        (status = UNPROCESSABLE_ENTITY, description = "What comes of it is not valid; the OperationOutcome is in `outcome`"),
    ),
)]
pub(super) async fn correct_dead_letter(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Corrected>, Problem> {
    let grant = authorize(&state, &headers).await?;
    reads_everything(&grant, "what is corrected tells of patients: the key needs the scope system/*.r as well")?;
    let CorrectionRequest { resource, patch, reason } = read(&body)?;
    check_text("reason", &reason, 1000)?;
    let operation = dead(&state, &grant.tenant, &operation).await?;
    let items = state.store.operation_items(operation.number, false, MOST).await.map_err(|e| failed(&e))?;
    let is_named = |key: &Key| resource.split_once('/') == Some((key.0.as_str(), key.1.as_str()));
    let item = items.into_iter().find(|item| is_named(&item.key)).ok_or_else(|| missing("resource in it"))?;
    let to = (&grant.tenant, &operation.export);
    let corrected = state.delivery.correct(to, &item.key, &patch, (&reason, &grant.key_id)).await;
    Ok(Json(Corrected { resource, content: corrected.map_err(refused)? }))
}

fn refused(error: Uncorrected) -> Problem {
    match error {
        Uncorrected::Store(error) | Uncorrected::Route(NoRoute::Store(error)) => failed(&error),
        Uncorrected::Gone => missing("resource"),
        Uncorrected::Route(error) => Problem::new(StatusCode::CONFLICT, "no-target", error.to_string()),
        Uncorrected::Invalid(issues) => {
            invalid("patch", "what comes of it is not valid").with("outcome", outcome(&issues))
        }
        error @ Uncorrected::Fixed(_) => invalid("patch", error),
    }
}
