//! Pages for people: plain HTML without scripts, in which nothing may run and which nobody may frame.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::error::Error;
use crate::secret::Secret;

const STYLE: &str = include_str!("pages/page.css");

/// A text as it may stand in HTML, also in an attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A page of this title; `body` is HTML. Its forms may lead to this server and, where that sends people on, to `onward`.
pub(super) fn page(status: StatusCode, title: &str, body: &str, onward: Option<&str>) -> Response {
    let html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <link rel=\"stylesheet\" href=\"/oauth2/page.css\"></head><body><main><h1>{title}</h1>\n{body}</main></body></html>\n",
        title = escaped(title),
    );
    let onward = onward.and_then(origin).map_or_else(String::new, |origin| format!(" {origin}"));
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{onward}; base-uri 'none'; frame-ancestors 'none'"
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A page that says what went wrong, for somebody who cannot be sent back.
pub(super) fn sorry(status: StatusCode, problem: &str) -> Response {
    let body =
        format!("<p class=\"bad\">{}</p><p class=\"soft\">Go back to the app and start again.</p>", escaped(problem));
    page(status, "This did not work", &body, None)
}

/// Sends a browser elsewhere, with its cookie where that is new.
pub(super) fn onward(url: &str, cookie: Option<HeaderValue>) -> Response {
    let Ok(location) = HeaderValue::from_str(url) else {
        return sorry(StatusCode::BAD_REQUEST, "There is nowhere to go on to.");
    };
    let mut response = StatusCode::SEE_OTHER.into_response();
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        headers.insert(header::SET_COOKIE, cookie);
    }
    response
}

/// The URL with these parameters added, as it stands otherwise.
pub(super) fn with(url: &str, pairs: &[(&str, &str)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let joint = match url.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    format!("{url}{joint}{query}")
}

/// What a form's action may be that leads to this URL: the origin or, where there is none, the scheme.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once(':')?;
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]+".contains(&b));
    let origin = match rest.strip_prefix("//") {
        Some(rest) => format!("{scheme}://{}", rest.split(['/', '?']).next()?),
        None => format!("{scheme}:"),
    };
    plain(&origin.replace("//", "")).then_some(origin)
}

/// `GET /oauth2/page.css`
pub(super) async fn style() -> impl IntoResponse {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"))], STYLE)
}

/// What people are told when the server cannot go on.
pub(super) fn failed(error: &Error) -> Response {
    let (status, _) = error.parts();
    sorry(status, &error.to_string())
}

/// A hidden field.
pub(super) fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">", escaped(name), escaped(value))
}

/// The fields every form has: what it is about, and that this server made it.
pub(super) fn ours(request: &Secret, csrf: &str) -> String {
    hidden("request", request.expose()) + &hidden("csrf", csrf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_keep_what_they_have_and_forms_lead_nowhere_else() {
        assert_eq!(with("https://a.example/cb", &[("code", "a&b")]), "https://a.example/cb?code=a%26b");
        assert_eq!(with("https://a.example/cb?x=1", &[("code", "c")]), "https://a.example/cb?x=1&code=c");
        assert_eq!(with("https://a.example/cb?", &[("code", "c")]), "https://a.example/cb?code=c");
        for (url, found) in [
            ("https://a.example/cb?x=1", Some("https://a.example")),
            ("http://127.0.0.1:3000/", Some("http://127.0.0.1:3000")),
            ("com.example.app:/cb", Some("com.example.app:")),
            ("https://a.example;script-src/cb", None),
        ] {
            assert_eq!(origin(url).as_deref(), found, "{url}");
        }
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
