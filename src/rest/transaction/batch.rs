//! Entries as requests of their own, answered by the same routes.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tower::ServiceExt as _;

use super::bundle::Entry;
use super::entry::local;
use super::{LOCATIONS, status_line};
use crate::fhir::bundle::{BundleWriter, EntryResponse};
use crate::rest::error::Error;
use crate::rest::patch::JSON_PATCH;
use crate::rest::payload::Return;
use crate::rest::state::RestState;
use crate::time::Instant;

/// Most bytes of one answer.
const MOST_ANSWER: usize = 256 * 1024 * 1024;

/// What the requests of one Bundle share.
#[derive(Debug)]
pub(super) struct Requests<'a> {
    router: Router,
    base: &'a str,
    headers: HeaderMap,
}

impl<'a> Requests<'a> {
    /// For a Bundle that came with these headers.
    pub(super) fn new(state: &RestState, base: &'a str, headers: &HeaderMap) -> Result<Self, Error> {
        let router = state.routes.get().cloned().ok_or(Error::Damaged)?;
        let mut shared = HeaderMap::new();
        for name in [header::AUTHORIZATION, header::HOST] {
            if let Some(value) = headers.get(&name) {
                shared.insert(name, value.clone());
            }
        }
        shared.insert(header::ACCEPT, HeaderValue::from_static("application/fhir+json"));
        let wanted = match Return::of(headers) {
            Some(Return::Representation) => "return=representation",
            Some(Return::Outcome) => "return=OperationOutcome",
            Some(Return::Minimal) | None => "return=minimal",
        };
        shared.insert("prefer", HeaderValue::from_static(wanted));
        Ok(Self { router, base, headers: shared })
    }

    /// Answers an entry.
    pub(super) async fn answer(&self, writer: &mut BundleWriter, entry: &Entry<'_>) {
        let response = match self.request(entry) {
            Ok(request) => self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {}),
            Err(error) => error.into_response(),
        };
        append(writer, response).await;
    }

    fn request(&self, entry: &Entry<'_>) -> Result<Request<Body>, Error> {
        let request = entry.request.as_ref().ok_or_else(|| Error::refused("request", "is missing"))?;
        let url = local(self.base, &request.url);
        if url.is_empty() || url.starts_with('?') || url.contains("://") {
            return Err(Error::refused("request.url", "must start with a resource type"));
        }
        // `https://host/fhir/R4` from its third slash on.
        let path = self.base.splitn(4, '/').nth(3).unwrap_or_default();
        let uri: String = format!("/{path}/{url}").chars().flat_map(escaped).collect();
        let mut built = Request::builder().method(request.method.as_str()).uri(uri);
        for (name, value) in &self.headers {
            built = built.header(name, value);
        }
        let conditions = [
            (header::IF_NONE_MATCH, &request.if_none_match),
            (header::IF_MODIFIED_SINCE, &request.if_modified_since),
            (header::IF_MATCH, &request.if_match),
            (HeaderName::from_static("if-none-exist"), &request.if_none_exist),
        ];
        for (name, value) in conditions.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            built = built.header(name, http_date(value).as_bytes());
        }
        let (media, body) = body(entry, &request.method)?;
        if !body.is_empty() {
            built = built.header(header::CONTENT_TYPE, media);
        }
        built.body(Body::from(body)).map_err(|error| Error::refused("request", error))
    }
}

/// What a URI cannot hold as it is; people write criteria unescaped.
fn escaped(c: char) -> Vec<char> {
    let is_plain = c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c);
    if is_plain {
        return vec![c];
    }
    let mut buffer = [0; 4];
    c.encode_utf8(&mut buffer).bytes().flat_map(|b| format!("%{b:02X}").chars().collect::<Vec<_>>()).collect()
}

/// `ifModifiedSince` is an instant in a Bundle and an HTTP date in a header.
fn http_date(text: &str) -> String {
    let instant = Instant::parse(text).ok().and_then(crate::rest::respond::http_date);
    instant.and_then(|date| date.to_str().ok().map(str::to_owned)).unwrap_or_else(|| text.to_owned())
}

fn body(entry: &Entry<'_>, method: &str) -> Result<(&'static str, Vec<u8>), Error> {
    const FHIR: &str = "application/fhir+json";
    let Some(resource) = entry.resource.filter(|_| matches!(method, "POST" | "PUT" | "PATCH")) else {
        return Ok((FHIR, Vec::new()));
    };
    let text = resource.get();
    if method == "PATCH" {
        let resource: serde_json::Value = serde_json::from_str(text).map_err(|e| Error::refused("resource", e))?;
        if resource["resourceType"] == "Binary" && resource["contentType"] == JSON_PATCH {
            let data = STANDARD.decode(resource["data"].as_str().unwrap_or_default());
            return Ok((JSON_PATCH, data.map_err(|e| Error::refused("resource.data", e))?));
        }
    }
    Ok((FHIR, text.as_bytes().to_vec()))
}

/// An answer as an entry: what failed as its outcome, what was asked for as its resource.
async fn append(writer: &mut BundleWriter, response: Response) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MOST_ANSWER).await.unwrap_or_else(|_| Bytes::new());
    let header = |name: &HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
    let is_fhir = header(&header::CONTENT_TYPE).is_some_and(|t| t.starts_with("application/fhir+json"));
    let body = Some(&*body).filter(|body| is_fhir && !body.is_empty());
    let is_outcome = parts.status.is_client_error()
        || parts.status.is_server_error()
        || body.is_some_and(|b| b.starts_with(br#"{"resourceType":"OperationOutcome""#));
    let modified = header(&header::LAST_MODIFIED).and_then(crate::rest::respond::parse_http_date);
    let modified = modified.map(|seconds| Instant(seconds * crate::time::MICROS).to_fhir());
    writer.response_entry(
        body.filter(|_| !is_outcome),
        &EntryResponse {
            status: status_line(parts.status),
            location: LOCATIONS.iter().find_map(header),
            etag: header(&header::ETAG),
            last_modified: modified.as_deref(),
            outcome: body.filter(|_| is_outcome),
        },
    );
}
