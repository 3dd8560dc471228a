//! What stands between this server and a receiver and fails at random: it drops requests before and after they did what they
//! say, answers by itself, hangs, cuts answers off, has the receiver forget its tokens; and goes away with it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use super::listener::Listener;
use super::receiver::{cut, outcome, reply};
use crate::support::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    DropBefore,
    DropAfter,
    Status(u16),
    Slow,
    Hang,
    Truncate,
    CutOff,
    ForgetTokens,
}

const FAULTS: [Fault; 14] = [
    Fault::DropBefore,
    Fault::DropAfter,
    Fault::Status(401),
    Fault::Status(409),
    Fault::Status(412),
    Fault::Status(429),
    Fault::Status(500),
    Fault::Status(502),
    Fault::Status(503),
    Fault::Slow,
    Fault::Hang,
    Fault::Truncate,
    Fault::CutOff,
    Fault::ForgetTokens,
];

/// What it does, and what it saw.
pub(crate) struct Mood {
    /// Chance in a hundred that a request goes wrong.
    pub(crate) chance: u64,
    /// Bundles with this in them are refused.
    pub(crate) refuses: Option<String>,
    /// Requests that never got an answer are few, for each costs as long as this server waits.
    hangs_left: usize,
    random: Random,
    pub(crate) requests: usize,
    pub(crate) faults: usize,
    /// What was refused alone, by what it is found by: that will not come again by itself.
    pub(crate) refused: BTreeSet<String>,
    /// Every path and query, to look for secrets in.
    pub(crate) urls: BTreeSet<String>,
    /// Every token, to look for in logs.
    pub(crate) tokens: BTreeSet<String>,
}

/// It.
pub(crate) struct Shaky {
    pub(crate) mood: Arc<Mutex<Mood>>,
    pub(crate) url: String,
    router: Router,
    listener: Option<Listener>,
}

#[derive(Clone)]
struct Between {
    mood: Arc<Mutex<Mood>>,
    receiver: String,
    client: reqwest::Client,
}

impl Shaky {
    /// Before the receiver at this URL, with so many requests that hang.
    pub(crate) fn before(receiver: &str, hangs: usize) -> Self {
        let mood = Mood {
            chance: 20,
            refuses: None,
            hangs_left: hangs,
            random: Random::new(20_260_118),
            requests: 0,
            faults: 0,
            refused: BTreeSet::new(),
            urls: BTreeSet::new(),
            tokens: BTreeSet::new(),
        };
        let mood = Arc::new(Mutex::new(mood));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let between =
            Between { mood: Arc::clone(&mood), receiver: receiver.to_owned(), client: reqwest::Client::new() };
        let router = Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(between);
        let listener = Listener::start("127.0.0.1:0", router.clone());
        Self { mood, url: format!("http://{}", listener.address), router, listener: Some(listener) }
    }

    /// Goes away: nobody listens there.
    pub(crate) fn go(&mut self) {
        self.listener = None;
    }

    /// Comes back where it was.
    pub(crate) fn come_back(&mut self) {
        let address = self.url.trim_start_matches("http://");
        self.listener = Some(Listener::start(address, self.router.clone()));
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Mood) -> T) -> T {
        look(&mut self.mood.lock().unwrap())
    }
}

impl Mood {
    fn fault(&mut self) -> Option<Fault> {
        if self.chance == 0 || self.random.below(100) >= self.chance {
            return None;
        }
        let mut fault = FAULTS[usize::try_from(self.random.below(FAULTS.len() as u64)).unwrap()];
        if fault == Fault::Hang {
            if self.hangs_left == 0 {
                fault = Fault::Slow;
            }
            self.hangs_left = self.hangs_left.saturating_sub(1);
        }
        self.faults += 1;
        Some(fault)
    }

    /// Refuses a request. What is alone in it will not come again by itself.
    fn refuse(&mut self, status: u16, body: &[u8], text: &str) -> Response {
        let bundle: Value = serde_json::from_slice(body).unwrap_or_default();
        if let Some([entry]) = bundle["entry"].as_array().map(Vec::as_slice)
            && entry["resource"].is_object()
        {
            self.refused.insert(found_by(&entry["resource"]));
        }
        reply(outcome(status, text))
    }
}

/// What this server's resources are found by at a receiver: the value of their identifier or tag.
pub(crate) fn found_by(resource: &Value) -> String {
    let of = |list: &Value, code: &str| {
        let ours = |one: &&Value| one["system"].as_str().is_some_and(|s| s.starts_with("https://afferent.dev/fhir/"));
        // The one that delivery added comes last.
        list.as_array().into_iter().flatten().rfind(ours).and_then(|one| one[code].as_str().map(str::to_owned))
    };
    let found_by = of(&resource["identifier"], "value").or_else(|| of(&resource["meta"]["tag"], "code"));
    found_by.unwrap_or_else(|| panic!("nothing to be found by: {resource}"))
}

async fn answer(State(between): State<Between>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let fault = {
        let mut mood = between.mood.lock().unwrap();
        mood.requests += 1;
        mood.urls.insert(uri.to_string());
        if let Some(token) = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()) {
            mood.tokens.insert(token.split(' ').next_back().unwrap().to_owned());
        }
        let fault = mood.fault();
        if let Some(Fault::Status(status)) = fault {
            let mut response = if status == 412 && uri.path() != "/oauth2/token" {
                mood.refuse(412, &body, "injected")
            } else {
                reply(outcome(status, "injected"))
            };
            if status == 429 {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            return response;
        }
        if mood.refuses.as_ref().is_some_and(|text| String::from_utf8_lossy(&body).contains(text)) {
            return mood.refuse(422, &body, "this one is not wanted here");
        }
        fault
    };
    match fault {
        Some(Fault::DropBefore) => cut(),
        Some(Fault::Hang) => tokio::time::sleep(Duration::from_secs(600)).await,
        Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(300)).await,
        Some(Fault::ForgetTokens) => {
            let url = format!("{}/_control/expire-tokens", between.receiver);
            let _ = between.client.post(url).send().await;
        }
        _ => {}
    }
    let Some((status, body)) = forward(&between, (method, &uri, headers), body).await else { cut() };
    let half = body.slice(..body.len() / 2);
    let body = match fault {
        Some(Fault::DropAfter) => cut(),
        Some(Fault::Truncate) => Body::from(half),
        // More was announced than comes.
        Some(Fault::CutOff) => Body::from_stream(broken(half)),
        _ => Body::from(body),
    };
    (status, [(header::CONTENT_TYPE, "application/fhir+json")], body).into_response()
}

fn broken(bytes: Bytes) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    futures_util::stream::iter([Ok(bytes), Err(std::io::ErrorKind::BrokenPipe.into())])
}

async fn forward(
    between: &Between,
    (method, uri, headers): (Method, &Uri, HeaderMap),
    body: Bytes,
) -> Option<(StatusCode, Bytes)> {
    let mut request = between.client.request(method, format!("{}{uri}", between.receiver)).body(body);
    for name in [header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT] {
        request = request.headers(headers.get(&name).map(|value| (name, value.clone())).into_iter().collect());
    }
    let answer = request.send().await.ok()?;
    Some((answer.status(), answer.bytes().await.ok()?))
}
