//! FHIR update interaction, also as create and under a condition. <https://hl7.org/fhir/R4/http.html#update>

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::create::content;
use super::error::Error;
use super::extract::{Base, Caller, Format, Id};
use super::payload::{self, Media, Payload};
use super::state::TypeState;
use super::write::{self, Context, Method, Target, Task};

/// `PUT [base]/[type]/[id]`
pub(super) async fn update(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
    body: Payload,
) -> Result<Response, Error> {
    let raw = matches!(body.media, Media::Other(_));
    let mut body = content(state.kind(), &headers, body)?;
    if raw {
        // What was sent could not say its id.
        let mut binary: serde_json::Value = serde_json::from_slice(&body).map_err(|_| Error::Damaged)?;
        binary["id"] = id.as_str().into();
        body = binary.to_string().into_bytes();
    }
    put((&state, &caller, &base), Target::Id(id), &headers, &body).await
}

/// `PUT [base]/[type]?[criteria]`
pub(super) async fn conditional_update(
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
    let body = body.fhir()?;
    put((&state, &caller, &base), Target::Condition(condition), &headers, &body).await
}

async fn put(
    (state, caller, base): (&TypeState, &Caller, &str),
    target: Target,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Error> {
    let context = Context { state: &state.rest, caller, base };
    let kind = state.kind().to_owned();
    let if_match = payload::if_match_of_update(headers)?;
    let task = Task { place: None, kind, method: Method::Update, target, if_match, full_url: None, body };
    write::single(context, task, headers).await
}
