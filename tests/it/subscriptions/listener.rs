//! An endpoint that is told, in another process than the server's: it remembers what it was sent and answers as it is told to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::Value;

use crate::support::{Random, block_on};

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
    state: Shared,
}

impl Listener {
    pub(crate) fn start() -> Self {
        let state = Shared::default();
        let router = Router::new().fallback(take).with_state(Arc::clone(&state));
        let listener = block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        block_on(async { drop(tokio::spawn(async move { axum::serve(listener, router).await })) });
        Self { url, state }
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

    /// Numbers of the events in the notifications it took, in the order they came.
    pub(crate) fn numbers(&self) -> Vec<i64> {
        self.told().iter().flat_map(|told| numbers(&told.json())).collect()
    }
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

/// Numbers of the events in a notification.
pub(crate) fn numbers(bundle: &Value) -> Vec<i64> {
    let all = bundle["entry"][0]["resource"]["parameter"].as_array().cloned().unwrap_or_default();
    let events = all.iter().filter(|parameter| parameter["name"] == "notification-event");
    let number = |event: &Value| {
        let parts = event["part"].as_array()?;
        let part = parts.iter().find(|part| part["name"] == "event-number")?;
        part["valueString"].as_str()?.parse().ok()
    };
    events.filter_map(number).collect()
}

/// What the events in a notification are of.
pub(crate) fn focuses(bundle: &Value) -> Vec<String> {
    let all = bundle["entry"][0]["resource"]["parameter"].as_array().cloned().unwrap_or_default();
    let parts = all.iter().filter_map(|parameter| parameter["part"].as_array()).flatten();
    let focus = parts.filter(|part| part["name"] == "focus").map(|part| part["valueReference"]["reference"].clone());
    focus.filter_map(|text| Some(text.as_str()?.rsplit("/fhir/R4/").next()?.to_owned())).collect()
}
