//! `/api/v1/alerts`: what somebody should look at.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{List, Moment, PageQuery, Time, id, missing, query};
use super::{ControlState, authorize, unavailable};
use crate::auth::Bearer;
use crate::id::{AlertId, ChannelId};
use crate::problem::Problem;
use crate::store::{Alert, AlertKind, AlertState, Dispatch, DispatchState, Severity};

/// An alert. Of one cause there is one; while it is open it only counts.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AlertAnswer {
    id: AlertId,
    kind: AlertKind,
    severity: Severity,
    state: AlertState,
    /// What it is about.
    about: String,
    /// What to know.
    detail: String,
    /// When it was last opened.
    raised: Time,
    /// When its cause last came.
    last: Time,
    /// How often its cause came.
    occurrences: i64,
    /// When somebody acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged: Option<Time>,
    /// Public id of whose key.
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
}

/// An alert, and what became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct SentAlertAnswer {
    #[serde(flatten)]
    alert: AlertAnswer,
    /// How it was sent since it was last opened.
    sent: Vec<DispatchAnswer>,
}

/// What became of an alert on a channel.
#[derive(Debug, Serialize, ToSchema)]
struct DispatchAnswer {
    /// A channel of the tenant's, or `log`.
    channel: ChannelId,
    state: DispatchState,
    attempts: i64,
    /// What was wrong the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// Which alerts.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertsQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    count: Option<u32>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<AlertState>,
}

impl From<Alert> for AlertAnswer {
    fn from(alert: Alert) -> Self {
        let (acknowledged, acknowledged_by) = alert.acknowledged.map(|(at, by)| (Time(at), by)).unzip();
        Self {
            id: alert.id,
            kind: alert.kind,
            severity: alert.severity,
            state: alert.state,
            about: alert.about,
            detail: alert.detail,
            raised: Time(alert.raised),
            last: Time(alert.last),
            occurrences: alert.occurrences,
            acknowledged,
            acknowledged_by,
        }
    }
}

impl From<Dispatch> for DispatchAnswer {
    fn from(dispatch: Dispatch) -> Self {
        let Dispatch { channel, state, attempts, problem } = dispatch;
        Self { channel, state, attempts, problem }
    }
}

/// Alerts, the last opened first.
#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    tag = "alerts",
    params(AlertsQuery),
    responses((status = OK, body = List<AlertAnswer>)),
)]
pub(super) async fn list_alerts(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<Json<List<AlertAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let AlertsQuery { after, count, state: wanted } = query(page)?;
    let page = PageQuery { after, count };
    let after = page.after.as_deref().map(Moment::parse).transpose()?;
    let found = state.store.alerts(&grant.tenant, wanted, after.as_ref(), page.limit()?).await;
    let answers = found.map_err(|e| unavailable(&e))?.into_iter().map(AlertAnswer::from).collect();
    Ok(page.list(answers, |alert: &AlertAnswer| Moment::text(alert.raised, &alert.id)))
}

/// An alert, and how it was sent.
#[utoipa::path(
    get,
    path = "/api/v1/alerts/{alert}",
    tag = "alerts",
    params(("alert" = AlertId, Path)),
    responses((status = OK, body = SentAlertAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn read_alert(
    State(state): State<ControlState>,
    Path(alert): Path<String>,
    headers: HeaderMap,
) -> Result<Json<SentAlertAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    sent(&state, &grant, &alert).await
}

/// Says that somebody has seen an alert. When its cause comes again, it is opened and sent anew.
#[utoipa::path(
    post,
    path = "/api/v1/alerts/{alert}/acknowledge",
    tag = "alerts",
    params(("alert" = AlertId, Path)),
    responses((status = OK, body = SentAlertAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn acknowledge_alert(
    State(state): State<ControlState>,
    Path(alert): Path<String>,
    headers: HeaderMap,
) -> Result<Json<SentAlertAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let known: AlertId = id("alert", &alert)?;
    state.store.acknowledge(&grant.tenant, &known, &grant.key_id).await.map_err(|e| unavailable(&e))?;
    sent(&state, &grant, &alert).await
}

async fn sent(state: &ControlState, grant: &Bearer, alert: &str) -> Result<Json<SentAlertAnswer>, Problem> {
    let alert: AlertId = id("alert", alert)?;
    let found = state.store.alert(&grant.tenant, &alert).await.map_err(|e| unavailable(&e))?;
    let found = found.ok_or_else(|| missing("alert"))?;
    let sent = state.store.dispatches(&grant.tenant, &alert).await.map_err(|e| unavailable(&e))?;
    Ok(Json(SentAlertAnswer { alert: found.into(), sent: sent.into_iter().map(DispatchAnswer::from).collect() }))
}
