//! FHIR read interaction. <https://hl7.org/fhir/R4/http.html#read>

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::error::Error;
use super::extract::{BinaryFormat, Caller, Format, Id};
use super::parameters::Shape;
use super::respond::{self, Version};
use super::state::TypeState;
use super::subset::subset;
use crate::id::ResourceId;
use crate::store::Stored;

/// `GET [base]/[type]/[id]`
pub(super) async fn read(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    _: Format,
    shape: Shape,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let stored = current(&state, &caller, &id).await?;
    resource(&state, &headers, &stored, &shape)
}

/// `GET [base]/Binary/[id]`: the content itself, unless FHIR JSON is asked for. <https://hl7.org/fhir/R4/binary.html#rest>
pub(super) async fn read_binary(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    format: BinaryFormat,
    shape: Shape,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let stored = current(&state, &caller, &id).await?;
    if format.fhir { resource(&state, &headers, &stored, &shape) } else { content(&headers, &stored) }
}

/// The current version; an error says whether there ever was one.
async fn current(state: &TypeState, caller: &Caller, id: &ResourceId) -> Result<Stored, Error> {
    let kind = state.kind();
    match caller.read(&state.rest, kind, id).await? {
        Some(stored) => Ok(stored),
        None if caller.deletion(&state.rest, kind, id).await?.is_some() => Err(Error::Gone(format!("{kind}/{id}"))),
        None => Err(Error::NotFound(format!("{kind}/{id}"))),
    }
}

/// A stored resource with its version, as much of it as is wanted.
pub(super) fn resource(
    state: &TypeState,
    headers: &HeaderMap,
    stored: &Stored,
    shape: &Shape,
) -> Result<Response, Error> {
    let json = subset(stored.json(), Some(&state.row), shape).map_err(|_| Error::Damaged)?;
    Ok(respond::versioned(headers, &Version::of(stored), || respond::json(StatusCode::OK, json)))
}

#[derive(Deserialize)]
struct Binary {
    #[serde(rename = "contentType")]
    content_type: String,
    #[serde(default)]
    data: String,
}

fn content(headers: &HeaderMap, stored: &Stored) -> Result<Response, Error> {
    let binary: Binary = serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)?;
    let data: String = binary.data.split_ascii_whitespace().collect();
    let bytes = STANDARD.decode(data).map_err(|_| Error::Damaged)?;
    let content_type = HeaderValue::from_str(&binary.content_type).map_err(|_| Error::Damaged)?;
    Ok(respond::versioned(headers, &Version::of(stored), || {
        let mut response = respond::typed(StatusCode::OK, content_type, bytes);
        // Somebody else's content is shown, never run.
        response.headers_mut().insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        response
            .headers_mut()
            .insert("content-security-policy", HeaderValue::from_static("default-src 'none'; sandbox"));
        response
    }))
}
