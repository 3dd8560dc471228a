//! `/api/v1/episodes`: opened, watched, ended.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{List, PageQuery, Time, check_text, failed, id, invalid, missing, query, read, status};
use super::{ControlState, authorize};
use crate::auth::Grant;
use crate::id::{DeviceKey, EnrolmentId, EpisodeId, ProgramId, ResourceId};
use crate::problem::Problem;
use crate::program::{BusinessIdentifier, Ended, EndedBy, Episode, ExternalEncounter, Pinned};
use crate::store::{EpisodeDevice, Opening, Page};
use crate::time::Instant;

/// An episode to be opened.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EpisodeRequest {
    /// The enrolment it is opened on.
    enrolment: EnrolmentId,
    /// First moment in it; now, where left out. Not ahead of now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<Time>,
    /// Devices in it from the start.
    #[serde(default)]
    devices: Vec<DeviceKey>,
    /// The Encounter the EHR sees it in; its Observations refer to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encounter: Option<ExternalEncounter>,
    /// What the EHR calls its own EpisodeOfCare for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    episode_of_care: Option<BusinessIdentifier>,
}

/// An episode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EpisodeAnswer {
    id: EpisodeId,
    enrolment: EnrolmentId,
    program: ProgramId,
    profile: Pinned,
    /// Logical id of the Patient.
    patient: ResourceId,
    /// First moment in it.
    start: Time,
    /// First moment after it; left out while it is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Time>,
    /// What ended it; left out while it is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_by: Option<EndedBy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    encounter: Option<ExternalEncounter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    episode_of_care: Option<BusinessIdentifier>,
    /// The FHIR resource that shows it.
    resource: String,
}

/// An episode with its devices.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct WholeEpisode {
    #[serde(flatten)]
    episode: EpisodeAnswer,
    /// Devices that are or were in it.
    devices: Vec<DeviceAnswer>,
}

/// A device's share in an episode.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct DeviceAnswer {
    device: DeviceKey,
    /// First moment it was in the episode.
    from: Time,
    /// First moment it was no more; left out while it still is.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

/// The end of an episode.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CloseRequest {
    /// First moment after it; now, where left out. Not ahead of now.
    #[serde(default)]
    at: Option<Time>,
}

/// Which episodes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EpisodesQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    count: Option<u32>,
    /// Only those that are running, or only those that are not.
    running: Option<bool>,
}

impl EpisodeAnswer {
    fn of(grant: &Grant, episode: Episode) -> Self {
        let resource = crate::projection::episode_of_care_id(&grant.tenant, &episode.id);
        Self {
            id: episode.id,
            enrolment: episode.enrolment,
            program: episode.program,
            profile: episode.profile,
            patient: episode.patient,
            start: Time(episode.start),
            end: episode.end.map(|end| Time(end.at)),
            ended_by: episode.end.map(|end| end.by),
            encounter: episode.encounter,
            episode_of_care: episode.episode_of_care,
            resource: format!("EpisodeOfCare/{resource}"),
        }
    }
}

impl From<EpisodeDevice> for DeviceAnswer {
    fn from(share: EpisodeDevice) -> Self {
        Self { device: share.device, from: Time(share.from), until: share.until.map(Time) }
    }
}

/// Opens an episode with the devices that are in it from its start. The same once more changes nothing.
#[utoipa::path(
    put,
    path = "/api/v1/episodes/{episode}",
    operation_id = "open_episode",
    tag = "episodes",
    params(("episode" = EpisodeId, Path, description = "Chosen by who opens it; it must not identify a person")),
    request_body = EpisodeRequest,
    responses(
        (status = OK, body = WholeEpisode),
        (status = CREATED, body = WholeEpisode),
        (status = CONFLICT, description = "It was opened with another request, a device is in another episode, or the patient has left"),
    ),
)]
pub(super) async fn open(
    State(state): State<ControlState>,
    Path(episode): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let episode: EpisodeId = id("episode", &episode)?;
    let body: EpisodeRequest = read(&body)?;
    let start = not_ahead(&state, "start", body.start)?;
    if let Some(i) =
        (1..body.devices.len()).find(|&i| body.devices.iter().take(i).any(|d| Some(d) == body.devices.get(i)))
    {
        return Err(invalid(&format!("devices[{i}]"), "is there twice"));
    }
    check_identifier("encounter.identifier", body.encounter.as_ref().map(|encounter| &encounter.identifier))?;
    check_identifier("episode_of_care", body.episode_of_care.as_ref())?;
    let request = serde_json::to_string(&body).map_err(|e| invalid("body", e))?;
    let EpisodeRequest { enrolment, devices, encounter, episode_of_care, .. } = body;
    let opening = Opening { id: episode, enrolment, start, devices, encounter, episode_of_care, request };
    let written = state.episodes.open(&grant.tenant, &opening).await.map_err(|e| failed(&e))?;
    Ok((status(written), Json(whole(&state, &grant, &opening.id).await?)).into_response())
}

/// An episode.
#[utoipa::path(
    get,
    path = "/api/v1/episodes/{episode}",
    tag = "episodes",
    params(("episode" = EpisodeId, Path)),
    responses((status = OK, body = WholeEpisode), (status = NOT_FOUND)),
)]
pub(super) async fn read_episode(
    State(state): State<ControlState>,
    Path(episode): Path<String>,
    headers: HeaderMap,
) -> Result<Json<WholeEpisode>, Problem> {
    let grant = authorize(&state, &headers).await?;
    Ok(Json(whole(&state, &grant, &id("episode", &episode)?).await?))
}

/// Episodes by id.
#[utoipa::path(
    get,
    path = "/api/v1/episodes",
    tag = "episodes",
    params(EpisodesQuery),
    responses((status = OK, body = List<EpisodeAnswer>)),
)]
pub(super) async fn list_episodes(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<EpisodesQuery>, QueryRejection>,
) -> Result<Json<List<EpisodeAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let EpisodesQuery { after, count, running } = query(page)?;
    let page = PageQuery { after, count };
    let after = page.after.as_deref().map(|after| id::<EpisodeId>("after", after)).transpose()?;
    let rows = Page { after: after.as_ref().map_or("", EpisodeId::as_str), count: page.limit()? };
    let found = state.store.episodes(&grant.tenant, running, rows).await.map_err(|e| failed(&e))?;
    let answers = found.into_iter().map(|episode| EpisodeAnswer::of(&grant, episode)).collect();
    Ok(page.list(answers, |episode| episode.id.to_string()))
}

/// Ends an episode: windows that are open get what there is, and when all is stored its `on_episode_end` exports are ready.
/// One that has ended stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/episodes/{episode}/close",
    operation_id = "close_episode",
    tag = "episodes",
    params(("episode" = EpisodeId, Path)),
    request_body = Option<CloseRequest>,
    responses((status = OK, body = WholeEpisode), (status = NOT_FOUND)),
)]
pub(super) async fn close(
    State(state): State<ControlState>,
    Path(episode): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<WholeEpisode>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let episode: EpisodeId = id("episode", &episode)?;
    let CloseRequest { at } = if body.is_empty() { CloseRequest::default() } else { read(&body)? };
    let end = Ended { at: not_ahead(&state, "at", at)?, by: EndedBy::Request };
    if !state.episodes.close(&grant.tenant, &episode, end).await.map_err(|e| failed(&e))? {
        return Err(missing("episode"));
    }
    Ok(Json(whole(&state, &grant, &episode).await?))
}

/// An episode as it is answered.
pub(super) async fn whole(state: &ControlState, grant: &Grant, episode: &EpisodeId) -> Result<WholeEpisode, Problem> {
    let found = state.store.episode(&grant.tenant, episode).await.map_err(|e| failed(&e))?;
    let (episode, devices) = found.ok_or_else(|| missing("episode"))?;
    let devices = devices.into_iter().map(DeviceAnswer::from).collect();
    Ok(WholeEpisode { episode: EpisodeAnswer::of(grant, episode), devices })
}

/// The time given, or now.
pub(super) fn not_ahead(state: &ControlState, element: &str, time: Option<Time>) -> Result<Instant, Problem> {
    let now = state.clock.0.now();
    match time {
        Some(Time(at)) if at > now => Err(invalid(element, "is ahead of now")),
        Some(Time(at)) => Ok(at),
        None => Ok(now),
    }
}

fn check_identifier(element: &str, identifier: Option<&BusinessIdentifier>) -> Result<(), Problem> {
    let Some(BusinessIdentifier { system, value }) = identifier else { return Ok(()) };
    check_text(&format!("{element}.system"), system, 500)?;
    if system.contains(char::is_whitespace) || !system.contains(':') {
        return Err(invalid(&format!("{element}.system"), "must be a URI"));
    }
    check_text(&format!("{element}.value"), value, 500)
}
