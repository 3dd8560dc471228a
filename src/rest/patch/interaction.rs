//! FHIR patch interaction, also under a condition. <https://hl7.org/fhir/R4/http.html#patch>

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::Patch;
use crate::rest::error::Error;
use crate::rest::extract::{Base, Caller, Format, Id};
use crate::rest::payload::{self, Media, Payload};
use crate::rest::state::TypeState;
use crate::rest::write::{self, Context, Method, Target, Task};

/// `PATCH [base]/[type]/[id]`
pub(in crate::rest) async fn patch(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
    body: Payload,
) -> Result<Response, Error> {
    run((&state, &caller, &base), Target::Id(id), &headers, body).await
}

/// `PATCH [base]/[type]?[criteria]`
pub(in crate::rest) async fn conditional_patch(
    State(state): State<TypeState>,
    caller: Caller,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Payload,
) -> Result<Response, Error> {
    let query = query.unwrap_or_default();
    let condition = write::parse_condition(&state.rest, state.kind(), &base, &query, "URL")?;
    run((&state, &caller, &base), Target::Condition(condition), &headers, body).await
}

async fn run(
    (state, caller, base): (&TypeState, &Caller, &str),
    target: Target,
    headers: &HeaderMap,
    body: Payload,
) -> Result<Response, Error> {
    let context = Context { state: &state.rest, caller, base };
    let patch = match body.media {
        Media::JsonPatch => Patch::json(&body.bytes)?,
        Media::Fhir => Patch::parameters(&body.bytes)?,
        Media::Other(_) => {
            return Err(Error::UnsupportedMediaType(
                "application/json-patch+json, or Parameters as application/fhir+json",
            ));
        }
    };
    let kind = state.kind().to_owned();
    let if_match = payload::if_match(headers)?;
    let task = Task { place: None, kind, method: Method::Patch(patch), target, if_match, full_url: None, body: &[] };
    write::single(context, task, headers).await
}
