//! `$meta`: profiles, tags and security labels of a resource. <https://hl7.org/fhir/R4/resource-operation-meta.html>

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::parameters::{answer, parameter};
use crate::rest::error::Error;
use crate::rest::state::TypeState;

/// `GET [base]/[type]/[id]/$meta`
pub(super) async fn meta(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    let id = call.id.as_ref().ok_or_else(|| Error::invalid("id", "is required"))?;
    let missing = || Error::NotFound(format!("{}/{id}", state.kind()));
    let stored = call.caller.read(&state.rest, state.kind(), id).await?.ok_or_else(missing)?;
    let resource: Value = serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)?;
    let meta = resource.get("meta").cloned().unwrap_or_else(|| json!({}));
    Ok(answer(vec![parameter("return", ("valueMeta", meta))]))
}
