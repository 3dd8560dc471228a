//! `/api/v1/alert-channels`: by which ways alerts are sent, beside the log.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{List, PageQuery, check_text, id, invalid, missing, query, read, status};
use super::{ControlState, authorize, unavailable};
use crate::alert::{Sealed, origin};
use crate::id::{ChannelId, TenantId};
use crate::problem::Problem;
use crate::secret::Secret;
use crate::store::{Channel, ChannelKind, Page, Severity};

/// A channel, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChannelRequest {
    kind: ChannelKind,
    /// A webhook's https URL, at a public address; or an e-mail address.
    #[schema(min_length = 1, max_length = 2000)]
    address: String,
    /// Alerts below this are not sent.
    #[serde(default = "warning")]
    #[schema(default = "warning")]
    severity: Severity,
    /// What a webhook's messages are signed with: `whsec_` and 24 to 64 bytes in base64. It is not shown again.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
}

/// A channel.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelAnswer {
    id: ChannelId,
    kind: ChannelKind,
    /// An e-mail address; of a webhook's URL, which may be all the secret it has, the origin alone.
    address: String,
    /// Alerts below this are not sent.
    severity: Severity,
    /// Whether its messages are signed.
    is_signed: bool,
}

impl From<Channel> for ChannelAnswer {
    fn from(channel: Channel) -> Self {
        let Channel { id, kind, address, least, is_signed, .. } = channel;
        Self { id, kind, address, severity: least, is_signed }
    }
}

fn warning() -> Severity {
    Severity::Warning
}

/// Makes a channel, or changes one.
#[utoipa::path(
    put,
    path = "/api/v1/alert-channels/{channel}",
    tag = "alerts",
    params(("channel" = ChannelId, Path, description = "Chosen by who makes it; log is taken")),
    request_body = ChannelRequest,
    responses((status = OK, body = ChannelAnswer), (status = CREATED, body = ChannelAnswer)),
)]
pub(super) async fn put_alert_channel(
    State(state): State<ControlState>,
    Path(channel): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let channel: ChannelId = id("channel", &channel)?;
    if channel.is_log() {
        return Err(invalid("channel", "alerts are always in the log: choose another id"));
    }
    let ChannelRequest { kind, address, severity, secret } = read(&body)?;
    check_text("address", &address, 2000)?;
    state.ways.check(kind, &address).map_err(|unusable| invalid("address", unusable))?;
    if let Some(secret) = &secret {
        state.ways.check_secret(kind, secret).map_err(|unusable| invalid("secret", unusable))?;
    }
    let mut channel =
        Channel { id: channel, kind, address, least: severity, is_signed: secret.is_some(), sealed: None };
    if kind == ChannelKind::Webhook {
        let sealed = Sealed { url: Secret::new(channel.address), secret };
        channel.address = origin(sealed.url.expose());
        channel.sealed = Some(sealed_as_before(&state, &grant.tenant, &channel.id, &sealed).await?);
    }
    let written = state.store.put_channel(&grant.tenant, &channel).await.map_err(|e| unavailable(&e))?;
    Ok((status(written), Json(ChannelAnswer::from(channel))).into_response())
}

/// What a channel is sealed as: the same as before where it is the same.
async fn sealed_as_before(
    state: &ControlState,
    tenant: &TenantId,
    channel: &ChannelId,
    sealed: &Sealed,
) -> Result<Vec<u8>, Problem> {
    let before = state.store.channel(tenant, channel).await.map_err(|e| unavailable(&e))?;
    if let Some(before) = before.and_then(|before| before.sealed) {
        let open = Sealed::open(&state.vault, tenant, channel, &before).await;
        if open.is_ok_and(|open| open == *sealed) {
            return Ok(before);
        }
    }
    sealed.seal(&state.vault, tenant, channel).await.map_err(|e| unavailable(&e))
}

/// A channel.
#[utoipa::path(
    get,
    path = "/api/v1/alert-channels/{channel}",
    tag = "alerts",
    params(("channel" = ChannelId, Path)),
    responses((status = OK, body = ChannelAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn read_alert_channel(
    State(state): State<ControlState>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ChannelAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let channel: ChannelId = id("channel", &channel)?;
    let found = state.store.channel(&grant.tenant, &channel).await.map_err(|e| unavailable(&e))?;
    found.map(|channel| Json(channel.into())).ok_or_else(|| missing("alert channel"))
}

/// Takes a channel away, with what was still to be sent by it.
#[utoipa::path(
    delete,
    path = "/api/v1/alert-channels/{channel}",
    tag = "alerts",
    params(("channel" = ChannelId, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND)),
)]
pub(super) async fn delete_alert_channel(
    State(state): State<ControlState>,
    Path(channel): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let grant = authorize(&state, &headers).await?;
    let channel: ChannelId = id("channel", &channel)?;
    let is_gone = state.store.delete_channel(&grant.tenant, &channel).await.map_err(|e| unavailable(&e))?;
    if is_gone { Ok(StatusCode::NO_CONTENT) } else { Err(missing("alert channel")) }
}

/// Channels by their ids.
#[utoipa::path(
    get,
    path = "/api/v1/alert-channels",
    tag = "alerts",
    params(PageQuery),
    responses((status = OK, body = List<ChannelAnswer>)),
)]
pub(super) async fn list_alert_channels(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<ChannelAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(page)?;
    let after = page.after.as_deref().map(|after| id::<ChannelId>("after", after)).transpose()?;
    let after = after.as_ref().map_or("", ChannelId::as_str);
    let found = state.store.channels(&grant.tenant, Page { after, count: page.limit()? }).await;
    let answers = found.map_err(|e| unavailable(&e))?.into_iter().map(ChannelAnswer::from).collect();
    Ok(page.list(answers, |channel: &ChannelAnswer| channel.id.as_str().to_owned()))
}
