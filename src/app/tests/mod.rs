//! Every route there is, driven from the router itself: who is let in, and what of whose comes out.

mod tenants;

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::auth::{NewKey, install_tls};
use crate::capability::{Capability, Interaction, Source};
use crate::config::Given;
use crate::store::fixture::{Standing, database, resource, tenant};

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

struct Server {
    _directory: TempDir,
    app: App,
    /// Everything in `a`, nothing in `a`, everything in `b`.
    keys: [String; 3],
}

async fn server() -> Server {
    server_with(Given::default()).await
}

/// Two tenants with resources of the same ids, told apart by what stands in them.
async fn server_with(given: Given) -> Server {
    install_tls();
    let directory = TempDir::new().unwrap();
    let database = Some(database(&directory).await);
    let (data, listen) = (Some(directory.path().to_owned()), "127.0.0.1:0".parse().ok());
    let config = Given { listen, data, database, ..given }.build().unwrap();
    let app = App::build(config, Arc::new(Standing)).await.unwrap();
    for name in ["a", "b"] {
        let kinds = Capability::builtin().unwrap();
        let stored = kinds.resources().filter(|row| row.source == Source::Store);
        let resources =
            stored.map(|row| resource(&row.resource, "x", &format!(r#","implicitRules":"urn:marker:{name}""#)));
        app.store().put(&tenant(name), resources.collect()).await.unwrap();
    }
    let mut keys = Vec::new();
    for (name, scope) in [("a", None), ("a", Some("system/Basic.r")), ("b", None)] {
        let mut new = NewKey::for_everything(tenant(name), true);
        new.scope = scope.map_or(new.scope, str::to_owned);
        keys.push(new.create(app.store()).await.unwrap().expose().to_owned());
    }
    Server { _directory: directory, app, keys: keys.try_into().unwrap() }
}

/// Every path the router has, as it shows itself.
fn routed(router: &Router) -> BTreeSet<String> {
    let shown = format!("{router:?}");
    // A slash alone is what paths are made of; that nothing is there, `nothing_is_at_the_root` tells.
    let is_path = |text: &&str| text.starts_with('/') && *text != "/" && !text.contains("{*");
    shown.split('"').filter(is_path).map(str::to_owned).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    /// Anybody may ask.
    Open,
    /// Clients prove themselves in the form.
    Client,
    /// A page, which shows and does something in the browser alone in which somebody has signed in.
    Page,
    /// Authenticates when the connection is upgraded; `tests/it/ingest_stream.rs` sees to that.
    Socket,
    Ingest,
    Control,
    Fhir,
}

/// Which door a path is behind; nothing for one that nobody has thought of.
fn door(path: &str) -> Option<Door> {
    let path = path.strip_prefix("/t/{tenant}").unwrap_or(path);
    Some(match path {
        "/healthz"
        | "/readyz"
        | "/metrics"
        | "/api/v1/openapi.json"
        | "/api/v1/client-keys/{tenant}/{id}/jwks.json"
        | "/oauth2/jwks"
        | "/console"
        | "/console/"
        | "/console/console.js"
        | "/console/console.css"
        | "/console/live.html"
        | "/console/live/live.css"
        | "/console/live/live.js"
        | "/console/live/feed.js"
        | "/console/live/fhir.js"
        | "/console/live/flags.js"
        | "/console/live/heart.js"
        | "/console/live/notification.js"
        | "/console/live/trend.js"
        | "/console/live/view.js"
        | "/fhir/R4/metadata"
        | "/fhir/R4/openapi.json"
        | "/fhir/R4/.well-known/smart-configuration"
        | "/.well-known/openid-configuration"
        | "/oauth2/page.css"
        | "/oauth2/style.json" => Door::Open,
        "/oauth2/token" | "/oauth2/introspect" | "/oauth2/revoke" => Door::Client,
        // A websocket is bound by what is said in it; nothing is shown before.
        "/oauth2/authorize"
        | "/oauth2/callback"
        | "/oauth2/sign-in"
        | "/oauth2/consent"
        | "/subscription/websocket" => Door::Page,
        "/ingest/stream" => Door::Socket,
        "/ingest/raw-packet" => Door::Ingest,
        "/fhir/R4" | "/fhir/R4/" => Door::Fhir,
        _ if path.starts_with("/api/v1/") => Door::Control,
        _ if path.starts_with("/fhir/R4/") => Door::Fhir,
        // Our own definitions, where their canonical URLs point.
        _ if path.starts_with("/fhir/") && path.ends_with("/{id}") && path.matches('/').count() == 3 => Door::Open,
        _ => return None,
    })
}

/// The resource type of a FHIR path; empty for the system's.
fn kind(path: &str) -> &str {
    let after = path.split("/fhir/R4/").nth(1).unwrap_or_default();
    let first = after.split('/').next().unwrap_or_default();
    if first.starts_with(|c: char| c.is_ascii_uppercase()) { first } else { "" }
}

fn filled(path: &str) -> String {
    path.replace("{tenant}", "a")
        .replace("{version}", "1")
        .split('/')
        .map(|s| if s.starts_with('{') { "x" } else { s })
        .collect::<Vec<_>>()
        .join("/")
}

/// A request that is well-formed there.
fn request(door: Door, method: &Method, path: &str) -> Request<Body> {
    let of_type = kind(path);
    let is_system = door == Door::Fhir && of_type.is_empty();
    let is_type = door == Door::Fhir && path.ends_with(&format!("/{of_type}"));
    let query = match *method {
        Method::GET if is_system && !path.ends_with("_history") => "?_type=Patient",
        Method::PUT | Method::PATCH | Method::DELETE if is_type => "?_id=x",
        _ => "",
    };
    let (media, body) = match door {
        _ if matches!(*method, Method::GET | Method::DELETE) => ("application/json", String::new()),
        Door::Fhir if path.ends_with("_search") => {
            ("application/x-www-form-urlencoded", if is_system { "_type=Patient".to_owned() } else { String::new() })
        }
        Door::Fhir if *method == Method::PATCH => ("application/json-patch+json", "[]".to_owned()),
        Door::Fhir if path.contains('$') => {
            ("application/fhir+json", json!({"resourceType": "Parameters"}).to_string())
        }
        Door::Fhir if is_system => {
            let entry = json!([{"request": {"method": "GET", "url": "Patient/x"}}]);
            ("application/fhir+json", json!({"resourceType": "Bundle", "type": "batch", "entry": entry}).to_string())
        }
        Door::Fhir => {
            ("application/fhir+json", json!({"resourceType": of_type, "id": "x", "contentType": "a/b"}).to_string())
        }
        _ => ("application/json", "{}".to_owned()),
    };
    let request =
        Request::builder().method(method).uri(format!("{}{query}", filled(path))).header("host", "127.0.0.1:1");
    request.header("content-type", media).body(Body::from(body)).unwrap()
}

async fn send(router: &Router, mut request: Request<Body>, key: Option<&str>) -> (u16, String) {
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn every_route_asks_who_is_there_and_what_they_may() {
    let server = server().await;
    let [all, nothing, other] = server.keys.each_ref().map(String::as_str);
    let router = &server.app.router;
    let mut driven = 0;
    for path in routed(router) {
        let door = door(&path).unwrap_or_else(|| panic!("nobody has said who may ask {path}"));
        for method in METHODS {
            let place = format!("{method} {path}");
            let ask = |key| send(router, request(door, &method, &path), key);
            let (status, body) = ask(None).await;
            if status == 405 {
                continue;
            }
            driven += 1;
            match door {
                Door::Open => {
                    assert_ne!(status, 401, "{place}");
                    continue;
                }
                Door::Page => {
                    for key in [None, Some(all)] {
                        let (status, body) = send(router, request(door, &method, &path), key).await;
                        assert!((400..500).contains(&status), "{place}: {status} {body}");
                        assert!(!body.contains("urn:marker"), "{place}: {body}");
                    }
                    continue;
                }
                // Without a form there is nothing to see who it is by.
                Door::Client => {
                    assert!(status == 400 || status == 401, "{place}: {status}");
                    continue;
                }
                Door::Socket => {
                    assert!((400..500).contains(&status), "{place}: {status}");
                    continue;
                }
                Door::Ingest | Door::Control | Door::Fhir => assert_eq!(status, 401, "{place}: {body}"),
            }
            if path.starts_with("/t/") {
                let (status, body) = ask(Some(other)).await;
                assert_eq!(status, 403, "wrong tenant, {place}: {body}");
            }
            let (refused, refusal) = ask(Some(nothing)).await;
            let (status, body) = ask(Some(all)).await;
            // What the pipeline would have made is read-only, whatever the scopes.
            let is_let_in = status != 403 || body.contains("is derived by this server");
            assert!(status != 401 && is_let_in, "enough, {place}: {status} {body}");
            if door == Door::Fhir && method == Method::POST && kind(&path).is_empty() && !path.ends_with("_search") {
                // Each entry of a batch is asked by itself.
                assert!(
                    refusal.contains("\"403 Forbidden\"") && body.contains("\"200 OK\""),
                    "{place}: {refusal} {body}"
                );
                continue;
            }
            // What is malformed may be refused as that before.
            let malformed = refused == status && (400..500).contains(&status);
            assert!(refused == 403 || malformed, "missing scope, {place}: {refused} {refusal}, enough: {status}");
            assert!(!refusal.contains("urn:marker"), "{place}: {refusal}");
        }
    }
    assert!(driven > 300, "only {driven} driven: is the test still looking?");
}

#[tokio::test]
async fn nothing_is_at_the_root() {
    let server = server().await;
    for method in METHODS {
        let request = Request::builder().method(method).uri("/").body(Body::empty()).unwrap();
        assert_eq!(send(&server.app.router, request, None).await.0, 404);
    }
}

#[tokio::test]
async fn no_route_shows_one_tenant_what_is_of_another() {
    let server = server().await;
    let router = &server.app.router;
    let mut shown = 0;
    for path in routed(router).iter().filter(|path| door(path) == Some(Door::Fhir)) {
        for query in ["", "?_id=x", "?_count=500", "?_type=Patient,Observation&_id=x", "?_include=*&_revinclude=*"] {
            for (key, own, others) in [(0, "a", "b"), (2, "b", "a")] {
                if path.starts_with("/t/") && own == "b" {
                    continue;
                }
                let request =
                    Request::get(format!("{}{query}", filled(path))).header("host", "127.0.0.1:1").body(Body::empty());
                let (_, body) = send(router, request.unwrap(), Some(&server.keys[key])).await;
                assert!(!body.contains(&format!("urn:marker:{others}")), "{path}{query} as {own}: {body}");
                shown += usize::from(body.contains(&format!("urn:marker:{own}")));
            }
        }
    }
    assert!(shown > 300, "only {shown} answers showed anything: is the test still looking?");
}

#[tokio::test]
async fn what_one_tenant_writes_stays_there() {
    let server = server().await;
    let router = &server.app.router;
    let capability = Capability::builtin().unwrap();
    let rows = || capability.resources().filter(|row| row.source == Source::Store);
    let written = || rows().filter(|row| row.supports(Interaction::Update) && row.supports(Interaction::Delete));
    assert!(written().count() > 10);
    // One of each type that has what is mandatory in it.
    let examples = crate::projection::examples().unwrap();
    let example = |kind: &str| {
        let example = examples.iter().find(|example| example.kind == kind).unwrap_or_else(|| panic!("no {kind}"));
        serde_json::from_slice::<Value>(&crate::fhir::json::to_vec(&example.element).unwrap()).unwrap()
    };
    for row in written() {
        for (key, name) in [(0, "a"), (2, "b")] {
            let mut body = example(&row.resource);
            body["id"] = json!("y");
            body["implicitRules"] = json!(format!("urn:marker:{name}"));
            let request =
                Request::put(format!("/fhir/R4/{}/y", row.resource)).header("content-type", "application/fhir+json");
            let (status, answer) =
                send(router, request.body(Body::from(body.to_string())).unwrap(), Some(&server.keys[key])).await;
            assert_eq!(status, 201, "{}: {answer}", row.resource);
        }
        let request = Request::delete(format!("/fhir/R4/{}/y", row.resource)).body(Body::empty()).unwrap();
        assert_eq!(send(router, request, Some(&server.keys[0])).await.0, 204, "{}", row.resource);
    }
    for row in written() {
        let request = Request::get(format!("/fhir/R4/{}/y", row.resource)).header("accept", "application/fhir+json");
        let (status, body) = send(router, request.body(Body::empty()).unwrap(), Some(&server.keys[2])).await;
        let json: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &json["implicitRules"]), (200, &json!("urn:marker:b")), "{}", row.resource);
    }
}

#[tokio::test]
async fn a_caller_that_asks_for_too_much_is_told_to_wait_and_others_are_not() {
    let server = server_with(Given { requests_per_s: Some(2), ..Given::default() }).await;
    let ask = |key: usize, path: &'static str| {
        let request = Request::get(path).header("authorization", format!("Bearer {}", server.keys[key]));
        server.app.router.clone().oneshot(request.body(Body::empty()).unwrap())
    };
    for path in ["/fhir/R4/Patient/x", "/api/v1/programs"] {
        let mut answers = Vec::new();
        // More than a second brings, even where a second passes meanwhile.
        for _ in 0..32 {
            answers.push(ask(0, path).await.unwrap());
        }
        let refused = answers.iter().find(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS);
        assert!(refused.is_some_and(|answer| answer.headers().contains_key(header::RETRY_AFTER)), "{path}");
        assert_eq!(ask(2, path).await.unwrap().status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_ask_where_a_token_is_needed() {
    let server = server().await;
    let router = &server.app.router;
    for (path, open) in [
        ("/fhir/R4/.well-known/smart-configuration", true),
        ("/fhir/R4/metadata", true),
        ("/fhir/R4/Patient/x", true),
        ("/t/a/fhir/R4/Patient", true),
        ("/oauth2/token", true),
        ("/api/v1/openapi.json", false),
        ("/ingest/raw-packet", false),
        ("/console/", false),
        ("/oauth2/authorize", false),
        ("/oauth2/consent", false),
        ("/oauth2/sign-in", false),
    ] {
        let preflight = Request::builder().method(Method::OPTIONS).uri(path).header("origin", "https://app.example");
        let preflight = preflight
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization");
        let response = router.clone().oneshot(preflight.body(Body::empty()).unwrap()).await.unwrap();
        let allowed = response.headers().get("access-control-allow-origin").is_some_and(|origin| origin == "*");
        assert_eq!(allowed, open, "{path}");
        // With any origin, cookies must never go along.
        assert!(response.headers().get("access-control-allow-credentials").is_none());
    }
}
