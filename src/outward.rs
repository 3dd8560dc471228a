//! Where this server may be led by a URL that somebody else chose: a key set's, a webhook's.
//!
//! Whoever chooses one could make the server ask its own network. Only https and public addresses are asked, checked after
//! the name was looked up and by the connection that is then made; redirects are not followed, proxies not used.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url, redirect};

/// How far a URL may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To public addresses, by https.
    Public,
    /// There and to this machine itself, by http as well: for development.
    Loopback,
    /// To private addresses and by http, too.
    Anywhere,
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Loopback => is_public(address) || address.is_loopback(),
            Self::Anywhere => true,
        }
    }
}

/// A client that is led no further.
///
/// # Errors
/// TLS cannot be set up.
pub fn client(reach: Reach, timeout: Duration) -> Result<Client, reqwest::Error> {
    let builder = Client::builder().redirect(redirect::Policy::none()).timeout(timeout).no_proxy();
    builder.https_only(reach == Reach::Public).dns_resolver(Arc::new(Within(reach))).build()
}

/// The URL, if it may be asked: without a password or a fragment, and to an address that is allowed where it has one. Names are
/// looked up, and checked, when it is asked.
pub fn url(text: &str, reach: Reach) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let host = url.host_str().filter(|host| !host.is_empty())?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let is_local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    let is_allowed = match reach {
        Reach::Public => !is_local,
        Reach::Loopback | Reach::Anywhere => true,
    } && address.is_none_or(|address| reach.allows(address));
    let is_safe = match url.scheme() {
        "https" => true,
        "http" => reach == Reach::Anywhere || (reach == Reach::Loopback && is_local),
        _ => false,
    };
    (is_plain && is_allowed && is_safe).then_some(url)
}

/// Looks names up and leaves out every address that is not allowed.
struct Within(Reach);

impl Resolve for Within {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
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
            assert_eq!(url(bad, Reach::Public), None, "{bad}");
        }
        assert!(url("https://example.org/jwks.json", Reach::Public).is_some());
        assert!(url("http://10.0.0.1:1234/jwks.json", Reach::Anywhere).is_some());
    }

    #[test]
    fn in_development_this_machine_may_be_asked_and_its_network_may_not() {
        for good in ["http://127.0.0.1:1/", "http://localhost:1/", "http://[::1]:1/", "https://example.org/"] {
            assert!(url(good, Reach::Loopback).is_some(), "{good}");
        }
        for bad in ["http://example.org/", "https://10.0.0.1/", "http://169.254.169.254/", "ftp://127.0.0.1/"] {
            assert_eq!(url(bad, Reach::Loopback), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_asked() {
        let error = Within(Reach::Public).resolve("localhost".parse().unwrap()).await;
        assert!(error.is_err_and(|e| e.to_string().contains("no public address")));
        assert!(Within(Reach::Loopback).resolve("localhost".parse().unwrap()).await.is_ok());
    }
}
