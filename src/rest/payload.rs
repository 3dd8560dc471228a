//! What a request brings along to be written, and what its sender wants to hear.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse as _;

use super::error::Error;
use super::patch::JSON_PATCH;
use super::write::IfMatch;

/// Most bytes of one resource.
pub(super) const MOST_RESOURCE: usize = 16 * 1024 * 1024;

/// Most bytes of a Bundle.
pub(super) const MOST_BUNDLE: usize = 64 * 1024 * 1024;

/// A body with its type.
#[derive(Debug)]
pub(super) struct Payload {
    pub(super) bytes: Bytes,
    pub(super) media: Media,
}

/// What a body is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Media {
    /// A resource as JSON; XML has been turned into it before.
    Fhir,
    /// RFC 6902.
    JsonPatch,
    /// Anything else.
    Other(String),
}

impl Media {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(header::CONTENT_TYPE).map(|v| v.to_str().unwrap_or("?").to_owned());
        let Some(given) = given else { return Self::Fhir };
        match given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/fhir+json" | "application/json" | "text/json" => Self::Fhir,
            JSON_PATCH => Self::JsonPatch,
            _ => Self::Other(given),
        }
    }
}

impl Payload {
    /// A resource; nothing else will do.
    pub(super) fn fhir(self) -> Result<Bytes, Error> {
        match self.media {
            Media::Fhir => Ok(self.bytes),
            _ => Err(Error::UnsupportedMediaType("application/fhir+json or application/fhir+xml")),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let media = Media::of(request.headers());
        Ok(Self { bytes: read(request, state).await?, media })
    }
}

/// The body of a request, up to the limit of its route.
pub(super) async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Error> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::Body,
    })
}

/// `Prefer: return=…`, what to answer to a write. `respond-async` is not honoured: the answer is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Return {
    /// Headers alone.
    Minimal,
    /// The resource as it is now.
    Representation,
    /// An OperationOutcome.
    Outcome,
}

impl Return {
    /// What the header says, if it does.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let wishes = headers.get_all("prefer").iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split([',', ';']));
        let wished = wishes.map(str::trim).find_map(|wish| wish.strip_prefix("return="))?;
        match wished.trim_matches('"') {
            "minimal" => Some(Self::Minimal),
            "representation" => Some(Self::Representation),
            "OperationOutcome" => Some(Self::Outcome),
            _ => None,
        }
    }
}

/// `If-Match`.
pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, Error> {
    text(headers, header::IF_MATCH.as_str())?.map(IfMatch::parse).transpose()
}

/// `If-Match` or `If-None-Match` of an update.
pub(super) fn if_match_of_update(headers: &HeaderMap) -> Result<Option<IfMatch>, Error> {
    let given = |name: header::HeaderName| text(headers, name.as_str());
    IfMatch::of_update(given(header::IF_MATCH)?, given(header::IF_NONE_MATCH)?)
}

/// A header that is text, once.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Error> {
    let mut given = headers.get_all(name).iter();
    let Some(one) = given.next() else { return Ok(None) };
    match (std::str::from_utf8(one.as_bytes()), given.next()) {
        (Ok(text), None) => Ok(Some(text)),
        _ => Err(Error::invalid(name, "must be there once and be text")),
    }
}
