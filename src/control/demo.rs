//! `/api/v1/demo/fhir-export`: a few values into somebody's Medplum project, of which nothing is kept here.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{check_text, invalid, read};
use super::{ControlState, authorize};
use crate::delivery::demo::{DemoError, FEATURES, Feature, Made, Project};
use crate::problem::Problem;
use crate::secret::Secret;

/// Values, and whose project they go to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DemoRequest {
    /// Base URL of the FHIR API, such as `https://api.medplum.com/fhir/R4`.
    base_url: String,
    /// Id of a client of the project.
    client_id: String,
    /// Its secret: used for one token, and neither kept nor logged.
    #[schema(write_only)]
    client_secret: String,
    /// The values. Panels and waveforms are skipped.
    #[schema(min_items = 1, max_items = 64)]
    features: Vec<Feature>,
}

/// Sends values to a Medplum project. The same values once more make nothing new there.
#[utoipa::path(
    post,
    path = "/api/v1/demo/fhir-export",
    tag = "delivery",
    request_body = DemoRequest,
    responses(
        (status = OK, body = Made),
        (status = BAD_GATEWAY, description = "The project gave no token or did not answer"),
    ),
)]
pub(super) async fn demo_export(
    State(state): State<ControlState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<Made>, Problem> {
    authorize(&state, &headers).await?;
    let DemoRequest { base_url, client_id, client_secret, features } = read(&body)?;
    check_text("client_id", &client_id, 200)?;
    if features.is_empty() || features.len() > FEATURES {
        return Err(invalid("features", format!("must be 1 to {FEATURES}")));
    }
    let project = Project { base_url, client_id, client_secret: Secret::new(client_secret) };
    match state.delivery.demo(&project, &features, &state.registry, state.reach).await {
        Ok(made) => Ok(Json(made)),
        Err(error @ DemoError::Host) => Err(invalid("base_url", error)),
        Err(DemoError::Time(place)) => {
            Err(invalid(&format!("features[{place}].effective"), "must be a time as RFC 3339"))
        }
        Err(error @ DemoError::Project(_)) => Err(invalid("features", error)),
        Err(DemoError::Target(problem)) => Err(Problem::new(StatusCode::BAD_GATEWAY, "target", problem)),
    }
}
