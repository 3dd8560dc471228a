//! JWK Sets by URL: fetched from where they were registered and nowhere else, kept no longer than they say.
//!
//! A URL is the client's; where it may lead, [`outward`] says. Size and time have bounds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header;
use reqwest::{Client, Response, Url};

use super::jwks::{InvalidKeySet, KeySet};
use crate::outward::{self, Reach};

const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of a set.
const MOST: usize = 256 * 1024;
/// How long a set that says nothing of itself is kept, and the longest any is.
const KEPT: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);
/// How soon a set is fetched again for a key that was not in it, or when it could not be.
const AGAIN: Duration = Duration::from_secs(5);
/// URLs whose sets are kept.
const REMEMBERED: usize = 4096;

/// Why there is no set.
#[derive(Debug, Clone, thiserror::Error)]
pub enum FetchError {
    /// The URL is not one that is asked.
    #[error("the URL of a key set must be https, at a public address and without a password")]
    Url,
    /// There was no answer, or one that is no set.
    #[error("the key set could not be fetched: {0}")]
    Failed(String),
    /// What came is no set of ours.
    #[error(transparent)]
    Invalid(#[from] InvalidKeySet),
}

#[derive(Debug, Default)]
struct Kept {
    set: Option<Arc<KeySet>>,
    /// Until when it may be used.
    until: Option<Instant>,
    asked: Option<Instant>,
}

/// Fetches JWK Sets.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    reach: Reach,
    kept: Arc<Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Kept>>>>>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// One that asks public addresses; `anywhere`, private ones and http as well.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(anywhere: bool) -> Result<Self, FetchError> {
        let reach = if anywhere { Reach::Anywhere } else { Reach::Public };
        let client = outward::client(reach, TIMEOUT).map_err(|error| FetchError::Failed(error.to_string()))?;
        Ok(Self { client, reach, kept: Arc::default() })
    }

    /// Whether a URL would be asked.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        self.url(url).map(drop)
    }

    fn url(&self, url: &str) -> Result<Url, FetchError> {
        outward::url(url, self.reach).ok_or(FetchError::Url)
    }

    /// The set at a URL, in which there is hopefully a key that is `wanted`.
    pub(super) async fn set(&self, url: &str, wanted: impl Fn(&KeySet) -> bool) -> Result<Arc<KeySet>, FetchError> {
        let place = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            if kept.len() >= REMEMBERED && !kept.contains_key(url) {
                kept.clear();
            }
            Arc::clone(kept.entry(url.to_owned()).or_default())
        };
        let mut kept = place.lock().await;
        let now = Instant::now();
        let fresh = kept.set.clone().filter(|_| kept.until.is_some_and(|until| now < until));
        let rested = kept.asked.is_none_or(|asked| asked.elapsed() >= AGAIN);
        match fresh {
            Some(set) if wanted(&set) || !rested => return Ok(set),
            None if !rested && kept.set.is_none() => {
                return Err(FetchError::Failed("it was tried a moment ago".to_owned()));
            }
            _ => {}
        }
        kept.asked = Some(now);
        let (set, lifetime) = self.fetch(url).await?;
        let set = Arc::new(set);
        (kept.set, kept.until) = (Some(Arc::clone(&set)), now.checked_add(lifetime));
        Ok(set)
    }

    async fn fetch(&self, url: &str) -> Result<(KeySet, Duration), FetchError> {
        let failed = |error: reqwest::Error| FetchError::Failed(error.without_url().to_string());
        let request = self.client.get(self.url(url)?).header(header::ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failed)?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Failed(format!("the answer was {}", response.status().as_u16())));
        }
        let lifetime = lifetime(&response);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                return Err(FetchError::Failed(format!("the answer has more than {MOST} bytes")));
            }
        }
        let text = String::from_utf8(body).map_err(|error| FetchError::Failed(error.to_string()))?;
        Ok((KeySet::parse(&text)?, lifetime))
    }
}

/// How long an answer may be kept. <https://www.rfc-editor.org/rfc/rfc9111#section-5.2.2>
fn lifetime(response: &Response) -> Duration {
    let fields = response.headers().get_all(header::CACHE_CONTROL);
    let directives: Vec<String> = fields
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(|d| d.trim().to_lowercase())
        .collect();
    if directives.iter().any(|d| d == "no-store" || d == "no-cache" || d.starts_with("no-cache=")) {
        return Duration::ZERO;
    }
    let age = directives.iter().find_map(|d| d.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
    age.map_or(KEPT, Duration::from_secs).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_sets_are_asked_for_in_public() {
        crate::auth::install_tls();
        let fetcher = Fetcher::new(false).unwrap();
        for bad in ["http://example.org/jwks", "https://127.0.0.1/jwks", "https://localhost/jwks", "jwks"] {
            assert!(matches!(fetcher.check(bad), Err(FetchError::Url)), "{bad}");
        }
        fetcher.check("https://example.org/jwks.json").unwrap();
        Fetcher::new(true).unwrap().check("http://127.0.0.1:1234/jwks.json").unwrap();
    }
}
