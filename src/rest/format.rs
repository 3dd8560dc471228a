//! What stands around all routes: XML turned into JSON and back, NDJSON, compressed bodies, and who may call from a browser.
//!
//! The routes speak JSON only. A body in XML becomes JSON before they see it, and what they answer, Bundles and
//! OperationOutcomes too, becomes XML or NDJSON on its way out. Limits on size are of what a body unpacks to.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use tower_http::cors::{Any, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;

use super::error::Error;
use super::extract::{Form, Format, is_xml};
use super::ndjson;
use super::payload::{self, MOST_BUNDLE};
use crate::fhir::{json, xml};

const FHIR_XML: &str = "application/fhir+xml; charset=utf-8";

/// The routes with all of this around them.
pub(super) fn wrap(routes: Router) -> Router {
    // The last one is the outermost.
    routes
        .layer(from_fn(convert))
        .layer(DefaultBodyLimit::max(MOST_BUNDLE))
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn(known_encoding))
        .layer(cors())
}

fn cors() -> CorsLayer {
    let exposed = [
        header::ETAG,
        header::LOCATION,
        header::CONTENT_LOCATION,
        header::LAST_MODIFIED,
        header::LINK,
        header::RETRY_AFTER,
    ];
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let headers = [
        header::ACCEPT,
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        HeaderName::from_static("if-none-exist"),
        HeaderName::from_static("prefer"),
        HeaderName::from_static("x-provenance"),
        HeaderName::from_static("x-requested-with"),
        HeaderName::from_static("x-security-context"),
    ];
    CorsLayer::new().allow_origin(Any).allow_methods(methods).allow_headers(headers).expose_headers(exposed)
}

/// Refuses a compression nobody here undoes, in words.
async fn known_encoding(request: Request, next: Next) -> Response {
    let known = |v: &HeaderValue| matches!(v.to_str(), Ok("gzip" | "zstd" | "identity"));
    if request.headers().get_all(header::CONTENT_ENCODING).iter().all(known) {
        next.run(request).await
    } else {
        Error::UnsupportedMediaType("compressed with gzip or zstd, or not at all").into_response()
    }
}

async fn convert(mut request: Request, next: Next) -> Response {
    let wanted = Format::of(request.uri().query().unwrap_or_default(), request.headers());
    let sent = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    if sent.is_some_and(is_xml) {
        request = match to_json(request).await {
            Ok(request) => request,
            Err(error) => return answer(wanted, error.into_response()).await,
        };
    }
    answer(wanted, next.run(request).await).await
}

async fn to_json(request: Request) -> Result<Request, Error> {
    let (mut parts, body) = request.into_parts();
    let mut inner = Request::new(body);
    *inner.extensions_mut() = parts.extensions.clone();
    let bytes = payload::read(inner, &()).await?;
    let refuse = |problem: String| Error::refused("body", problem);
    let element = xml::parse(&bytes).map_err(|error| refuse(error.to_string()))?;
    let json = json::to_vec(&element).map_err(|error| refuse(error.to_string()))?;
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/fhir+json"));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(json.len()));
    Ok(Request::from_parts(parts, Body::from(json)))
}

async fn answer(wanted: Format, response: Response) -> Response {
    // What went wrong is said in JSON where lines were asked for: it is none of them.
    let as_it_is = match wanted.form {
        Form::Json => true,
        Form::Xml => false,
        Form::Ndjson => !response.status().is_success(),
    };
    if as_it_is || !is_fhir_json(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, usize::MAX).await else { return Error::Body.into_response() };
    let media = if wanted.form == Form::Ndjson { ndjson::MEDIA_TYPE } else { FHIR_XML };
    let written = match wanted.form {
        _ if bytes.is_empty() => Some(Vec::new()), // the answer to HEAD
        Form::Ndjson => {
            let lines = ndjson::lines(&bytes);
            let next = lines.as_ref().and_then(|(_, next)| next.as_deref()).map(|url| format!("<{url}>; rel=\"next\""));
            if let Some(link) = next.and_then(|link| HeaderValue::from_str(&link).ok()) {
                parts.headers.insert(header::LINK, link);
            }
            lines.map(|(lines, _)| lines)
        }
        Form::Json | Form::Xml => json::parse(&bytes).ok().and_then(|element| xml::to_vec(&element).ok()),
    };
    let Some(written) = written else { return Error::Damaged.into_response() };
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(written))
}

fn is_fhir_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|t| t.starts_with("application/fhir+json"))
}
