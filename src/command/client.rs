//! The sending side of the ingest contract: one server, addressed with patience.
//!
//! 429 and 503 are obeyed with their `Retry-After`, a lost connection is tried again with growing pauses, everything else
//! the server says no to is final.

use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The first pause after a lost connection; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// A server and the right to send to it.
#[derive(Debug, Clone)]
pub(super) struct Server {
    http: reqwest::Client,
    base: String,
    key: String,
    /// How long one thing is tried.
    timeout: Duration,
}

/// What the server says it has.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Ack {
    /// Per stream of the request.
    pub(super) streams: Vec<StreamAck>,
    /// Packets that were new.
    pub(super) accepted: u64,
    /// Packets it had.
    pub(super) duplicates: u64,
}

/// What the server has of a stream.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct StreamAck {
    pub(super) device: String,
    pub(super) stream: String,
    /// Everything from the first number up to here is durable.
    pub(super) contiguous: u64,
    /// Inclusive ranges that are missing after it.
    #[serde(default)]
    pub(super) gaps: Vec<(u64, u64)>,
}

/// Why the server did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServerError {
    /// It said no.
    #[error("the server answers {status}: {detail}")]
    Refused { status: StatusCode, detail: String },
    /// Other content has the numbers that were sent.
    #[error("the server has other packets under these sequence numbers: {conflicts}")]
    Conflict { conflicts: String },
    /// Nobody answers.
    #[error("no answer for {} s", after.as_secs())]
    Unreachable {
        after: Duration,
        #[source]
        source: reqwest::Error,
    },
    /// It has been busy all the time.
    #[error("the server has answered {status} for {} s", after.as_secs())]
    Busy { after: Duration, status: StatusCode },
    /// The answer is not of this protocol.
    #[error("the answer to {request} cannot be read")]
    Answer {
        request: &'static str,
        #[source]
        source: reqwest::Error,
    },
    /// The address or key cannot be used.
    #[error("the client cannot be set up")]
    Setup(#[source] reqwest::Error),
}

/// One attempt that did not succeed.
pub(super) enum Attempt {
    /// Worth another one.
    Later(Trouble),
    /// Not.
    Never(ServerError),
}

/// What was in the way.
pub(super) enum Trouble {
    /// 429 or 5xx.
    Busy { status: StatusCode, retry_after: Option<Duration> },
    /// The connection.
    Connection(reqwest::Error),
}

#[derive(Deserialize)]
struct ProblemBody {
    #[serde(default)]
    detail: String,
    #[serde(default)]
    conflicts: Vec<Conflict>,
}

#[derive(Deserialize)]
struct Conflict {
    device: String,
    stream: String,
    sequence: u64,
}

#[derive(Deserialize)]
struct Lag {
    pending: u64,
}

impl Server {
    /// A server by its base address.
    pub(super) fn new(base: &str, key: &str, timeout: Duration) -> Result<Self, ServerError> {
        let http = reqwest::Client::builder()
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .timeout(timeout.min(Duration::from_secs(30)))
            .tcp_nodelay(true)
            .build()
            .map_err(ServerError::Setup)?;
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key: key.to_owned(), timeout })
    }

    /// The same server over connections of its own.
    pub(super) fn apart(&self) -> Result<Self, ServerError> {
        Self::new(&self.base, &self.key, self.timeout)
    }

    /// The base address.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The key.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// Makes a device known and puts it on a patient.
    pub(super) async fn register(
        &self,
        device: &str,
        model: Option<&str>,
        patient: Option<&str>,
    ) -> Result<(), ServerError> {
        let url = format!("{}/api/v1/devices/{device}", self.base);
        let mut body = serde_json::Map::new();
        for (name, value) in [("model", model), ("patient", patient)] {
            if let Some(value) = value {
                body.insert(name.to_owned(), value.into());
            }
        }
        let mut patience = self.patience();
        loop {
            match self.attempt(self.http.put(&url).json(&body)).await {
                Ok(_) => return Ok(()),
                Err(attempt) => patience.bear(attempt).await?,
            }
        }
    }

    /// Sends a body of packets until it is durable.
    pub(super) async fn ingest(&self, content_type: &'static str, body: Vec<u8>) -> Result<Ack, ServerError> {
        let body = bytes_of(body);
        let mut patience = self.patience();
        loop {
            match self.ingest_once(content_type, body.clone()).await {
                Ok(ack) => return Ok(ack),
                Err(attempt) => patience.bear(attempt).await?,
            }
        }
    }

    /// Sends a body of packets once.
    pub(super) async fn ingest_once(&self, content_type: &'static str, body: Body) -> Result<Ack, Attempt> {
        let request = self.http.post(format!("{}/ingest/raw-packet", self.base));
        let response = self.attempt(request.header(CONTENT_TYPE, content_type).body(body)).await?;
        // A connection that dies within the answer leaves open whether the packets are durable: send them again.
        response.json().await.map_err(|error| unreadable("POST /ingest/raw-packet", error))
    }

    /// Packets that are durable and not yet queryable.
    pub(super) async fn pending(&self) -> Result<u64, ServerError> {
        let url = format!("{}/api/v1/ingest/lag", self.base);
        let lag: Lag = self.json("GET /api/v1/ingest/lag", &url).await?;
        Ok(lag.pending)
    }

    /// Waits until everything durable is queryable; the time limit counts from the last progress.
    pub(super) async fn settled(&self) -> Result<(), ServerError> {
        let mut pause = Duration::from_millis(5);
        let mut lowest = u64::MAX;
        let mut since = Instant::now();
        loop {
            let pending = self.pending().await?;
            if pending == 0 {
                return Ok(());
            }
            if pending < lowest {
                lowest = pending;
                since = Instant::now();
            } else if since.elapsed() > self.timeout {
                let detail = format!(
                    "{pending} packets are durable but not processed, with no progress for {} s",
                    self.timeout.as_secs()
                );
                return Err(ServerError::Refused { status: StatusCode::OK, detail });
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }

    /// A page of a FHIR search, by path and query.
    pub(super) async fn search(&self, query: &str) -> Result<serde_json::Value, ServerError> {
        self.json("a FHIR search", &format!("{}/fhir/R4/{query}", self.base)).await
    }

    async fn json<T: serde::de::DeserializeOwned>(&self, request: &'static str, url: &str) -> Result<T, ServerError> {
        let mut patience = self.patience();
        loop {
            match self.json_once(request, url).await {
                Ok(value) => return Ok(value),
                Err(attempt) => patience.bear(attempt).await?,
            }
        }
    }

    async fn json_once<T: serde::de::DeserializeOwned>(&self, request: &'static str, url: &str) -> Result<T, Attempt> {
        let response = self.attempt(self.http.get(url)).await?;
        response.json().await.map_err(|error| unreadable(request, error))
    }

    async fn attempt(&self, request: RequestBuilder) -> Result<Response, Attempt> {
        let sent = request.header(AUTHORIZATION, format!("Bearer {}", self.key)).send().await;
        let response = match sent {
            Ok(response) => response,
            Err(error) if error.is_builder() => return Err(Attempt::Never(ServerError::Setup(error))),
            Err(error) => return Err(Attempt::Later(Trouble::Connection(error))),
        };
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let seconds = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse::<f64>().ok());
            let retry_after = seconds.filter(|s| (0.0..3600.0).contains(s)).map(Duration::from_secs_f64);
            return Err(Attempt::Later(Trouble::Busy { status, retry_after }));
        }
        let text = response.text().await.unwrap_or_default();
        Err(Attempt::Never(refusal(status, &text)))
    }

    /// Patience for one thing.
    pub(super) fn patience(&self) -> Patience {
        Patience { began: Instant::now(), pause: FIRST_PAUSE, timeout: self.timeout }
    }
}

/// How long one thing has been tried, and how long to wait next.
pub(super) struct Patience {
    began: Instant,
    pause: Duration,
    timeout: Duration,
}

impl Patience {
    /// Waits before the next attempt, or gives up.
    pub(super) async fn bear(&mut self, attempt: Attempt) -> Result<(), ServerError> {
        let trouble = match attempt {
            Attempt::Never(error) => return Err(error),
            Attempt::Later(trouble) => trouble,
        };
        let wait = trouble.retry_after().unwrap_or(self.pause);
        let after = self.began.elapsed();
        if after + wait > self.timeout {
            return Err(match trouble {
                Trouble::Busy { status, .. } => ServerError::Busy { after, status },
                Trouble::Connection(source) => ServerError::Unreachable { after, source },
            });
        }
        tokio::time::sleep(wait).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// An answer that ended early is asked for again; one of another shape is not.
fn unreadable(request: &'static str, source: reqwest::Error) -> Attempt {
    if source.is_decode() {
        return Attempt::Never(ServerError::Answer { request, source });
    }
    Attempt::Later(Trouble::Connection(source))
}

impl Trouble {
    /// How long the server asked to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            Self::Connection(_) => None,
        }
    }
}

/// A body that can be sent again without copying it.
pub(super) type Body = axum::body::Bytes;

/// Bytes as a body.
pub(super) fn bytes_of(bytes: Vec<u8>) -> Body {
    Body::from(bytes)
}

fn refusal(status: StatusCode, text: &str) -> ServerError {
    let Ok(problem) = serde_json::from_str::<ProblemBody>(text) else {
        let detail = if text.is_empty() { "nothing more".to_owned() } else { text.chars().take(200).collect() };
        return ServerError::Refused { status, detail };
    };
    if status != StatusCode::CONFLICT || problem.conflicts.is_empty() {
        return ServerError::Refused { status, detail: problem.detail };
    }
    let first: Vec<String> =
        problem.conflicts.iter().take(3).map(|c| format!("{} {} {}", c.device, c.stream, c.sequence)).collect();
    let more = problem.conflicts.len() - first.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    ServerError::Conflict { conflicts: first.join(", ") + &more }
}
