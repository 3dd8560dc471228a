//! `/api/v1/quarantine`: what was held back, and what is to become of it.

mod redrive;
mod shown;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use redrive::take_up;
use shown::{ContentAnswer, HeldAnswer, answer};

use super::body::{List, Moment, PageQuery, check_text, id, missing, query, read};
use super::{ControlState, authorize, reads_everything, unavailable};
use crate::auth::Bearer;
use crate::id::HeldId;
use crate::pipeline::to_the_end;
use crate::problem::Problem;
use crate::store::{Held, HeldKind, HeldState};

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct QuarantineQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    count: Option<u32>,
    /// Only those held back there.
    #[param(inline)]
    kind: Option<HeldKind>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<HeldState>,
}

/// Why something is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscardRequest {
    #[schema(min_length = 1, max_length = 1000)]
    reason: String,
}

/// What was held back, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine",
    tag = "quarantine",
    params(QuarantineQuery),
    responses((status = OK, body = List<HeldAnswer>)),
)]
pub(super) async fn list_quarantine(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<QuarantineQuery>, QueryRejection>,
) -> Result<Json<List<HeldAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let QuarantineQuery { after, count, kind, state: wanted } = query(page)?;
    let page = PageQuery { after, count };
    let after = page.after.as_deref().map(Moment::parse).transpose()?;
    let found = state.store.held(&grant.tenant, kind, wanted, after.as_ref(), page.limit()?).await;
    let mut answers = Vec::new();
    for held in found.map_err(|e| unavailable(&e))? {
        answers.push(answer(&state, held).await?);
    }
    Ok(page.list(answers, |held| Moment::text(held.held, &held.id)))
}

/// Something that was held back, without its content.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine/{held}",
    tag = "quarantine",
    params(("held" = HeldId, Path)),
    responses((status = OK, body = HeldAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn read_quarantine(
    State(state): State<ControlState>,
    Path(held): Path<String>,
    headers: HeaderMap,
) -> Result<Json<HeldAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let held = find(&state, &grant, &held).await?;
    Ok(Json(answer(&state, held).await?))
}

/// The content that was held back, and its OperationOutcome. It may be about patients: for who may read all resources.
#[utoipa::path(
    get,
    path = "/api/v1/quarantine/{held}/content",
    tag = "quarantine",
    params(("held" = HeldId, Path)),
    responses(
        (status = OK, body = ContentAnswer),
        (status = FORBIDDEN, description = "The key has no scope to read all resources, such as system/*.r"),
        (status = NOT_FOUND),
    ),
)]
pub(super) async fn read_quarantine_content(
    State(state): State<ControlState>,
    Path(held): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ContentAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let held = find(&state, &grant, &held).await?;
    reads_everything(
        &grant,
        "the content may be about patients: a scope to read all resources is needed, such as system/*.r",
    )?;
    let kept = state.store.kept(&grant.tenant, &held.id).await.map_err(|e| unavailable(&e))?;
    let kept = kept.ok_or_else(|| missing("thing in quarantine"))?;
    // What is no JSON is shown as the text it is.
    let json = |bytes: &[u8]| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
    };
    Ok(Json(ContentAnswer { outcome: kept.outcome.as_deref().map(json), content: json(&kept.content) }))
}

/// Takes something up again, after what was wrong has been put right. Of what came of a stream's packets, all of the stream is
/// computed again, and what differs from what is stored is stored.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{held}/redrive",
    tag = "quarantine",
    params(("held" = HeldId, Path)),
    responses(
        (status = OK, body = HeldAnswer),
        (status = NOT_FOUND),
        (status = CONFLICT, description = "It cannot be taken up, is as wrong as before, or was settled already"),
    ),
)]
pub(super) async fn redrive_quarantine(
    State(state): State<ControlState>,
    Path(held): Path<String>,
    headers: HeaderMap,
) -> Result<Json<HeldAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let held = find(&state, &grant, &held).await?;
    if held.state != HeldState::Held {
        return Err(settled_already());
    }
    // What is stored is not to be left without word of it.
    let id = held.id.clone();
    let (to_settle, by) = (state.clone(), std::sync::Arc::clone(&grant));
    to_the_end(async move {
        take_up(&to_settle, &by.tenant, &held).await?;
        // It may be settled already, by what was stored.
        let settled = to_settle.store.settle(&by.tenant, &held.id, HeldState::Redriven, &by.key_id, None).await;
        settled.map_err(|e| unavailable(&e))
    })
    .await?;
    let held = find(&state, &grant, id.as_str()).await?;
    Ok(Json(answer(&state, held).await?))
}

/// Gives something up, for good.
#[utoipa::path(
    post,
    path = "/api/v1/quarantine/{held}/discard",
    tag = "quarantine",
    params(("held" = HeldId, Path)),
    request_body = DiscardRequest,
    responses(
        (status = OK, body = HeldAnswer),
        (status = NOT_FOUND),
        (status = CONFLICT, description = "It was settled already"),
    ),
)]
pub(super) async fn discard_quarantine(
    State(state): State<ControlState>,
    Path(held): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<HeldAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let DiscardRequest { reason } = read(&body)?;
    check_text("reason", &reason, 1000)?;
    let held = find(&state, &grant, &held).await?;
    settle(&state, &grant, &held.id, HeldState::Discarded, Some(&reason)).await?;
    let held = find(&state, &grant, held.id.as_str()).await?;
    Ok(Json(answer(&state, held).await?))
}

async fn find(state: &ControlState, grant: &Bearer, held: &str) -> Result<Held, Problem> {
    let held: HeldId = id("held", held)?;
    let found = state.store.held_back(&grant.tenant, &held).await.map_err(|e| unavailable(&e))?;
    found.ok_or_else(|| missing("thing in quarantine"))
}

async fn settle(
    state: &ControlState,
    grant: &Bearer,
    held: &HeldId,
    to: HeldState,
    note: Option<&str>,
) -> Result<(), Problem> {
    let settled = state.store.settle(&grant.tenant, held, to, &grant.key_id, note).await;
    if settled.map_err(|e| unavailable(&e))? { Ok(()) } else { Err(settled_already()) }
}

fn settled_already() -> Problem {
    Problem::new(StatusCode::CONFLICT, "settled", "it is not held any more: it was taken up or discarded")
}
