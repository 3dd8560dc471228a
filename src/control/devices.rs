//! `/api/v1/devices/{device}`: which model a device is, and who wears it.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::body::Object;
use super::{ControlState, authorize, unavailable};
use crate::auth::{Bearer, Grant};
use crate::id::{DeviceKey, ResourceId};
use crate::pipeline::to_the_end;
use crate::problem::Problem;
use crate::session::association::{Span, Wearer};
use crate::store::Store;
use crate::time::Instant;

/// The device's state, as it is sent and answered.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceBody {
    /// Row in `registry/device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Logical id of the Patient who wears it; left out, nobody does, and the device's packets wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
}

/// Makes a device known and says who wears it from now on. Packets from before anybody wore it are the first wearer's.
#[utoipa::path(
    put,
    path = "/api/v1/devices/{device}",
    operation_id = "put_device",
    tag = "devices",
    params(("device" = DeviceKey, Path)),
    request_body = DeviceBody,
    responses((status = OK, body = DeviceBody), (status = CREATED, body = DeviceBody)),
)]
pub(super) async fn link(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Object<DeviceBody>>, JsonRejection>,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let Json(Object(body)) = body.map_err(|e| invalid("body", e))?;
    if let Some(model) = &body.model
        && !state.registry.devices.contains_key(model)
    {
        return Err(invalid("model", format!("there is no registry/device row {model}")));
    }
    let patient = body.patient.clone().map(ResourceId::new).transpose().map_err(|e| invalid("patient", e))?;
    let known = state.store.known_device(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    let is_as_before = known.as_ref() == Some(&body.model);
    let model = if is_as_before { Model::AsBefore } else { Model::Now(body.model.clone()) };
    let worn = state.store.worn(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    let worn = worn_from(worn, patient, state.clock.0.now());
    to_the_end(set_worn(state, grant, device, model, worn)).await?;
    let status = if known.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(body)).into_response())
}

/// What is known about a device, and who wears it now.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}",
    operation_id = "read_device",
    tag = "devices",
    params(("device" = DeviceKey, Path)),
    responses((status = OK, body = DeviceBody), (status = NOT_FOUND)),
)]
pub(super) async fn read(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeviceBody>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let known = state.store.known_device(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    let model = known.ok_or_else(unknown)?;
    let worn = state.store.worn(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    let patient = worn.into_iter().find(|span| span.until.is_none()).map(|span| span.wearer.patient.into());
    Ok(Json(DeviceBody { model, patient }))
}

/// What is said of a device's model.
pub(super) enum Model {
    /// Nothing new.
    AsBefore,
    /// That it is this one, or not known.
    Now(Option<String>),
}

/// Stores a device's `model`, if that is another one now, and who wore it when, and has the pipeline act on it.
///
/// Once it is begun it has to come to its end: what is stored and nobody was told of would have no effect until the next start.
pub(super) async fn set_worn(
    state: ControlState,
    grant: Arc<Bearer>,
    device: DeviceKey,
    model: Model,
    worn: Vec<Span>,
) -> Result<(), Problem> {
    let is_other_model = matches!(model, Model::Now(_));
    if let Model::Now(model) = model {
        state.store.know_device(&grant.tenant, &device, model.as_deref()).await.map_err(|e| unavailable(&e))?;
    }
    let is_other_wearer = store_worn(&state.store, &grant, &device, &worn).await;
    if is_other_model || matches!(is_other_wearer, Ok(true)) {
        state.pipeline.reassociate(&grant.tenant, &device).await;
    }
    is_other_wearer.map(drop)
}

/// Stores who wore a device when; whether that changed anything.
async fn store_worn(store: &Store, grant: &Grant, device: &DeviceKey, worn: &[Span]) -> Result<bool, Problem> {
    let tenant = &grant.tenant;
    for span in worn {
        let stub = crate::projection::stub_patient(tenant, &span.wearer.patient, grant.synthetic);
        store.put_if_absent(tenant, stub).await.map_err(|e| unavailable(&e))?;
    }
    store.set_worn(tenant, device, worn).await.map_err(|e| unavailable(&e))
}

/// Who wore a device when, if from `now` on this patient does.
fn worn_from(mut worn: Vec<Span>, patient: Option<ResourceId>, now: Instant) -> Vec<Span> {
    let current = worn.iter_mut().find(|span| span.until.is_none());
    if current.as_ref().map(|span| &span.wearer.patient) == patient.as_ref() {
        return worn;
    }
    if let Some(current) = current {
        current.until = Some(now);
        worn.retain(|span| span.until.is_none_or(|until| span.from < until));
    }
    if let Some(patient) = patient {
        let from = if worn.is_empty() { Instant::MIN } else { now };
        worn.push(Span { from, until: None, wearer: Wearer { patient, episode: None } });
    }
    worn
}

pub(super) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "unknown-device", "no such device")
}

pub(super) fn invalid(element: &str, problem: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-device", format!("{element}: {problem}"))
        .with("element", element)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(patient: &str, from: i64, until: Option<i64>) -> Span {
        let wearer = Wearer { patient: ResourceId::new(patient).unwrap(), episode: None };
        Span { from: Instant(from), until: until.map(Instant), wearer }
    }

    #[test]
    fn the_first_wearer_has_all_from_the_beginning_and_the_next_from_now_on() {
        let patient = |id: &str| Some(ResourceId::new(id).unwrap());
        let first = worn_from(Vec::new(), patient("a"), Instant(10));
        assert_eq!(first, [span("a", i64::MIN, None)]);
        assert_eq!(worn_from(first.clone(), patient("a"), Instant(20)), first);
        let second = worn_from(first, patient("b"), Instant(20));
        assert_eq!(second, [span("a", i64::MIN, Some(20)), span("b", 20, None)]);
        let nobody = worn_from(second, None, Instant(30));
        assert_eq!(nobody, [span("a", i64::MIN, Some(20)), span("b", 20, Some(30))]);
        assert_eq!(worn_from(nobody, patient("a"), Instant(40)).last(), Some(&span("a", 40, None)));
        // Whoever has worn it for no time at all never did.
        assert_eq!(worn_from(vec![span("a", 40, None)], patient("b"), Instant(40)), [span("b", i64::MIN, None)]);
    }
}
