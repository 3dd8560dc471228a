//! A blocking HTTP client with a key.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};

use super::eventually;

static RUNTIME: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    // reqwest leaves the choice of cryptography to the program; nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
});

/// Runs a future to its end.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    RUNTIME.block_on(future)
}

/// Talks to one server with one key.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: String,
    pub(crate) key: String,
    http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) etag: Option<String>,
    /// Seconds of `Retry-After`.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Itself, if it has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }
}

impl Client {
    pub(crate) fn new(address: &str, key: &str) -> Self {
        let http = block_on(async { reqwest::Client::builder().timeout(Duration::from_secs(60)).build() }).unwrap();
        Self { address: address.to_owned(), key: key.to_owned(), http }
    }

    /// The same server, with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with("http://") { path.to_owned() } else { format!("http://{}{path}", self.address) }
    }

    /// Sends a request; `Err` when no whole answer came.
    pub(crate) fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        let request = if self.key.is_empty() { request } else { request.bearer_auth(&self.key) };
        block_on(async {
            let response = request.send().await?;
            let status = response.status().as_u16();
            let header = |name: &str| response.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
            let content_type = header("content-type").unwrap_or_default();
            let etag = header("etag");
            let retry_after = header("retry-after").and_then(|seconds| seconds.parse().ok());
            let body = response.bytes().await?.to_vec();
            Ok(Reply { status, content_type, etag, retry_after, body })
        })
    }

    #[track_caller]
    pub(crate) fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request).unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path)))
    }

    #[track_caller]
    pub(crate) fn get_with(&self, path: &str, header: &str, value: &str) -> Reply {
        self.send(self.http.get(self.url(path)).header(header, value))
    }

    /// `GET /fhir/R4/…`, 200, JSON.
    #[track_caller]
    pub(crate) fn fhir(&self, path: &str) -> Value {
        self.get(&format!("/fhir/R4/{path}")).expect(200).json()
    }

    /// Every match of a search, over all its pages.
    #[track_caller]
    pub(crate) fn search(&self, query: &str) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some(format!("/fhir/R4/{query}"));
        while let Some(url) = next {
            let page = self.get(&url).expect(200).json();
            let entries = page["entry"].as_array().cloned().unwrap_or_default();
            found.extend(entries.iter().filter(|e| e["search"]["mode"] != "include").map(|e| e["resource"].clone()));
            next = link(&page, "next");
        }
        found
    }

    /// How many Observations the tenant has.
    #[track_caller]
    pub(crate) fn observations(&self) -> u64 {
        let count = self.fhir("Observation?_summary=count");
        count["total"].as_u64().unwrap_or_else(|| panic!("no total in {count}"))
    }

    /// Makes a device known and puts it on a patient.
    #[track_caller]
    pub(crate) fn link_device(&self, device: &str, patient: &str) -> Reply {
        let request = self.http.put(self.url(&format!("/api/v1/devices/{device}")));
        self.send(request.json(&json!({"patient": patient})))
    }

    /// `PUT`s JSON.
    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send(self.http.put(self.url(path)).json(body))
    }

    /// `PUT`s JSON over what has this ETag.
    #[track_caller]
    pub(crate) fn put_over(&self, path: &str, etag: &str, body: &Value) -> Reply {
        self.send(self.http.put(self.url(path)).header("if-match", etag).json(body))
    }

    /// `POST`s JSON.
    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.http.post(self.url(path)).json(body))
    }

    /// `POST`s JSON to a server that may go away.
    pub(crate) fn try_post(&self, path: &str, body: &Value) -> Result<Reply, reqwest::Error> {
        self.try_send(self.http.post(self.url(path)).json(body))
    }

    /// `DELETE`s.
    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Reply {
        self.send(self.http.delete(self.url(path)))
    }

    /// `POST`s a form without a key.
    #[track_caller]
    pub(crate) fn post_form(&self, path: &str, form: String) -> Reply {
        let request = self.http.post(self.url(path));
        self.with_key("").send(request.header("content-type", "application/x-www-form-urlencoded").body(form))
    }

    /// Posts a body as it is.
    #[track_caller]
    pub(crate) fn ingest_raw(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
        self.send(self.ingest_request(content_type, body.into()))
    }

    /// Posts packets as JSON.
    #[track_caller]
    pub(crate) fn ingest(&self, packets: &[Value]) -> Reply {
        self.ingest_raw("application/json", serde_json::to_vec(packets).unwrap())
    }

    /// Posts packets as JSON, to a server that may go away.
    pub(crate) fn try_ingest(&self, packets: &[Value]) -> Result<Reply, reqwest::Error> {
        self.try_send(self.ingest_request("application/json", serde_json::to_vec(packets).unwrap()))
    }

    /// Posts packets; each is durable afterwards, now or before.
    #[track_caller]
    pub(crate) fn ingest_all(&self, packets: &[Value]) {
        let reply = eventually("room in the journal", || {
            let reply = self.ingest(packets);
            (reply.status != 429).then_some(reply)
        });
        let ack = reply.expect(202).json();
        let durable = ack["accepted"].as_u64().unwrap() + ack["duplicates"].as_u64().unwrap();
        assert_eq!(durable, packets.len() as u64, "{ack}");
    }

    /// Waits until all that is durable is queryable.
    #[track_caller]
    pub(crate) fn settle(&self) {
        eventually("the pipeline to catch up", || (self.pending() == 0).then_some(()));
    }

    /// Packets that are durable and not yet queryable.
    #[track_caller]
    pub(crate) fn pending(&self) -> i64 {
        self.get("/api/v1/ingest/lag").expect(200).json()["pending"].as_i64().unwrap()
    }

    fn ingest_request(&self, content_type: &str, body: Vec<u8>) -> reqwest::RequestBuilder {
        self.http.post(self.url("/ingest/raw-packet")).header("content-type", content_type).body(body)
    }
}

/// The URL of a Bundle's link.
pub(crate) fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array()?;
    links.iter().find(|link| link["relation"] == relation)?["url"].as_str().map(str::to_owned)
}
