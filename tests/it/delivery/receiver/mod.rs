//! A small FHIR server of the project's own to deliver to: what a Medplum does, as far as delivery sees it. It stands in for
//! the real code, which `medplum.rs` delivers to where that is there.

mod store;
mod token;

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::listener::Listener;
use store::Store;
pub(crate) use token::{CLIENT, SECRET};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    DropAfter,
    Status(u16),
    Truncate,
    ForgetTokens,
}

type Shared = Arc<Mutex<Store>>;

/// A running receiver.
pub(crate) struct Receiver {
    store: Shared,
    listener: Listener,
}

impl Receiver {
    pub(crate) fn start() -> Self {
        Self::serve("127.0.0.1:0", Store::default())
    }

    /// One that writes what it has to a journal before it answers, and begins with what is in there.
    pub(crate) fn durable(address: &str, journal: &Path) -> Self {
        Self::serve(address, Store::durable(journal))
    }

    fn serve(address: &str, store: Store) -> Self {
        let store = Arc::new(Mutex::new(store));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&store));
        Self { listener: Listener::start(address, router), store }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Store) -> T) -> T {
        look(&mut self.store.lock().unwrap())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.listener.address)
    }

    pub(crate) fn base(&self) -> String {
        format!("{}/fhir/R4", self.url())
    }

    pub(crate) fn token_url(&self) -> String {
        format!("{}/oauth2/token", self.url())
    }

    /// Only clients that sign with one of these keys get tokens.
    pub(crate) fn trust(&self, jwks: Value) {
        self.with(|store| store.tokens.jwks = Some(jwks));
    }

    /// All of a type.
    pub(crate) fn all(&self, kind: &str) -> Vec<Value> {
        let of_kind = format!("{kind}/");
        self.with(|store| {
            let all = store.resources.iter().filter(|(name, _)| name.starts_with(&of_kind));
            all.map(|(_, resource)| resource.clone()).collect()
        })
    }
}

pub(super) fn outcome(status: u16, text: &str) -> (u16, Value) {
    (
        status,
        json!({"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid", "details": {"text": text}}]}),
    )
}

async fn answer(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let delay = shared.lock().unwrap().delay;
    tokio::time::sleep(delay).await;
    let (fault, response) = {
        let mut store = shared.lock().unwrap();
        store.urls.push(uri.to_string());
        let mut fault = (!store.faults.is_empty()).then(|| store.faults.remove(0));
        if store.fails_every.is_some_and(|every| store.urls.len() % every == 0) {
            fault = Some(Fault::Status(503));
        }
        if let Some(Fault::Status(status)) = fault {
            return reply(outcome(status, "injected"));
        }
        if fault == Some(Fault::ForgetTokens) {
            store.tokens.forget();
        }
        (fault, store.answer(&method, &uri, &headers, &body))
    };
    match fault {
        Some(Fault::DropAfter) => cut(),
        Some(Fault::Truncate) => half(response),
        _ => reply(response),
    }
}

/// Ends the task of the connection, which closes it without a word.
pub(super) fn cut() -> ! {
    std::panic::resume_unwind(Box::new("the connection is cut"))
}

/// The first half of an answer, as if it were all.
fn half((status, body): (u16, Value)) -> Response {
    let text = body.to_string();
    let half = text[..text.len() / 2].to_owned();
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/fhir+json")], half).into_response()
}

pub(super) fn reply((status, body): (u16, Value)) -> Response {
    let text = if body.is_null() { String::new() } else { body.to_string() };
    (StatusCode::from_u16(status).unwrap(), [(header::CONTENT_TYPE, "application/fhir+json")], text).into_response()
}

/// A receiver as a process of its own, which `process.rs` starts: it serves until it is killed.
#[test]
#[ignore = "is a process of other tests"]
fn serve() {
    let journal = std::env::var_os("JOURNAL").expect("JOURNAL names the file of what it has");
    let port = std::env::var("PORT").unwrap();
    let receiver = Receiver::durable(&format!("127.0.0.1:{port}"), Path::new(&journal));
    println!("{}", json!({ "url": receiver.url() }));
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}
