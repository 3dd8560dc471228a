//! A small FHIR server of the project's own to deliver to: what a Medplum does, as far as delivery sees it, with faults at
//! random. It stands in for the real code, which `medplum.rs` delivers to where that is there.
//!
//! What it has outlives it ([`Receiver::kill`]), as what a database has outlives the server before it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::Random;

pub(crate) const CLIENT: &str = "11111111-1111-4111-8111-111111111111";
pub(crate) const SECRET: &str = "receiver-secret-5f3a";

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DropBefore,
    DropAfter,
    Status(u16),
    Hang,
    Truncate,
    ForgetTokens,
}

/// What a receiver has and does.
pub(crate) struct Store {
    /// By type and id.
    pub(crate) resources: BTreeMap<String, Value>,
    /// Sequence of what arrived first, by business identifier.
    pub(crate) arrivals: Vec<String>,
    tokens: BTreeSet<String>,
    pub(crate) token_requests: usize,
    pub(crate) requests: usize,
    /// Every path, query and body's first bytes that were asked for, to look for secrets in.
    pub(crate) urls: Vec<String>,
    /// Chance in a hundred that a request goes wrong.
    pub(crate) fault_chance: u64,
    /// Faults to come, before any at random.
    pub(crate) faults: Vec<Fault>,
    /// Observations with this in them are refused.
    pub(crate) refuses: Option<String>,
    /// Whether transactions are atomic.
    pub(crate) atomic: bool,
    jwks: Option<Value>,
    random: Random,
    last: u64,
}

type Shared = Arc<Mutex<Store>>;

/// A running receiver.
pub(crate) struct Receiver {
    pub(crate) store: Shared,
    pub(crate) address: String,
    /// All that serves its connections: ends with them.
    server: Mutex<Option<Runtime>>,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let store = Store {
            resources: BTreeMap::new(),
            arrivals: Vec::new(),
            tokens: BTreeSet::new(),
            token_requests: 0,
            requests: 0,
            urls: Vec::new(),
            fault_chance: 0,
            faults: Vec::new(),
            refuses: None,
            atomic: false,
            jwks: None,
            random: Random::new(20_260_118),
            last: 0,
        };
        let mut receiver =
            Self { store: Arc::new(Mutex::new(store)), address: String::new(), server: Mutex::new(None) };
        receiver.address = receiver.listen("127.0.0.1:0");
        receiver
    }

    fn listen(&self, address: &str) -> String {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            // The port of one that was killed may be busy for a moment.
            for _ in 0..200 {
                if let Ok(listener) = tokio::net::TcpListener::bind(address).await {
                    return listener;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            panic!("{address} is taken")
        });
        let bound = listener.local_addr().unwrap().to_string();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&self.store));
        runtime.spawn(async move { axum::serve(listener, router).await });
        *self.server.lock().unwrap() = Some(runtime);
        bound
    }

    /// Ends it as SIGKILL would: connections are cut, whatever is under way.
    pub(crate) fn kill(&self) {
        if let Some(server) = self.server.lock().unwrap().take() {
            server.shutdown_background();
        }
        self.with(|store| store.tokens.clear());
    }

    /// Starts it again where it was, with what it had.
    pub(crate) fn restart(&self) {
        let address = self.address.clone();
        self.listen(&address);
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Store) -> T) -> T {
        look(&mut self.store.lock().unwrap())
    }

    pub(crate) fn base(&self) -> String {
        format!("http://{}/fhir/R4", self.address)
    }

    pub(crate) fn token_url(&self) -> String {
        format!("http://{}/oauth2/token", self.address)
    }

    /// Only clients that sign with one of these keys get tokens.
    pub(crate) fn trust(&self, jwks: Value) {
        self.with(|store| store.jwks = Some(jwks));
    }

    /// All of a type.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        self.with(|store| {
            store
                .resources
                .iter()
                .filter(|(name, _)| name.starts_with(&format!("{kind}/")))
                .map(|(_, r)| r.clone())
                .collect()
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

fn outcome(status: u16, text: &str) -> (u16, Value) {
    (
        status,
        json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid", "details": {"text": text}}]}),
    )
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let fault = {
        let mut store = shared.lock().unwrap();
        store.requests += 1;
        store.urls.push(uri.to_string());
        if !store.faults.is_empty() {
            Some(store.faults.remove(0))
        } else if store.fault_chance > 0 && store.random.below(100) < store.fault_chance {
            let faults = [
                Fault::DropBefore,
                Fault::DropAfter,
                Fault::Status(401),
                Fault::Status(409),
                Fault::Status(412),
                Fault::Status(429),
                Fault::Status(500),
                Fault::Status(503),
                Fault::Hang,
                Fault::Truncate,
                Fault::ForgetTokens,
            ];
            let which = store.random.below(faults.len() as u64);
            Some(faults[usize::try_from(which).unwrap()])
        } else {
            None
        }
    };
    match fault {
        Some(Fault::DropBefore) => panic_connection(),
        // A single resource's 412 is a refusal, which a target that is only shaky does not give.
        Some(Fault::Status(412)) if uri.path() != "/oauth2/token" => return reply((503, json!({}))),
        Some(Fault::Status(status)) => {
            let mut response = reply(outcome(status, "injected"));
            if status == 429 {
                response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            }
            return response;
        }
        Some(Fault::Hang) => tokio::time::sleep(std::time::Duration::from_millis(300)).await,
        Some(Fault::ForgetTokens) => shared.lock().unwrap().tokens.clear(),
        _ => {}
    }
    let response = {
        let mut store = shared.lock().unwrap();
        store.answer(&method, &uri, &headers, &body)
    };
    match fault {
        Some(Fault::DropAfter) => panic_connection(),
        Some(Fault::Truncate) => {
            let text = response.1.to_string();
            let half = text[..text.len() / 2].to_owned();
            let status = StatusCode::from_u16(response.0).unwrap();
            (status, [(header::CONTENT_TYPE, "application/fhir+json")], half).into_response()
        }
        _ => reply(response),
    }
}

/// Ends the task of the connection, which closes it without a word.
fn panic_connection() -> ! {
    std::panic::resume_unwind(Box::new("the connection is cut"))
}

fn reply((status, body): (u16, Value)) -> Response {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/fhir+json")], text).into_response()
}

impl Store {
    fn answer(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
        let path = uri.path();
        if path == "/oauth2/token" {
            return self.token(headers, body);
        }
        let Some(rest) = path.strip_prefix("/fhir/R4") else { return outcome(404, "Not found") };
        let rest = rest.trim_matches('/');
        if rest == "metadata" {
            return (200, statement());
        }
        let token = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
        if !token.is_some_and(|token| self.tokens.contains(token)) {
            return outcome(401, "Unauthorized");
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if rest.is_empty() && *method == Method::POST {
            return self.bundle(&body);
        }
        let url = uri.query().map_or(rest.to_owned(), |query| format!("{rest}?{query}"));
        let condition = headers.get("if-none-exist").and_then(|v| v.to_str().ok());
        self.one(method.as_str(), &url, &body, condition)
    }

    fn bundle(&mut self, bundle: &Value) -> (u16, Value) {
        let is_atomic = self.atomic && bundle["type"] == "transaction";
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        if bundle["type"] == "transaction"
            && entries.len() > 8
            && entries.iter().any(|e| e["request"]["ifNoneExist"].is_string())
        {
            return outcome(400, "Transaction requires strict isolation but has too many entries");
        }
        let (before, arrivals) = (self.resources.clone(), self.arrivals.len());
        // Ids are given before anything is written, as references within the Bundle need them.
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        let mut answers = Vec::new();
        for entry in &entries {
            let mut resource = entry["resource"].clone();
            replace(&mut resource, &ids);
            let request = &entry["request"];
            let (method, url) = (request["method"].as_str().unwrap(), request["url"].as_str().unwrap());
            let (status, answer) = self.one(method, url, &resource, request["ifNoneExist"].as_str());
            if status >= 400 && is_atomic {
                self.resources = before;
                self.arrivals.truncate(arrivals);
                return (status, answer);
            }
            if let (Some(url), Some(id)) = (entry["fullUrl"].as_str(), answer["id"].as_str()) {
                ids.insert(url.to_owned(), format!("{}/{id}", answer["resourceType"].as_str().unwrap()));
            }
            let is_outcome = answer["resourceType"] == "OperationOutcome";
            answers.push(if is_outcome {
                json!({"response": {"status": status.to_string(), "outcome": answer}})
            } else {
                let location =
                    format!("{}/{}", answer["resourceType"].as_str().unwrap(), answer["id"].as_str().unwrap());
                json!({"response": {"status": status.to_string(), "location": location}, "resource": answer})
            });
        }
        (
            200,
            json!({"resourceType": "Bundle", "type": format!("{}-response", bundle["type"].as_str().unwrap()), "entry": answers}),
        )
    }

    fn one(&mut self, method: &str, url: &str, resource: &Value, condition: Option<&str>) -> (u16, Value) {
        let (name, query) = url.split_once('?').unwrap_or((url, ""));
        let kind = name.split('/').next().unwrap();
        match method {
            "GET" if name.contains('/') => {
                self.resources.get(name).map_or(outcome(404, "Not found"), |found| (200, found.clone()))
            }
            "GET" => {
                let query = form_urlencoded::parse(query.as_bytes()).next().map(|(n, v)| format!("{n}={v}"));
                let query = query.unwrap_or_default();
                let found = self.matching(kind, &query);
                let entries: Vec<Value> = found.iter().map(|name| json!({"resource": self.resources[name]})).collect();
                (200, json!({"resourceType": "Bundle", "type": "searchset", "entry": entries}))
            }
            _ if self
                .refuses
                .as_ref()
                .is_some_and(|text| kind == "Observation" && resource.to_string().contains(text)) =>
            {
                outcome(422, "this one is not wanted here")
            }
            "PUT" if !self.resources.contains_key(name) => outcome(404, "Not found"),
            "PUT" => {
                self.resources.insert(name.to_owned(), resource.clone());
                (200, resource.clone())
            }
            "POST" => {
                match condition.map(|condition| self.matching(kind, condition)).unwrap_or_default().as_slice() {
                    [] => {}
                    [one] => return (200, self.resources[one].clone()),
                    _ => return outcome(412, "Multiple resources found matching condition"),
                }
                self.last += 1;
                let id = format!("00000000-0000-4000-8000-{:012}", self.last);
                let mut made = resource.clone();
                made["id"] = json!(id);
                self.arrivals.push(condition.unwrap_or_default().to_owned());
                self.resources.insert(format!("{kind}/{id}"), made.clone());
                (201, made)
            }
            _ => outcome(405, "Method not allowed"),
        }
    }

    /// Names of those of a type that have the identifier or tag of `identifier=system|value`.
    fn matching(&self, kind: &str, condition: &str) -> Vec<String> {
        let (parameter, token) = condition.split_once('=').unwrap();
        let (system, value) = token.split_once('|').unwrap();
        let has = |resource: &Value| {
            let (list, code) = match parameter {
                "identifier" => (&resource["identifier"], "value"),
                _ => (&resource["meta"]["tag"], "code"),
            };
            list.as_array().is_some_and(|all| all.iter().any(|one| one["system"] == system && one[code] == value))
        };
        let of_kind = self.resources.iter().filter(|(name, _)| name.starts_with(&format!("{kind}/")));
        of_kind.filter(|(_, resource)| has(resource)).map(|(name, _)| name.clone()).collect()
    }

    fn token(&mut self, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
        self.token_requests += 1;
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Basic "));
        let is_known = match (&self.jwks, form.get("client_assertion")) {
            (Some(jwks), Some(assertion)) => is_signed(assertion, jwks),
            (None, None) => basic.is_some_and(|basic| basic == STANDARD.encode(format!("{CLIENT}:{SECRET}"))),
            _ => false,
        };
        if !is_known || form.get("grant_type").is_none_or(|grant| grant != "client_credentials") {
            return (400, json!({"error": "invalid_request", "error_description": "Invalid client"}));
        }
        let token = format!("token-{}-{}", self.token_requests, self.random.below(1 << 40));
        self.tokens.insert(token.clone());
        (200, json!({"token_type": "Bearer", "access_token": token, "expires_in": 3600}))
    }
}

fn is_signed(assertion: &str, jwks: &Value) -> bool {
    let parts: Vec<&str> = assertion.split('.').collect();
    let decoded = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let (head, claims) = (decoded(parts[0]), decoded(parts[1]));
    let is_claimed = claims["iss"] == CLIENT
        && claims["sub"] == CLIENT
        && claims["aud"].as_str().is_some_and(|aud| aud.ends_with("/oauth2/token"));
    let Some(key) = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]) else { return false };
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    is_claimed && UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message.as_bytes(), &signature).is_ok()
}

fn replace(value: &mut Value, ids: &BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                match inner {
                    Value::String(text) if name == "reference" => {
                        if let Some(id) = ids.get(text) {
                            text.clone_from(id);
                        }
                    }
                    other => replace(other, ids),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, ids)),
        _ => {}
    }
}

fn statement() -> Value {
    let kinds = ["Organization", "Device", "Patient", "Observation", "DocumentReference", "Provenance"];
    let types: Vec<Value> =
        kinds.iter().map(|kind| json!({"type": kind, "conditionalCreate": true, "updateCreate": false})).collect();
    json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "interaction": [{"code": "batch"}], "resource": types}]})
}
