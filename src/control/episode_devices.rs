//! `/api/v1/episodes/{episode}/devices`: devices that join and leave an episode while it runs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::body::{Time, failed, id, missing, query, read, status};
use super::episodes::{WholeEpisode, not_ahead, whole};
use super::{ControlState, authorize};
use crate::id::{DeviceKey, EpisodeId};
use crate::problem::Problem;

/// When a device comes into an episode.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AttachRequest {
    /// First moment in it; now, where left out. Not ahead of now.
    #[serde(default)]
    from: Option<Time>,
}

/// When a device leaves an episode.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DetachQuery {
    /// First moment it is no more in it; now, where left out. Not ahead of now.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
}

/// Puts a device into a running episode. In it already, it stays as it is.
#[utoipa::path(
    put,
    path = "/api/v1/episodes/{episode}/devices/{device}",
    operation_id = "attach_device",
    tag = "episodes",
    params(("episode" = EpisodeId, Path), ("device" = DeviceKey, Path)),
    request_body = Option<AttachRequest>,
    responses(
        (status = OK, body = WholeEpisode),
        (status = CREATED, body = WholeEpisode),
        (status = NOT_FOUND),
        (status = CONFLICT, description = "The device is in another episode, or the episode has ended"),
    ),
)]
pub(super) async fn attach(
    State(state): State<ControlState>,
    Path((episode, device)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let (episode, device): (EpisodeId, DeviceKey) = (id("episode", &episode)?, id("device", &device)?);
    let AttachRequest { from } = if body.is_empty() { AttachRequest::default() } else { read(&body)? };
    let from = from.map(|from| not_ahead(&state, "from", Some(from))).transpose()?;
    let attached = state.episodes.attach(&grant.tenant, &episode, &device, from).await;
    let written = attached.map_err(|e| failed(&e))?.ok_or_else(|| missing("episode"))?;
    Ok((status(written), Json(whole(&state, &grant, &episode).await?)).into_response())
}

/// Takes a device out of a running episode. Not in it, nothing happens.
#[utoipa::path(
    delete,
    path = "/api/v1/episodes/{episode}/devices/{device}",
    operation_id = "detach_device",
    tag = "episodes",
    params(("episode" = EpisodeId, Path), ("device" = DeviceKey, Path), DetachQuery),
    responses(
        (status = OK, body = WholeEpisode),
        (status = NOT_FOUND),
        (status = CONFLICT, description = "The episode has ended"),
    ),
)]
pub(super) async fn detach(
    State(state): State<ControlState>,
    Path((episode, device)): Path<(String, String)>,
    headers: HeaderMap,
    until: Result<Query<DetachQuery>, QueryRejection>,
) -> Result<Json<WholeEpisode>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let (episode, device): (EpisodeId, DeviceKey) = (id("episode", &episode)?, id("device", &device)?);
    let until = not_ahead(&state, "until", query(until)?.until)?;
    let detached = state.episodes.detach(&grant.tenant, &episode, &device, until).await;
    detached.map_err(|e| failed(&e))?.ok_or_else(|| missing("episode"))?;
    Ok(Json(whole(&state, &grant, &episode).await?))
}
