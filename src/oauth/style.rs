//! `GET /oauth2/style.json`: how apps look that want to look as the server's pages do.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#styling>

use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;

const STYLE: &str = include_str!("pages/style.json");

pub(super) async fn style() -> impl IntoResponse {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], STYLE)
}
