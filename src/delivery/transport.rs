//! How requests get to a receiver: over HTTP, or as files.

use std::path::PathBuf;

use async_trait::async_trait;
use axum::http::header;
use reqwest::Client;

use super::adapter::{Answer, Request, Transport, Unanswered};

/// Most bytes of an answer.
const MOST: usize = 64 << 20;

/// A server.
#[derive(Debug, Clone)]
pub struct Http {
    /// Base URL.
    pub base: String,
    /// Asks no addresses it must not.
    pub client: Client,
}

#[async_trait]
impl Transport for Http {
    async fn send(&self, request: &Request, token: Option<&str>) -> Result<Answer, Unanswered> {
        let mut url = self.base.clone();
        for (separator, part) in [("/", &request.path), ("?", &request.query)] {
            if !part.is_empty() {
                url.extend([separator, part]);
            }
        }
        let method = reqwest::Method::from_bytes(request.method.as_bytes());
        let method = method.map_err(|_| Unanswered::NotSent("no such method".to_owned()))?;
        let mut sending = self.client.request(method, url).header(header::ACCEPT, "application/fhir+json");
        if !request.body.is_empty() {
            sending = sending.header(header::CONTENT_TYPE, request.media).body(request.body.clone());
        }
        for (name, value) in &request.headers {
            sending = sending.header(*name, value);
        }
        if let Some(token) = token {
            sending = sending.bearer_auth(token);
        }
        let mut response = sending.send().await.map_err(unanswered)?;
        let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let mut answer = Answer {
            status: response.status().as_u16(),
            retry_after: header("retry-after"),
            rate_limit: header("ratelimit"),
            location: header("location"),
            body: Vec::new(),
        };
        while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
            answer.body.extend_from_slice(&chunk);
            if answer.body.len() > MOST {
                return Err(Unanswered::Open("its answer is too long".to_owned()));
            }
        }
        Ok(answer)
    }
}

/// What did not connect was not sent; anything else may have been.
fn unanswered(error: reqwest::Error) -> Unanswered {
    let is_unsent = error.is_connect() || error.is_builder();
    let timeout = error.is_timeout();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    // The innermost cause names no URL.
    let text = if timeout { "no answer in time".to_owned() } else { cause.to_string() };
    if is_unsent { Unanswered::NotSent(text) } else { Unanswered::Open(text) }
}

/// A folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// It.
    pub path: PathBuf,
}

#[async_trait]
impl Transport for Folder {
    async fn send(&self, request: &Request, _token: Option<&str>) -> Result<Answer, Unanswered> {
        let (folder, name, body) = (self.path.clone(), request.path.clone(), request.body.clone());
        let write = move || {
            use std::io::Write as _;
            std::fs::create_dir_all(&folder)?;
            // Whoever reads the folder sees whole files alone.
            let (path, partial) = (folder.join(&name), folder.join(format!(".{name}.partial")));
            let mut file = std::fs::File::create(&partial)?;
            file.write_all(&body)?;
            file.sync_all()?;
            std::fs::rename(&partial, &path)?;
            std::fs::File::open(&folder)?.sync_all()
        };
        let written = tokio::task::spawn_blocking(write).await.map_err(|e| Unanswered::Open(e.to_string()))?;
        written.map_err(|error: std::io::Error| Unanswered::NotSent(error.to_string()))?;
        Ok(Answer { status: 201, ..Answer::default() })
    }
}
