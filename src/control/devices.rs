//! `/api/v1/devices/{device}`: which model a device is, and on whom it is.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{ControlState, authorize, unavailable};
use crate::id::{DeviceKey, ResourceId};
use crate::problem::Problem;
use crate::store::DeviceLink;

/// The device's state, as it is sent and answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceBody {
    /// Row in `registry/device`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Logical id of the Patient; left out, the device's packets wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patient: Option<String>,
}

/// Makes a device known and puts it on a patient; packets that waited for that start to flow.
pub(super) async fn link(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Result<Json<DeviceBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let Json(body) = body.map_err(|e| invalid("body", e))?;
    if let Some(model) = &body.model
        && !state.registry.devices.contains_key(model)
    {
        return Err(invalid("model", format!("there is no registry/device row {model}")));
    }
    let patient = body.patient.clone().map(ResourceId::new).transpose().map_err(|e| invalid("patient", e))?;
    if let Some(patient) = &patient {
        let stub = crate::projection::stub_patient(&grant.tenant, patient, grant.sandbox);
        state.store.put_if_absent(&grant.tenant, stub).await.map_err(|e| unavailable(&e))?;
    }
    let link = DeviceLink { device: device.clone(), model: body.model.clone(), patient };
    let before = state.store.device_link(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    if before.as_ref() != Some(&link) {
        state.store.link_device(&grant.tenant, &link).await.map_err(|e| unavailable(&e))?;
        state.pipeline.reassociate(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    }
    let status = if before.is_none() { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(body)).into_response())
}

/// What is known about a device.
pub(super) async fn read(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Result<Json<DeviceBody>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let link = state.store.device_link(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    let link = link.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "unknown-device", "no such device"))?;
    Ok(Json(DeviceBody { model: link.model, patient: link.patient.map(String::from) }))
}

fn invalid(element: &str, problem: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid-device", format!("{element}: {problem}"))
        .with("element", element)
}
