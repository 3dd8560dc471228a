//! An endpoint that is told, in another process than the server's: it remembers what it was sent and answers as it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::support::{Random, eventually};

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) text: String,
    /// When it came.
    pub(crate) at: Instant,
}

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Status(u16),
    /// After so many milliseconds, well.
    Late(u64),
}

#[derive(Default)]
pub(crate) struct State_ {
    told: Vec<Told>,
    /// Numbers of the events in them, and what they are of where that is said.
    events: Vec<(i64, Option<String>)>,
    /// For the next requests; well after that.
    answers: Vec<Answer>,
    /// Chance in a hundred that a request goes wrong, and how many did.
    chance: u64,
    faults: usize,
    random: Option<Random>,
}

type Shared = Arc<Mutex<State_>>;

pub(crate) struct Listener {
    pub(crate) url: String,
    address: SocketAddr,
    state: Shared,
    /// What it serves with, while it does.
    serving: Mutex<Option<Runtime>>,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let state = Shared::default();
        let (address, runtime) = serve(SocketAddr::from(([127, 0, 0, 1], 0)), &state).unwrap();
        Self { url: format!("http://{address}/hook"), address, state, serving: Mutex::new(Some(runtime)) }
    }

    /// Refuses connections from now on, and ends those there are.
    pub(crate) fn close(&self) {
        if let Some(runtime) = self.serving.lock().unwrap().take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    /// Takes connections again.
    pub(crate) fn open(&self) {
        let mut serving = self.serving.lock().unwrap();
        if serving.is_none() {
            *serving = Some(eventually("the port to be free", || serve(self.address, &self.state).ok()).1);
        }
    }

    /// Answers the next requests so.
    pub(crate) fn answer(&self, answers: &[Answer]) {
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// From now on so many in a hundred requests go wrong.
    pub(crate) fn shaky(&self, chance: u64) {
        let mut state = self.state.lock().unwrap();
        (state.chance, state.random) = (chance, Some(Random::new(20_260_118)));
    }

    /// How many went wrong.
    pub(crate) fn faults(&self) -> usize {
        self.state.lock().unwrap().faults
    }

    pub(crate) fn told(&self) -> Vec<Told> {
        self.state.lock().unwrap().told.clone()
    }

    /// How many notifications it took.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().told.len()
    }

    /// The events in the notifications it took, in the order they came: numbers, and what they are of where that is said.
    pub(crate) fn events(&self) -> Vec<(i64, Option<String>)> {
        self.state.lock().unwrap().events.clone()
    }

    /// Their numbers.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.state.lock().unwrap().events.iter().map(|(number, _)| *number).collect()
    }
}

/// Serves at an address by threads of its own, which end with what is given.
fn serve(address: SocketAddr, state: &Shared) -> std::io::Result<(SocketAddr, Runtime)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let router = Router::new().fallback(take).with_state(Arc::clone(state));
    runtime.spawn(async move { axum::serve(listener, router).await });
    Ok((address, runtime))
}

impl Told {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

async fn take(State(state): State<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let headers = headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned())).collect();
    let text = String::from_utf8_lossy(&body).into_owned();
    let told = Told { method: method.to_string(), path: uri.path().to_owned(), headers, text, at: Instant::now() };
    let answer = {
        let mut state = state.lock().unwrap();
        let chance = state.chance;
        let fault = state.random.as_mut().and_then(|random| (random.below(100) < chance).then(|| random.below(5)));
        state.faults += usize::from(fault.is_some());
        let fault = fault.map(|fault| match fault {
            0 => Answer::Late(700),
            other => Answer::Status([404, 429, 500, 503][usize::try_from(other - 1).unwrap()]),
        });
        let answer = match fault {
            Some(fault) => fault,
            None if state.answers.is_empty() => Answer::Status(200),
            None => state.answers.remove(0),
        };
        if answer == Answer::Status(200) || matches!(answer, Answer::Late(_)) {
            state.events.extend(events(&told.json()));
            state.told.push(told);
        }
        answer
    };
    match answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap(),
        Answer::Late(millis) => {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            StatusCode::OK
        }
    }
}

/// `name` of the status in a notification.
pub(crate) fn parameter<'a>(bundle: &'a Value, name: &str) -> &'a Value {
    let all = bundle["entry"][0]["resource"]["parameter"].as_array();
    let found = all.into_iter().flatten().find(|parameter| parameter["name"] == name);
    let members = found.and_then(Value::as_object).into_iter().flatten();
    members.filter(|(name, _)| name.starts_with("value")).map(|(_, value)| value).next().unwrap_or(&Value::Null)
}

/// The events in a notification: numbers, and what they are of where that is said.
pub(crate) fn events(bundle: &Value) -> Vec<(i64, Option<String>)> {
    let all = bundle["entry"][0]["resource"]["parameter"].as_array().into_iter().flatten();
    let event = |event: &Value| {
        let parts = event["part"].as_array()?;
        let part = |name: &str| parts.iter().find(|part| part["name"] == name);
        let number = part("event-number")?["valueString"].as_str()?.parse().ok()?;
        let focus = part("focus").and_then(|focus| focus["valueReference"]["reference"].as_str());
        Some((number, focus.and_then(|focus| focus.rsplit("/fhir/R4/").next()).map(str::to_owned)))
    };
    all.filter(|parameter| parameter["name"] == "notification-event").filter_map(event).collect()
}

/// Numbers of the events in a notification.
pub(crate) fn numbers(bundle: &Value) -> Vec<i64> {
    events(bundle).into_iter().map(|(number, _)| number).collect()
}

/// What the events in a notification are of.
pub(crate) fn focuses(bundle: &Value) -> Vec<String> {
    events(bundle).into_iter().filter_map(|(_, focus)| focus).collect()
}
