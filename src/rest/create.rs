//! FHIR create interaction, also under a condition. <https://hl7.org/fhir/R4/http.html#create>

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::error::Error;
use super::extract::{Base, Caller, Format};
use super::parameters::pairs;
use super::payload::{self, Media, Payload};
use super::state::TypeState;
use super::write::{self, Context, Method, Target, Task};
use crate::capability::Interaction;

/// `POST [base]/[type]`, with `If-None-Exist: criteria` or, as some clients say it, `POST [base]/[type]?criteria`
pub(super) async fn create(
    State(state): State<TypeState>,
    caller: Caller,
    Base(base): Base,
    _: Format,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Payload,
) -> Result<Response, Error> {
    let context = Context { state: &state.rest, caller: &caller, base: &base };
    let condition = |query: &str, element: &str| {
        write::parse_condition(&state.rest, state.kind(), &base, query, element).map(Target::Condition)
    };
    let mut in_url = pairs(query.as_deref());
    // What cannot be searched has no criteria; clients name files there.
    let searched = state.row.supports(Interaction::SearchType);
    in_url.retain(|(name, _)| searched && !matches!(name.as_str(), "_format" | "_pretty"));
    let target = match (payload::text(&headers, "if-none-exist")?, in_url.is_empty()) {
        (Some(criteria), true) => condition(criteria_of(criteria, &base, state.kind()), "If-None-Exist")?,
        (None, true) => Target::New,
        // As some clients say it; to leave it out would create what was not to be created.
        (None, false) => condition(query.as_deref().unwrap_or_default(), "URL")?,
        (Some(_), false) => return Err(Error::refused("URL", "criteria stand in If-None-Exist already")),
    };
    let body = content(state.kind(), &headers, body)?;
    let task = Task {
        place: None,
        kind: state.kind().to_owned(),
        method: Method::Create,
        target,
        if_match: None,
        full_url: None,
        body: &body,
    };
    write::single(context, task, &headers).await
}

/// Criteria, which some write as a URL: `Patient?identifier=1`, and HAPI's client with the base URL before it.
pub(super) fn criteria_of<'a>(text: &'a str, base: &str, kind: &str) -> &'a str {
    let text = text.strip_prefix(base).map_or(text, |rest| rest.trim_start_matches('/'));
    let text = text.strip_prefix(kind).unwrap_or(text);
    text.strip_prefix('?').unwrap_or(text)
}

/// The resource that was sent; for a Binary, what was sent made into one. <https://hl7.org/fhir/R4/binary.html#rest>
pub(super) fn content(kind: &str, headers: &HeaderMap, body: Payload) -> Result<Vec<u8>, Error> {
    match &body.media {
        Media::Other(media) if kind == "Binary" => {
            let mut binary = json!({"resourceType": "Binary", "contentType": media});
            if let Some(context) = payload::text(headers, "x-security-context")? {
                binary["securityContext"] = json!({ "reference": context });
            }
            if !body.bytes.is_empty() {
                binary["data"] = json!(STANDARD.encode(&body.bytes));
            }
            Ok(binary.to_string().into_bytes())
        }
        _ => Ok(body.fhir()?.to_vec()),
    }
}
