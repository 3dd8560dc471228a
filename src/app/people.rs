//! What the pages for people are told: how they sign in, and what they can say yes to.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::auth::{SignIn, SignInSettings, Upstream};
use crate::registry::Registry;

/// How people sign in.
pub(super) fn sign_in(settings: SignInSettings, listen: SocketAddr) -> anyhow::Result<Option<SignIn>> {
    Ok(match settings {
        SignInSettings::Upstream { issuer, client_id, client_secret } => {
            Some(SignIn::Upstream(Upstream::new(issuer, client_id, client_secret)?))
        }
        // Whoever reaches the server is whoever they say, so nobody does from elsewhere.
        SignInSettings::Demo if listen.ip().is_loopback() => Some(SignIn::Demo),
        SignInSettings::Nowhere | SignInSettings::Demo => None,
    })
}

/// Categories that Observations of this registry are of.
pub(super) fn categories(registry: &Registry) -> Arc<[(&'static str, &'static str)]> {
    let all: BTreeSet<_> = registry.signals.values().map(|signal| signal.category.code()).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_says_who_they_are_from_elsewhere() {
        let at = |listen: &str| sign_in(SignInSettings::Demo, listen.parse().unwrap()).unwrap();
        assert!(matches!(at("127.0.0.1:0"), Some(SignIn::Demo)) && matches!(at("[::1]:0"), Some(SignIn::Demo)));
        assert!(at("0.0.0.0:0").is_none() && at("192.168.0.1:0").is_none() && at("[::]:0").is_none());
    }
}
