//! `/api/v1/launches`: an EHR opens an app for a patient.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch>

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{failed, invalid, read};
use super::{ControlState, authorize};
use crate::auth::{LaunchContext, NoLaunch};
use crate::id::ResourceId;
use crate::problem::Problem;

/// What an app is opened for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LaunchRequest {
    /// Id of the app.
    client: String,
    /// Logical id of the Patient.
    #[serde(default)]
    patient: Option<ResourceId>,
    /// Logical id of the Encounter.
    #[serde(default)]
    encounter: Option<ResourceId>,
    /// Id of the only user who may use it so, where that is known.
    #[serde(default)]
    user: Option<String>,
    /// Whether the app is to show whom it is about; left out, it is.
    #[serde(default)]
    need_patient_banner: Option<bool>,
}

/// What the app is opened with.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LaunchAnswer {
    /// The parameter `launch` of the app's launch URL; good once.
    launch: String,
    /// Seconds the app has.
    expires_in: i64,
}

/// Opens an app for a patient: its launch URL is opened with `iss`, the FHIR base URL, and with `launch`.
#[utoipa::path(
    post,
    path = "/api/v1/launches",
    operation_id = "create_launch",
    tag = "sign-in",
    request_body = LaunchRequest,
    responses((status = CREATED, body = LaunchAnswer)),
)]
pub(super) async fn create_launch(
    State(state): State<ControlState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let LaunchRequest { client, patient, encounter, user, need_patient_banner } = read(&body)?;
    for (element, kind, id) in [("patient", "Patient", &patient), ("encounter", "Encounter", &encounter)] {
        let Some(id) = id else { continue };
        if state.store.read(&grant.tenant, kind, id).await.map_err(|e| failed(&e))?.is_none() {
            return Err(invalid(element, format!("there is no such {kind}")));
        }
    }
    let need_patient_banner = need_patient_banner.unwrap_or(true);
    let context = LaunchContext { patient, encounter, person: user, need_patient_banner };
    let (launch, expires_in) =
        state.auth.launch(&grant.tenant, &client, &context).await.map_err(|error| match error {
            NoLaunch::Client => invalid("client", "there is no such app"),
            NoLaunch::Person => invalid("user", "there is no such user"),
            NoLaunch::Random => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()).retry_after(1)
            }
            NoLaunch::Store(error) => failed(&error),
        })?;
    Ok((StatusCode::CREATED, Json(LaunchAnswer { launch: launch.expose().to_owned(), expires_in })).into_response())
}
