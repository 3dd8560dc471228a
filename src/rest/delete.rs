//! FHIR delete interaction, also under a condition that one resource meets. <https://hl7.org/fhir/R4/http.html#delete>

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format, Id};
use super::payload;
use super::state::TypeState;
use super::write::{self, Context, Method, Target, Task};

/// `DELETE [base]/[type]/[id]`
pub(super) async fn delete(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
) -> Result<Response, Error> {
    run((&state, &caller, &base), Target::Id(id), &headers).await
}

/// `DELETE [base]/[type]?[criteria]`
pub(super) async fn conditional_delete(
    State(state): State<TypeState>,
    caller: Caller,
    Base(base): Base,
    _: Format,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let query = query.unwrap_or_default();
    let condition = write::parse_condition(&state.rest, state.kind(), &base, &query, "URL")?;
    run((&state, &caller, &base), Target::Condition(condition), &headers).await
}

async fn run(
    (state, caller, base): (&TypeState, &Caller, &str),
    target: Target,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let context = Context { state: &state.rest, caller, base };
    let (kind, if_match) = (state.kind().to_owned(), payload::if_match(headers)?);
    let task = Task { place: None, kind, method: Method::Delete, target, if_match, full_url: None, body: &[] };
    write::single(context, task, headers).await
}
