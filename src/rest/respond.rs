//! Answers: resources with their version, conditional reads. <https://hl7.org/fhir/R4/http.html#cread>

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::store::Stored;
use crate::time::{Instant, MICROS};

/// The media type of everything here.
pub(super) const FHIR_JSON: &str = "application/fhir+json; charset=utf-8";

/// A response of FHIR JSON.
pub(super) fn json(status: StatusCode, body: Vec<u8>) -> Response {
    typed(status, HeaderValue::from_static(FHIR_JSON), body)
}

/// A response of any type.
pub(super) fn typed(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

/// `W/"3"` and when it was written.
#[derive(Debug, Clone)]
pub(super) struct Version {
    etag: String,
    modified: Option<Instant>,
}

impl Version {
    /// Of a resource in this version, made then.
    pub(super) fn new(version: i64, modified: Instant) -> Self {
        Self { etag: format!("W/\"{version}\""), modified: Some(modified) }
    }

    /// Of a stored resource.
    pub(super) fn of(stored: &Stored) -> Self {
        Self::new(stored.version, stored.updated)
    }

    /// Of bytes without a version of their own.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        use sha2::{Digest, Sha256};
        let digest = hex::encode(Sha256::digest(bytes));
        Self { etag: format!("W/\"{}\"", digest.get(..16).unwrap_or_default()), modified: None }
    }

    /// Whether the request already has this version.
    fn is_known(&self, request: &HeaderMap) -> bool {
        if request.contains_key(header::IF_NONE_MATCH) {
            let mut tags = request
                .get_all(header::IF_NONE_MATCH)
                .iter()
                .filter_map(|v| v.to_str().ok())
                .flat_map(|v| v.split(','));
            return tags.any(|tag| tag.trim() == "*" || opaque(tag) == opaque(&self.etag));
        }
        let since = request.get(header::IF_MODIFIED_SINCE).and_then(|v| v.to_str().ok()).and_then(parse_http_date);
        // HTTP dates have whole seconds, so equal means not modified.
        since.zip(self.modified).is_some_and(|(since, modified)| modified.0.div_euclid(MICROS) <= since)
    }

    /// Says in the headers which version the answer is about.
    pub(super) fn stamp(&self, response: &mut Response) {
        if let Ok(etag) = HeaderValue::from_str(&self.etag) {
            response.headers_mut().insert(header::ETAG, etag);
        }
        if let Some(modified) = self.modified.and_then(http_date) {
            response.headers_mut().insert(header::LAST_MODIFIED, modified);
        }
    }
}

/// The answer of `body`, or `304 Not Modified` when the request has this version.
pub(super) fn versioned(request: &HeaderMap, version: &Version, body: impl FnOnce() -> Response) -> Response {
    let mut response = if version.is_known(request) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        body()
    };
    version.stamp(&mut response);
    response
}

/// What two weakly equal entity tags share.
fn opaque(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// An IMF-fixdate.
pub(super) fn http_date(at: Instant) -> Option<HeaderValue> {
    let timestamp = jiff::Timestamp::from_microsecond(at.0).ok()?;
    HeaderValue::from_str(&timestamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()).ok()
}

/// Seconds since 1970 of an IMF-fixdate.
pub(super) fn parse_http_date(text: &str) -> Option<i64> {
    let civil = jiff::civil::DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_go_both_ways() {
        let at = Instant::parse("2026-01-18T14:32:12Z").unwrap();
        let text = http_date(at).unwrap();
        assert_eq!(text, "Sun, 18 Jan 2026 14:32:12 GMT");
        assert_eq!(parse_http_date(text.to_str().unwrap()), Some(at.0 / MICROS));
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
