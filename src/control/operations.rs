//! `/api/v1/operations`: what is delivered, and how far it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::body::{List, PageQuery, Time, failed, invalid, missing, query};
use super::{ControlState, authorize, reads_everything};
use crate::auth::Bearer;
use crate::delivery::EXCHANGE;
use crate::id::{ConnectionId, EpisodeId, ExportName, TenantId};
use crate::problem::Problem;
use crate::store::delivery::{Exchange, Failure, Operation, OperationState};

/// An operation: an export of an episode on its way to its target.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OperationAnswer {
    /// Its number.
    id: i64,
    /// Where it goes.
    data_export: ConnectionId,
    /// The episode; `repair` for what a receiver had lost or changed.
    episode: EpisodeId,
    /// The export of the episode's profile.
    export: ExportName,
    /// Which time; the last one where it is made of several.
    occurrence: String,
    state: OperationState,
    /// Attempts in a row that brought nothing.
    attempts: i64,
    created: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Time>,
    /// Resources the receiver has for it.
    sent: i64,
    /// Resources that were refused: they are in `/api/v1/quarantine`.
    refused: i64,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
    /// Why nobody needs it any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    discarded: Option<String>,
}

impl From<Operation> for OperationAnswer {
    fn from(of: Operation) -> Self {
        Self {
            id: of.number,
            data_export: of.export,
            episode: of.episode,
            export: of.name,
            occurrence: of.occurrence,
            state: of.state,
            attempts: of.attempts,
            created: Time(of.created),
            finished: of.finished.map(Time),
            sent: of.sent,
            refused: of.refused,
            error: of.failure,
            discarded: of.discarded,
        }
    }
}

/// A request and its answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExchangeAnswer {
    at: Time,
    /// Method, path, query and body of the request; status and body of the answer, where there was one.
    #[serde(flatten)]
    content: Value,
}

/// Which operations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OperationsQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    count: Option<u32>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<OperationState>,
}

/// Operations by number.
#[utoipa::path(
    get,
    path = "/api/v1/operations",
    tag = "delivery",
    params(OperationsQuery),
    responses((status = OK, body = List<OperationAnswer>)),
)]
pub(super) async fn list_operations(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<OperationsQuery>, QueryRejection>,
) -> Result<Json<List<OperationAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let OperationsQuery { after, count, state: wanted } = query(page)?;
    list(&state, &grant.tenant, (wanted, false), PageQuery { after, count }).await
}

pub(super) async fn list(
    state: &ControlState,
    tenant: &TenantId,
    which: (Option<OperationState>, bool),
    page: PageQuery,
) -> Result<Json<List<OperationAnswer>>, Problem> {
    let after =
        page.after.as_deref().map_or(Ok(0), str::parse).map_err(|_| invalid("after", "is no key of this list"))?;
    let found = state.store.operations(tenant, which, after, page.limit()?).await.map_err(|e| failed(&e))?;
    Ok(page.list(found.into_iter().map(OperationAnswer::from).collect(), |one| one.id.to_string()))
}

/// An operation.
#[utoipa::path(
    get,
    path = "/api/v1/operations/{operation}",
    tag = "delivery",
    params(("operation" = i64, Path)),
    responses((status = OK, body = OperationAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn read_operation(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<OperationAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    Ok(Json(find(&state, &grant.tenant, &operation).await?.into()))
}

/// The last requests of an operation and their answers, the last one first. They tell of patients, so a key needs to be allowed
/// to read all of them.
#[utoipa::path(
    get,
    path = "/api/v1/operations/{operation}/exchanges",
    tag = "delivery",
    params(("operation" = i64, Path)),
    responses((status = OK, body = Vec<ExchangeAnswer>), (status = NOT_FOUND), (status = FORBIDDEN)),
)]
pub(super) async fn read_exchanges(
    State(state): State<ControlState>,
    Path(operation): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Vec<ExchangeAnswer>>, Problem> {
    let grant: Arc<Bearer> = authorize(&state, &headers).await?;
    reads_everything(&grant, "requests and answers tell of patients: the key needs the scope system/*.r as well")?;
    let operation = find(&state, &grant.tenant, &operation).await?;
    let mut answers = Vec::new();
    for exchange in state.store.exchanges(operation.number).await.map_err(|e| failed(&e))? {
        answers.push(opened(&state, &grant.tenant, &exchange).await?);
    }
    Ok(Json(answers))
}

pub(super) async fn find(state: &ControlState, tenant: &TenantId, number: &str) -> Result<Operation, Problem> {
    let number = number.parse().map_err(|_| invalid("operation", "must be a number"))?;
    let found = state.store.operation(tenant, number).await.map_err(|e| failed(&e))?;
    found.ok_or_else(|| missing("operation"))
}

async fn opened(state: &ControlState, tenant: &TenantId, exchange: &Exchange) -> Result<ExchangeAnswer, Problem> {
    let unavailable = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error, "a request that was kept cannot be opened");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(5)
    };
    let packed = state.vault.open(tenant, EXCHANGE, &exchange.content).await.map_err(|e| unavailable(&e))?;
    let text = zstd::decode_all(packed.as_slice()).map_err(|e| unavailable(&e))?;
    let content = serde_json::from_slice(&text).map_err(|e| unavailable(&e))?;
    Ok(ExchangeAnswer { at: Time(exchange.at), content })
}
