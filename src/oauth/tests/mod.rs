//! The endpoints as clients see them, and as attackers do. Tests of attacks are named after them.

mod attacks;
mod browser;
mod key_sets;
mod launch;
mod launch_attacks;

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::auth::fixture::{ClientKey, unsigned};
use crate::auth::{Fetcher, Limits, NewClient, NewKey, Policy, install_tls};
use crate::capability::Capability;
use crate::id::TenantId;
use crate::store::fixture::{Standing, store, tenant};
use crate::store::{ClientKeys, Store};
use crate::time::{Clock as _, MICROS};

const ROOT: &str = "https://example.org";
const TOKEN_URL: &str = "https://example.org/oauth2/token";

struct Server {
    _directory: TempDir,
    store: Store,
    router: Router,
    auth: Auth,
    key: ClientKey,
    client: String,
}

fn now() -> i64 {
    Standing.now().0 / MICROS
}

fn node(store: &Store, public_url: Option<&str>, anywhere: bool) -> (Router, Auth) {
    install_tls();
    let auth = Auth::new(
        store.clone(),
        Arc::new(Standing),
        Policy::new(None).unwrap(),
        Fetcher::new(anywhere).unwrap(),
        Limits::default(),
    );
    let state = OauthState {
        auth: auth.clone(),
        capability: Arc::new(Capability::builtin().unwrap()),
        public_url: public_url.map(Into::into),
        tenant: tenant("a"),
        sign_in: None,
        store: store.clone(),
        categories: Arc::new([("vital-signs", "Vital Signs"), ("laboratory", "Laboratory")]),
    };
    (router(state), auth)
}

async fn register(store: &Store, name: &str, keys: ClientKeys, scope: &str) -> String {
    install_tls();
    let new = NewClient {
        tenant: tenant(name),
        name: "Test".to_owned(),
        scope: scope.to_owned(),
        keys,
        redirects: Vec::new(),
    };
    new.register(store, &Fetcher::new(true).unwrap()).await.unwrap().id
}

async fn server() -> Server {
    let (directory, store) = store().await;
    let key = ClientKey::new();
    let client = register(&store, "a", ClientKeys::Value(key.jwks()), "system/Observation.rs system/Patient.r").await;
    let (router, auth) = node(&store, Some(ROOT), false);
    Server { _directory: directory, store, router, auth, key, client }
}

fn head() -> Value {
    json!({"alg": "ES384", "kid": "k1", "typ": "JWT"})
}

/// What a client says of itself; `jti` is a new one each time.
fn claims(client: &str) -> Value {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).unwrap();
    json!({"iss": client, "sub": client, "aud": TOKEN_URL, "exp": now() + 240, "iat": now(), "jti": hex::encode(random)})
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

const ASSERTION: (&str, &str) = ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

async fn post(router: &Router, path: &str, body: String, headers: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "example.org");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

async fn ask(router: &Router, assertion: &str, scope: &str) -> (StatusCode, Value) {
    let pairs = [("grant_type", "client_credentials"), ("scope", scope), ASSERTION, ("client_assertion", assertion)];
    post(router, "/oauth2/token", form(&pairs), &[]).await
}

impl Server {
    fn assertion(&self) -> String {
        self.key.sign(&head(), &claims(&self.client))
    }

    async fn ask(&self, assertion: &str) -> (StatusCode, Value) {
        ask(&self.router, assertion, "system/Observation.rs").await
    }

    async fn token(&self) -> String {
        let (status, answer) = self.ask(&self.assertion()).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// An assertion with one claim changed.
    fn but(&self, name: &str, value: Value) -> String {
        let mut claims = claims(&self.client);
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        self.key.sign(&head(), &claims)
    }

    #[track_caller]
    fn refused((status, answer): (StatusCode, Value), error: &str) {
        assert_eq!((status, answer["error"].as_str()), (StatusCode::BAD_REQUEST, Some(error)), "{answer}");
        assert!(answer.get("access_token").is_none());
    }

    async fn is_good(&self, token: &str) -> bool {
        self.auth.authenticate_token(token).await.is_ok()
    }
}

#[tokio::test]
async fn a_client_that_proves_itself_gets_a_token_for_five_minutes() {
    let server = server().await;
    let (status, answer) = server.ask(&server.assertion()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("bearer"), &json!(300)));
    assert_eq!(answer["scope"], "system/Observation.rs");
    assert!(answer.get("refresh_token").is_none());
    let token = answer["access_token"].as_str().unwrap();
    let bearer = server.auth.authenticate_token(token).await.unwrap();
    assert_eq!((bearer.tenant.as_str(), bearer.key_id.as_str()), ("a", server.client.as_str()));
    assert!(
        bearer.may("Observation", crate::auth::Access::Search) && !bearer.may("Patient", crate::auth::Access::Read)
    );

    // Anybody can check it with the published keys.
    let request = Request::get("/oauth2/jwks").header("host", "example.org").body(Body::empty()).unwrap();
    let response = server.router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.headers()[header::CACHE_CONTROL], "public, max-age=600");
    let keys: Value = serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
    let jwk = &keys["keys"][0];
    assert!(jwk.get("d").is_none());
    let bytes = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let public = [&[4][..], &bytes("x"), &bytes("y")].concat();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_FIXED, public);
    key.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[tokio::test]
async fn the_configuration_names_what_is_there() {
    let server = server().await;
    for (path, base) in [("", ROOT.to_owned()), ("/t/a", format!("{ROOT}/t/a"))] {
        let path = format!("{path}/fhir/R4/.well-known/smart-configuration");
        let request = Request::get(&path).header("accept", "text/html").body(Body::empty()).unwrap();
        let response = server.router.clone().oneshot(request).await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()[header::CONTENT_TYPE]),
            (StatusCode::OK, &"application/json".parse().unwrap())
        );
        let document: Value =
            serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap();
        for name in ["token_endpoint", "jwks_uri", "introspection_endpoint", "revocation_endpoint"] {
            let url = document[name].as_str().unwrap();
            let path = url.strip_prefix(ROOT).unwrap_or_else(|| panic!("{url} does not start with {ROOT}"));
            assert!(url.starts_with(&base));
            let request = Request::get(path).body(Body::empty()).unwrap();
            assert_ne!(server.router.clone().oneshot(request).await.unwrap().status(), StatusCode::NOT_FOUND, "{url}");
        }
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
        // Every scope that is listed is one.
        for scope in document["scopes_supported"].as_array().unwrap() {
            crate::auth::ScopeSet::parse_all(scope.as_str().unwrap()).unwrap();
        }
    }
}

#[tokio::test]
async fn keys_and_clients_of_the_wrong_kind_are_not_made() {
    let (_directory, store) = store().await;
    let make = |name: &str, sandbox: bool, scope: &str, patient: Option<&str>| {
        let patient = patient.map(|p| crate::id::ResourceId::new(p).unwrap());
        let new = NewKey { scope: scope.to_owned(), patient, ..NewKey::for_everything(tenant(name), sandbox) };
        let store = store.clone();
        async move { new.create(&store).await.map(|key| key.expose().to_owned()) }
    };
    // A tenant holds synthetic patients alone, or real ones.
    make("sandbox", true, "system/*.rs", None).await.unwrap();
    make("live", false, "system/*.rs", None).await.unwrap();
    assert!(make("sandbox", false, "system/*.rs", None).await.is_err());
    assert!(make("live", true, "system/*.rs", None).await.is_err());
    for (scope, patient) in [
        ("patient/*.rs", None),
        ("system/*.rs", Some("p")),
        ("patient/*.rs ingest", Some("p")),
        ("patient/*.rs system/*.rs", Some("p")),
        ("nonsense", None),
    ] {
        assert!(make("sandbox", true, scope, patient).await.is_err(), "{scope}");
    }
    make("sandbox", true, "patient/*.rs", Some("p")).await.unwrap();
    let key = ClientKey::new();
    for (name, scope, keys) in [
        ("x", "patient/*.rs", key.jwks()),
        ("x", "user/*.rs", key.jwks()),
        ("x", "", key.jwks()),
        ("", "system/*.rs", key.jwks()),
        ("x", "system/*.rs", "{}".to_owned()),
        ("x", "system/*.rs", r#"{"keys":[]}"#.to_owned()),
    ] {
        let new = NewClient {
            tenant: tenant("live"),
            name: name.to_owned(),
            scope: scope.to_owned(),
            keys: ClientKeys::Value(keys),
            redirects: Vec::new(),
        };
        assert!(new.register(&store, &Fetcher::new(false).unwrap()).await.is_err(), "{name:?} {scope:?}");
    }
}

/// `cargo test --release --lib -- --ignored --nocapture grants_per_second`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
async fn grants_per_second() {
    const GRANTS: usize = 6_000;
    const AT_ONCE: usize = 64;
    let server = server().await;
    let assertions: Vec<String> = (0..GRANTS).map(|_| server.assertion()).collect();
    let (begin, cpu) = (std::time::Instant::now(), cpu());
    let mut lanes = tokio::task::JoinSet::new();
    for lane in assertions.chunks(GRANTS.div_ceil(AT_ONCE)) {
        let (router, lane) = (server.router.clone(), lane.to_vec());
        lanes.spawn(async move {
            for assertion in lane {
                assert_eq!(ask(&router, &assertion, "system/Observation.rs").await.0, StatusCode::OK);
            }
        });
    }
    lanes.join_all().await;
    let (passed, spent) = (begin.elapsed().as_secs_f64(), self::cpu() - cpu);
    println!("{:.0} grants/s passed, ES384; {:.0} µs of CPU each", GRANTS as f64 / passed, spent * 1e6 / GRANTS as f64);
}

/// Seconds of processor time this process has taken so far.
fn cpu() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}
