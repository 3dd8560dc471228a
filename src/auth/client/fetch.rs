//! JWK Sets by URL: fetched from where they were registered and nowhere else, kept no longer than they say.
//!
//! A URL is the client's, so whoever registers one could make this server ask its own network. Only https and public
//! addresses are asked, checked after the name was looked up and by the connection that is then made; redirects are not
//! followed; size and time have bounds.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Response, Url, redirect};

use super::jwks::{InvalidKeySet, KeySet};

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
    anywhere: bool,
    kept: Arc<Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Kept>>>>>,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("anywhere", &self.anywhere).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// One that asks public addresses; `anywhere`, private ones and http as well.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(anywhere: bool) -> Result<Self, FetchError> {
        let mut builder = Client::builder().redirect(redirect::Policy::none()).timeout(TIMEOUT).no_proxy();
        if !anywhere {
            builder = builder.https_only(true).dns_resolver(Arc::new(PublicOnly));
        }
        let client = builder.build().map_err(|error| FetchError::Failed(error.to_string()))?;
        Ok(Self { client, anywhere, kept: Arc::default() })
    }

    /// Whether a URL would be asked.
    ///
    /// # Errors
    /// [`FetchError::Url`].
    pub fn check(&self, url: &str) -> Result<(), FetchError> {
        self.url(url).map(drop)
    }

    fn url(&self, url: &str) -> Result<Url, FetchError> {
        let url: Url = url.parse().map_err(|_| FetchError::Url)?;
        let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let scheme = url.scheme() == "https" || (self.anywhere && url.scheme() == "http");
        // Names are looked up and checked later, addresses are not looked up.
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        let open = self.anywhere || address.map_or(!host.is_empty() && host != "localhost", is_public);
        if plain && scheme && open { Ok(url) } else { Err(FetchError::Url) }
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

/// Looks names up and leaves out every address that is not public.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the whole internet's. <https://www.iana.org/assignments/iana-ipv4-special-registry>
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let at_home = matches!((a, b), (0 | 10 | 127, _) | (169, 254) | (172, 16..=31) | (192, 168) | (100, 64..=127));
    let special =
        matches!((a, b, c), (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113));
    !at_home && !special && a < 224
}

/// 2000::/3 without what carries other addresses in it or is for documents.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, ..] = address.segments();
    let special = matches!((a, b), (0x2001, 0..=0x1ff | 0xdb8) | (0x2002 | 0x3fff, _));
    (a & 0xe000) == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_are_not_public_are_not_asked() {
        for private in [
            "127.0.0.1",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12:3456::1",
            "::ffff:127.0.0.1",
            "::ffff:8.8.8.8",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001::1",
            "ff02::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "192.1.0.1", "2606:4700::1111", "2a00::1"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn urls_that_lead_elsewhere_are_refused_however_they_are_written() {
        crate::auth::install_tls();
        let fetcher = Fetcher::new(false).unwrap();
        for bad in [
            "http://example.org/jwks",
            "https://127.0.0.1/jwks",
            "https://[::1]/jwks",
            "https://localhost/jwks",
            "https://2130706433/jwks",
            "https://0x7f.1/jwks",
            "https://127.1/jwks",
            "https://[::ffff:169.254.169.254]/",
            "https://user:password@example.org/",
            "file:///etc/passwd",
            "gopher://example.org",
            "jwks",
        ] {
            assert!(matches!(fetcher.check(bad), Err(FetchError::Url)), "{bad}");
        }
        fetcher.check("https://example.org/jwks.json").unwrap();
        Fetcher::new(true).unwrap().check("http://127.0.0.1:1234/jwks.json").unwrap();
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_asked() {
        let error = PublicOnly.resolve("localhost".parse().unwrap()).await;
        assert!(error.is_err_and(|e| e.to_string().contains("no public address")));
    }
}
