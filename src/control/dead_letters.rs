//! `/api/v1/dead-letters`: operations that failed and are not tried again by themselves.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{List, PageQuery, check_text, failed, query, read};
use super::corrections::CorrectionAnswer;
use super::operations::{OperationAnswer, find, list};
use super::{ControlState, authorize};
use crate::id::{HeldId, TenantId};
use crate::problem::Problem;
use crate::store::delivery::{Correction, Item, Key, Operation, OperationState};

/// Most resources that are shown of one.
const SHOWN: i64 = 1000;

/// An operation that failed, and what of it did not arrive.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeadLetter {
    #[serde(flatten)]
    operation: OperationAnswer,
    /// Up to a thousand of them.
    items: Vec<ItemAnswer>,
}

/// A resource that did not arrive.
#[derive(Debug, Serialize, ToSchema)]
struct ItemAnswer {
    /// `Observation/…` of this server: what is sent the next time is what is there then.
    resource: String,
    /// Who refused it; nobody where it was not answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by: Option<&'static str>,
    /// Which entry of the request it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    /// Its row in `/api/v1/quarantine`, with what was said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    quarantine: Option<HeldId>,
    /// What was corrected of it for this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    correction: Option<CorrectionAnswer>,
}

impl ItemAnswer {
    fn of(item: Item, correction: Option<Correction>) -> Self {
        let refused_by = match item.refused {
            0 => None,
            1 => Some("receiver"),
            _ => Some("validator"),
        };
        Self {
            resource: format!("{}/{}", item.key.0, item.key.1),
            refused_by,
            entry: item.entry.filter(|_| refused_by.is_some()),
            quarantine: item.held,
            correction: correction.map(CorrectionAnswer::from),
        }
    }
}

/// Why something is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeadLetterDiscard {
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// Operations that failed and were not discarded, by number.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters",
    tag = "delivery",
    params(PageQuery),
    responses((status = OK, body = List<OperationAnswer>)),
)]
pub(super) async fn list_dead_letters(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<OperationAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    list(&state, &grant.tenant, (None, true), query(page)?).await
}

/// An operation that failed, with what of it did not arrive.
#[utoipa::path(
    get,
    path = "/api/v1/dead-letters/{operation}",
    tag = "delivery",
    params(("operation" = i64, Path)),
    responses((status = OK, body = DeadLetter), (status = NOT_FOUND)),
)]
pub(super) async fn read_dead_letter(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeadLetter>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let operation = dead(&state, &grant.tenant, &operation).await?;
    let items = state.store.operation_items(operation.number, false, SHOWN).await.map_err(|e| failed(&e))?;
    let keys: Vec<Key> = items.iter().map(|item| item.key.clone()).collect();
    let corrections = state.delivery.corrections((&grant.tenant, &operation.export), &keys).await;
    let mut corrections = corrections.map_err(|e| failed(&e))?;
    let items = items.into_iter().map(|item| {
        let correction = corrections.remove(&item.key);
        ItemAnswer::of(item, correction)
    });
    Ok(Json(DeadLetter { items: items.collect(), operation: operation.into() }))
}

/// Sends what did not arrive once more, as it is now: what was corrected, or mended here or at the target, goes through.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{operation}/redrive",
    tag = "delivery",
    params(("operation" = i64, Path)),
    responses((status = OK, body = OperationAnswer), (status = NOT_FOUND), (status = CONFLICT)),
)]
pub(super) async fn redrive_dead_letter(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<OperationAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let number = dead(&state, &grant.tenant, &operation).await?.number;
    let redriven = state.store.redrive(&grant.tenant, number).await.map_err(|e| failed(&e))?;
    settled(&state, &grant.tenant, &operation, redriven).await
}

/// Gives an operation up, for good.
#[utoipa::path(
    post,
    path = "/api/v1/dead-letters/{operation}/discard",
    tag = "delivery",
    params(("operation" = i64, Path)),
    request_body = DeadLetterDiscard,
    responses((status = OK, body = OperationAnswer), (status = NOT_FOUND), (status = CONFLICT)),
)]
pub(super) async fn discard_dead_letter(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<OperationAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let DeadLetterDiscard { reason } = read(&body)?;
    check_text("reason", &reason, 1000)?;
    let number = dead(&state, &grant.tenant, &operation).await?.number;
    let discarded = state.store.discard(&grant.tenant, number, &reason).await.map_err(|e| failed(&e))?;
    settled(&state, &grant.tenant, &operation, discarded).await
}

pub(super) async fn dead(state: &ControlState, tenant: &TenantId, operation: &str) -> Result<Operation, Problem> {
    let found = find(state, tenant, operation).await?;
    if found.state == OperationState::Failed { Ok(found) } else { Err(not_dead()) }
}

async fn settled(
    state: &ControlState,
    tenant: &TenantId,
    operation: &str,
    is_settled: bool,
) -> Result<Json<OperationAnswer>, Problem> {
    if is_settled { Ok(Json(find(state, tenant, operation).await?.into())) } else { Err(not_dead()) }
}

fn not_dead() -> Problem {
    Problem::new(StatusCode::CONFLICT, "not-dead", "the operation has not failed, or was discarded")
}
