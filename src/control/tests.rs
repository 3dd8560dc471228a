//! The document and the routes are the same.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::Value;
use tower::ServiceExt as _;

use super::*;
use crate::auth::NewKey;
use crate::episode;
use crate::registry::Registry;

const METHODS: [Method; 5] = [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE];

async fn state() -> (tempfile::TempDir, ControlState) {
    let (directory, store) = crate::store::fixture::store().await;
    let registry = Arc::new(Registry::builtin().unwrap());
    let pipeline = episode::fixture::pipeline(&store, &registry).await;
    let clock: Arc<dyn crate::time::Clock> = Arc::new(crate::store::fixture::Standing);
    let archive = crate::archive::Given::default().build(directory.path()).unwrap();
    let vault = Vault::new(archive, store.clone(), Arc::clone(&clock));
    let state = ControlState {
        delivery: crate::delivery::fixture::delivery(&store, &vault, &registry, directory.path()),
        vault,
        reach: crate::outward::Reach::Anywhere,
        auth: Auth::new(
            store.clone(),
            Arc::clone(&clock),
            crate::auth::Policy::new(None).unwrap(),
            crate::auth::fetcher(),
            crate::auth::Limits::default(),
        ),
        episodes: Episodes::new(store.clone(), pipeline.clone(), "Clinic"),
        clock: SharedClock(clock),
        rederivation: Arc::new(crate::pipeline::Rederivation {
            store: store.clone(),
            registry: Arc::clone(&registry),
            organization: "Clinic".to_owned(),
            clock_bound_us: 0,
            episode: None,
            algorithm: None,
            write: true,
        }),
        ways: Ways::new(&crate::alert::Settings::default(), crate::outward::Reach::Public).unwrap(),
        store,
        pipeline,
        registry,
    };
    (directory, state)
}

async fn document(router: &Router) -> Value {
    let request = Request::get("/api/v1/openapi.json").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    serde_json::from_slice(&axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
}

/// Every path of the control plane the router has, as it shows itself.
fn routed() -> BTreeSet<String> {
    let (router, _) = documented().split_for_parts();
    let shown = format!("{router:?}");
    let paths = shown.split('"').filter(|text| text.starts_with("/api/")).map(str::to_owned);
    paths.collect()
}

#[tokio::test]
async fn what_is_documented_is_routed_and_what_is_routed_is_documented() {
    let (_directory, state) = state().await;
    let router = router(state);
    let document = document(&router).await;
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<String> = paths.keys().cloned().collect();
    assert_eq!(documented, routed());
    assert!(documented.contains("/api/v1/devices/{device}") && documented.contains("/api/v1/ingest/lag"));
    for (path, operations) in paths {
        for method in METHODS {
            // HEAD comes with GET.
            let request = Request::builder().method(&method).uri(path.replace(['{', '}'], "")).body(Body::empty());
            let status = router.clone().oneshot(request.unwrap()).await.unwrap().status();
            let is_documented = operations.get(method.as_str().to_lowercase()).is_some();
            assert_eq!(is_documented, status != StatusCode::METHOD_NOT_ALLOWED, "{method} {path}: {status}");
            assert_ne!(status, StatusCode::NOT_FOUND, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_operation_needs_a_key_and_says_what_goes_wrong() {
    let (_directory, state) = state().await;
    let router = router(state);
    let document = document(&router).await;
    assert_eq!(document["security"], serde_json::json!([{"key": []}]));
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(problem, "#/components/schemas/Problem", "{method} {path}");
            let method: Method = method.to_uppercase().parse().unwrap();
            let request = Request::builder().method(&method).uri(path.replace(['{', '}'], "")).body(Body::empty());
            let status = router.clone().oneshot(request.unwrap()).await.unwrap().status();
            let open = operation["security"] == serde_json::json!([{}]);
            assert_eq!(status, if open { StatusCode::OK } else { StatusCode::UNAUTHORIZED }, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_reference_in_the_document_leads_somewhere() {
    let (_directory, state) = state().await;
    let document = document(&router(state)).await;
    let text = document.to_string();
    let references: BTreeSet<&str> =
        text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(references.len() > 10, "{references:?}");
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn a_body_is_an_object() {
    let (_directory, state) = state().await;
    let key = NewKey::for_everything(crate::store::fixture::tenant("a"), true).create(&state.store).await.unwrap();
    let router = router(state);
    let mut asked = 0;
    for (path, operations) in document(&router).await["paths"].as_object().unwrap() {
        for (method, _) in operations.as_object().unwrap().iter().filter(|(_, o)| o.get("requestBody").is_some()) {
            for body in ["[]", "[null,null]", "[null,null,null]", "null", "\"x\"", "1", "{} {}"] {
                let method: Method = method.to_uppercase().parse().unwrap();
                let request = Request::builder().method(&method).uri(path.replace(['{', '}'], ""));
                let request = request.header("authorization", format!("Bearer {}", key.expose()));
                let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
                let status = router.clone().oneshot(request).await.unwrap().status();
                assert!(status.is_client_error(), "{method} {path} {body}: {status}");
                asked += 1;
            }
        }
    }
    assert!(asked > 30, "{asked}");
}

/// Asks as the bearer of a key, with a body where there is one.
async fn ask(router: &Router, key: &crate::secret::Secret, method: Method, path: &str, body: Value) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
    let request = request.header("authorization", format!("Bearer {}", key.expose()));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn what_is_held_back_is_shown_to_those_alone_who_may_read_everything() {
    use crate::store::{AlertKind, HeldKind, NewAlert, NewHeld, Severity};
    let (_directory, state) = state().await;
    let tenant = crate::store::fixture::tenant("a");
    let held = NewHeld {
        kind: HeldKind::Inbound,
        name: "x".to_owned(),
        about: "Patient/x".to_owned(),
        packets: None,
        received: None,
        reason: "not valid".to_owned(),
        outcome: Some(br#"{"issue":[{"diagnostics":"Miller"}]}"#.to_vec()),
        content: br#"{"name":"Miller"}"#.to_vec(),
    };
    let (kind, severity) = (AlertKind::PacketUnreadable, Severity::Error);
    let (cause, about) = ("x".to_owned(), "x".to_owned());
    let alert = NewAlert { kind, severity, cause, about, detail: "Something is wrong" };
    let id = state.store.hold_back(&tenant, &held, &alert).await.unwrap();
    let store = state.store.clone();
    let router = router(state);
    let path = format!("/api/v1/quarantine/{id}");
    for (scope, status) in [
        ("control", 403),
        ("control user/*.r system/Patient.r system/Observation.r", 403),
        ("control system/*.r?_id=x", 403),
        ("control system/*.s", 403),
        ("system/*.cruds", 403),
        ("control system/*.rs", 200),
        ("control system/*.read", 200),
    ] {
        let mut key = NewKey::for_everything(tenant.clone(), true);
        scope.clone_into(&mut key.scope);
        let key = key.create(&store).await.unwrap();
        let (found, content) = ask(&router, &key, Method::GET, &format!("{path}/content"), Value::Null).await;
        assert_eq!(found, status, "{scope}: {content}");
        assert_eq!(content.to_string().contains("Miller"), status == 200, "{scope}: {content}");
        let (found, shown) = ask(&router, &key, Method::GET, &path, Value::Null).await;
        assert_eq!(found, if scope.contains("control") { 200 } else { 403 }, "{scope}");
        assert!(!shown.to_string().contains("Miller"), "{shown}");
    }
}

#[tokio::test]
async fn a_channel_is_checked_when_it_is_made_and_does_not_show_its_secret() {
    let (_directory, state) = state().await;
    let key = NewKey::for_everything(crate::store::fixture::tenant("a"), true).create(&state.store).await.unwrap();
    let router = router(state);
    let put = |id: &str, kind: &str, address: &str| {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = serde_json::json!({"kind": kind, "address": address, "severity": "error", "secret": secret});
        let (router, key, path) = (router.clone(), key.clone(), format!("/api/v1/alert-channels/{id}"));
        async move { ask(&router, &key, Method::PUT, &path, body).await }
    };
    for (id, kind, address, element) in [
        ("ops", "webhook", "http://example.org/", "address"),
        ("ops", "webhook", "https://169.254.169.254/latest", "address"),
        ("ops", "webhook", "https://localhost/", "address"),
        ("ops", "email", "desk@example.org", "address"),
        ("ops", "pigeon", "https://example.org/", "kind"),
        ("log", "webhook", "https://example.org/", "channel"),
    ] {
        let (status, problem) = put(id, kind, address).await;
        assert_eq!((status, &problem["element"]), (422, &element.into()), "{id} {kind} {address}: {problem}");
    }
    let shown = serde_json::json!({
        "id": "ops", "kind": "webhook", "address": "https://hooks.example.org", "severity": "error",
        "is_signed": true,
    });
    let url = "https://hooks.example.org/services/T0/secret";
    assert_eq!(put("ops", "webhook", url).await, (201, shown.clone()));
    assert_eq!(put("ops", "webhook", url).await, (200, shown.clone()));
    let weak = serde_json::json!({"kind": "webhook", "address": url, "secret": "whsec_AAAA"});
    let (status, problem) = ask(&router, &key, Method::PUT, "/api/v1/alert-channels/ops", weak).await;
    assert_eq!((status, &problem["element"]), (422, &"secret".into()), "{problem}");
    let path = "/api/v1/alert-channels/ops";
    assert_eq!(ask(&router, &key, Method::GET, path, Value::Null).await, (200, shown.clone()));
    let (_, list) = ask(&router, &key, Method::GET, "/api/v1/alert-channels?count=1", Value::Null).await;
    assert_eq!(list, serde_json::json!({"items": [shown]}));
    assert_eq!(ask(&router, &key, Method::DELETE, path, Value::Null).await.0, 204);
    assert_eq!(ask(&router, &key, Method::DELETE, path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn scopes_are_handed_on_by_whom_they_are_held() {
    let (_directory, state) = state().await;
    let tenant = crate::store::fixture::tenant("a");
    let keys = crate::auth::fixture::ClientKey::new().jwks();
    let keys: serde_json::Value = serde_json::from_str(&keys).unwrap();
    let store = state.store.clone();
    let router = router(state);
    let client = |scope: &str| serde_json::json!({"name": "x", "scope": scope, "jwks": keys});
    let user = serde_json::json!({"issuer": "https://id.example", "subject": "s", "resource": "Practitioner/x"});
    let app = serde_json::json!({"name": "x", "scope": "patient/*.rs", "redirect_uris": ["https://app.example/"], "secret": true});
    for (own, cases) in [
        (
            "control system/Observation.rs",
            vec![
                ("clients", client("system/Observation.r"), 201),
                ("clients", client("system/Observation.cruds"), 403),
                ("clients", client("system/*.rs"), 403),
                ("clients", client("ingest"), 403),
                ("clients", client("control"), 201),
                ("users", user.clone(), 403),
                ("clients", app.clone(), 201),
            ],
        ),
        ("control ingest system/*.cruds", vec![("clients", client("ingest"), 201), ("users", user.clone(), 201)]),
        ("control system/*.cruds", vec![("users", user.clone(), 409), ("clients", client("patient/*.rs"), 403)]),
    ] {
        let new = NewKey { scope: own.to_owned(), ..NewKey::for_everything(tenant.clone(), true) };
        let key = new.create(&store).await.unwrap();
        for (path, body, expected) in cases {
            let (status, answer) = ask(&router, &key, Method::POST, &format!("/api/v1/{path}"), body.clone()).await;
            assert_eq!(status, expected, "{own}: {path} {body} {answer}");
        }
    }
}
