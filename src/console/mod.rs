//! `/console/`: two pages, no frameworks, nothing from elsewhere. They read the FHIR API with the key their user gives them,
//! as any client would; the key stays in the page (it comes in the URL's fragment, which browsers do not send). `live.html`
//! is told of what happens by subscriptions: see `docs/subscriptions.md`.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Path, media type and content of each file.
const FILES: [(&str, &str, &str); 13] = [
    ("/console/", HTML, include_str!("index.html")),
    ("/console/console.css", CSS, include_str!("console.css")),
    ("/console/console.js", JAVASCRIPT, include_str!("console.js")),
    ("/console/live.html", HTML, include_str!("live/live.html")),
    ("/console/live/live.css", CSS, include_str!("live/live.css")),
    ("/console/live/live.js", JAVASCRIPT, include_str!("live/live.js")),
    ("/console/live/feed.js", JAVASCRIPT, include_str!("live/feed.js")),
    ("/console/live/fhir.js", JAVASCRIPT, include_str!("live/fhir.js")),
    ("/console/live/flags.js", JAVASCRIPT, include_str!("live/flags.js")),
    ("/console/live/heart.js", JAVASCRIPT, include_str!("live/heart.js")),
    ("/console/live/notification.js", JAVASCRIPT, include_str!("live/notification.js")),
    ("/console/live/trend.js", JAVASCRIPT, include_str!("live/trend.js")),
    ("/console/live/view.js", JAVASCRIPT, include_str!("live/view.js")),
];

/// Only what this server itself serves may run in a page, and images it made from the FHIR API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The pages and their parts.
pub fn router() -> Router {
    let router = Router::new().route("/console", get(|| async { Redirect::permanent("/console/") }));
    FILES.into_iter().fold(router, |router, (path, kind, content)| {
        router.route(path, get(move || async move { asset(kind, content) }))
    })
}

fn asset(kind: &'static str, body: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body)
}
