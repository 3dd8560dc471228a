//! `/api/v1/devices/{device}/associations`: who wore a device from when to when, as a whole.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};

use super::body::Object;
use super::devices::{Model, invalid, set_worn, unknown};
use super::{ControlState, authorize, unavailable};
use crate::id::{DeviceKey, ResourceId};
use crate::pipeline::to_the_end;
use crate::problem::Problem;
use crate::session::association::{Span, Wearer};
use crate::time::Instant;

/// Who wore a device when, oldest first.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AssociationsBody {
    associations: Vec<AssociationBody>,
}

/// One patient's time with a device.
#[derive(Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct AssociationBody {
    /// Logical id of the Patient.
    patient: String,
    /// First instant, RFC 3339; left out: for as long as the device has sent anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// First instant after, RFC 3339; left out: still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<String>,
}

/// Who wore a device when.
#[utoipa::path(
    get,
    path = "/api/v1/devices/{device}/associations",
    operation_id = "read_associations",
    tag = "devices",
    params(("device" = DeviceKey, Path)),
    responses((status = OK, body = AssociationsBody), (status = NOT_FOUND)),
)]
pub(super) async fn read(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
) -> Result<Json<AssociationsBody>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let known = state.store.known_device(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    known.ok_or_else(unknown)?;
    let worn = state.store.worn(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    Ok(Json(body_of(&worn)))
}

/// Corrects who wore a device when. What its packets give is computed anew from the first difference on; what they gave for
/// somebody else becomes `entered-in-error`.
#[utoipa::path(
    put,
    path = "/api/v1/devices/{device}/associations",
    operation_id = "put_associations",
    tag = "devices",
    params(("device" = DeviceKey, Path)),
    request_body = AssociationsBody,
    responses((status = OK, body = AssociationsBody), (status = NOT_FOUND)),
)]
pub(super) async fn replace(
    State(state): State<ControlState>,
    Path(device): Path<String>,
    headers: HeaderMap,
    body: Result<Json<Object<AssociationsBody>>, JsonRejection>,
) -> Result<Json<AssociationsBody>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let device = DeviceKey::new(device).map_err(|e| invalid("device", e))?;
    let Json(Object(body)) = body.map_err(|e| invalid("body", e))?;
    let spans = spans_of(&body, state.clock.0.now())?;
    let known = state.store.known_device(&grant.tenant, &device).await.map_err(|e| unavailable(&e))?;
    known.ok_or_else(unknown)?;
    let answer = body_of(&spans);
    to_the_end(set_worn(state, grant, device, Model::AsBefore, spans)).await?;
    Ok(Json(answer))
}

fn body_of(spans: &[Span]) -> AssociationsBody {
    let association = |span: &Span| AssociationBody {
        patient: span.wearer.patient.to_string(),
        from: (span.from > Instant::MIN).then(|| span.from.to_fhir()),
        until: span.until.map(Instant::to_fhir),
    };
    AssociationsBody { associations: spans.iter().map(association).collect() }
}

fn spans_of(body: &AssociationsBody, now: Instant) -> Result<Vec<Span>, Problem> {
    let mut spans: Vec<Span> = Vec::with_capacity(body.associations.len());
    for (index, one) in body.associations.iter().enumerate() {
        let at = |name: &str| format!("associations[{index}].{name}");
        let time = |name: &str, text: &Option<String>| {
            text.as_deref().map(Instant::parse).transpose().map_err(|e| invalid(&at(name), e))
        };
        let patient = ResourceId::new(one.patient.as_str()).map_err(|e| invalid(&at("patient"), e))?;
        let from = time("from", &one.from)?.unwrap_or(Instant::MIN);
        let until = time("until", &one.until)?;
        if until.is_some_and(|until| until <= from) {
            return Err(invalid(&at("until"), "must be after from"));
        }
        // What will be is not known; a stretch of time that is over has all its windows closed.
        if from > now || until.is_some_and(|until| until > now) {
            let name = if from > now { "from" } else { "until" };
            return Err(invalid(&at(name), "must not lie in the future"));
        }
        let span = Span { from, until, wearer: Wearer { patient, episode: None } };
        if spans.last().is_some_and(|last| last.until.is_none_or(|until| until > span.from)) {
            return Err(invalid(&at("from"), "must not lie before the end of the association before it"));
        }
        spans.push(span);
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(json: serde_json::Value) -> Result<Vec<Span>, String> {
        let body: AssociationsBody = serde_json::from_value(serde_json::json!({"associations": json})).unwrap();
        let now = Instant::parse("2026-02-01T00:00:00Z").unwrap();
        spans_of(&body, now).map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn what_cannot_have_been_is_refused_by_name() {
        let good = serde_json::json!([
            {"patient": "a", "until": "2026-01-02T00:00:00Z"},
            {"patient": "b", "from": "2026-01-02T00:00:00Z"},
        ]);
        assert_eq!(spans(good).unwrap().len(), 2);
        for (bad, element) in [
            (serde_json::json!([{"patient": "a b"}]), "associations[0].patient"),
            (serde_json::json!([{"patient": "a", "from": "yesterday"}]), "associations[0].from"),
            (serde_json::json!([{"patient": "a", "until": "2026-03-01T00:00:00Z"}]), "associations[0].until"),
            (serde_json::json!([{"patient": "a", "from": "2026-03-01T00:00:00Z"}]), "associations[0].from"),
            (
                serde_json::json!([{"patient": "a", "from": "2026-01-02T00:00:00Z", "until": "2026-01-02T00:00:00Z"}]),
                "associations[0].until",
            ),
            (
                serde_json::json!([{"patient": "a"}, {"patient": "b", "from": "2026-01-02T00:00:00Z"}]),
                "associations[1].from",
            ),
        ] {
            let problem = spans(bad).unwrap_err();
            assert!(problem.contains(element), "{problem}");
        }
    }
}
