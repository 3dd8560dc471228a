//! `/api/v1/triggers`: exports that are due.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::{List, PageQuery, Time, failed, id, invalid, query};
use super::{ControlState, authorize};
use crate::id::{EpisodeId, ExportName};
use crate::problem::Problem;
use crate::program::Trigger;
use crate::store::{ExportTrigger, TriggerKey, TriggerState};

/// An export that is due.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TriggerAnswer {
    /// Its key in the list.
    id: String,
    episode: EpisodeId,
    /// The export of the episode's profile.
    export: ExportName,
    trigger: Trigger,
    /// Which time it is due.
    occurrence: String,
    /// Where it goes.
    target: String,
    state: TriggerState,
    /// Event time of what it tells of.
    event_time: Time,
}

/// Which exports.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TriggersQuery {
    /// `next` of the page before.
    after: Option<String>,
    /// Items on the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    count: Option<u32>,
    /// Only those in this state.
    #[param(inline)]
    state: Option<TriggerState>,
}

impl From<ExportTrigger> for TriggerAnswer {
    fn from(of: ExportTrigger) -> Self {
        Self {
            id: text(&of.key),
            episode: of.key.episode,
            export: of.key.export,
            trigger: of.trigger,
            occurrence: of.key.occurrence,
            target: of.target,
            state: of.state,
            event_time: Time(of.event),
        }
    }
}

/// Exports that are due, by episode, export and occurrence: each is there once.
#[utoipa::path(
    get,
    path = "/api/v1/triggers",
    tag = "triggers",
    params(TriggersQuery),
    responses((status = OK, body = List<TriggerAnswer>)),
)]
pub(super) async fn list_triggers(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<TriggersQuery>, QueryRejection>,
) -> Result<Json<List<TriggerAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let TriggersQuery { after, count, state: wanted } = query(page)?;
    let page = PageQuery { after, count };
    let after = page.after.as_deref().map(key).transpose()?;
    let found = state.store.triggers(&grant.tenant, wanted, after.as_ref(), page.limit()?).await;
    let answers = found.map_err(|e| failed(&e))?.into_iter().map(TriggerAnswer::from).collect();
    Ok(page.list(answers, |trigger: &TriggerAnswer| trigger.id.clone()))
}

fn text(key: &TriggerKey) -> String {
    format!("{}/{}/{}", key.episode, key.export, key.occurrence)
}

fn key(text: &str) -> Result<TriggerKey, Problem> {
    let mut parts = text.splitn(3, '/');
    let mut part = || parts.next().unwrap_or_default();
    let (episode, export, occurrence) = (id("after", part())?, id("after", part())?, part().to_owned());
    if occurrence.is_empty() || !occurrence.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(invalid("after", "is no key of this list"));
    }
    Ok(TriggerKey { episode, export, occurrence })
}
