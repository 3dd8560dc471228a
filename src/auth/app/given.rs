//! What the server is told of the identity provider.

use std::path::PathBuf;

use serde::Deserialize;

use crate::secret::Secret;

/// What was given, by flags, environment or file.
#[derive(Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Sign-in of people [default: there is none]")]
pub struct GivenSignIn {
    /// OpenID Connect provider people sign in at: its issuer URL.
    #[arg(long = "sign-in-issuer", env = "AFFERENT_SIGN_IN_ISSUER")]
    pub issuer: Option<String>,
    /// What this server is called there; its redirect URI there is PUBLIC_URL/oauth2/callback.
    #[arg(long = "sign-in-client-id", env = "AFFERENT_SIGN_IN_CLIENT_ID")]
    pub client_id: Option<String>,
    /// File with its secret there, where it has one.
    #[arg(long = "sign-in-client-secret-file", env = "AFFERENT_SIGN_IN_CLIENT_SECRET_FILE")]
    pub client_secret_file: Option<PathBuf>,
    /// The secret itself: from the environment only.
    #[arg(long = "sign-in-client-secret", env = "AFFERENT_SIGN_IN_CLIENT_SECRET", hide = true, hide_env_values = true)]
    #[serde(skip)]
    pub client_secret: Option<String>,
}

impl std::fmt::Debug for GivenSignIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenSignIn").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// How people sign in.
#[derive(Debug, Clone, Default)]
pub enum SignInSettings {
    /// They cannot.
    #[default]
    Nowhere,
    /// At an identity provider.
    Upstream {
        /// Its issuer URL.
        issuer: String,
        /// What this server is called there.
        client_id: String,
        /// What it proves that with.
        client_secret: Option<Secret>,
    },
    /// By saying who they are. Nothing configures this: it is for `afferent demo`.
    Demo,
}

impl GivenSignIn {
    /// This, and where it says nothing at all, `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        let Self { issuer, client_id, client_secret_file, client_secret } = self;
        // A secret from the environment goes with an issuer from the file, never with another's secret.
        let own_secret = client_secret.is_some() || client_secret_file.is_some();
        Self {
            issuer: issuer.or(other.issuer),
            client_id: client_id.or(other.client_id),
            client_secret_file: if own_secret { client_secret_file } else { other.client_secret_file },
            client_secret: if own_secret { client_secret } else { other.client_secret },
        }
    }

    /// The settings.
    ///
    /// # Errors
    /// What is wrong.
    pub fn build(self) -> Result<SignInSettings, &'static str> {
        let (issuer, client_id) = match (self.issuer, self.client_id) {
            (None, None) => return Ok(SignInSettings::Nowhere),
            (Some(issuer), Some(client_id)) => (issuer, client_id),
            _ => return Err("sign_in: issuer and client_id go together"),
        };
        let url: reqwest::Url = issuer.parse().map_err(|_| "sign_in.issuer: must be a URL")?;
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err("sign_in.issuer: must be https, or http on this machine");
        }
        let client_secret = match (self.client_secret, self.client_secret_file) {
            (Some(_), Some(_)) => return Err("sign_in: more than one client secret is given"),
            (Some(secret), None) => Some(secret),
            (None, Some(file)) => Some(
                std::fs::read_to_string(file)
                    .map_err(|_| "sign_in.client_secret_file: cannot be read")?
                    .trim()
                    .to_owned(),
            ),
            (None, None) => None,
        };
        Ok(SignInSettings::Upstream { issuer, client_id, client_secret: client_secret.map(Secret::new) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_provider_or_one_that_everybody_overhears_is_refused() {
        let given = |issuer: Option<&str>, client_id: Option<&str>| GivenSignIn {
            issuer: issuer.map(str::to_owned),
            client_id: client_id.map(str::to_owned),
            ..GivenSignIn::default()
        };
        assert!(matches!(GivenSignIn::default().build(), Ok(SignInSettings::Nowhere)));
        assert!(matches!(
            given(Some("https://id.example"), Some("a")).build(),
            Ok(SignInSettings::Upstream { client_secret: None, .. })
        ));
        given(Some("http://127.0.0.1:9"), Some("a")).build().unwrap();
        for (issuer, client_id) in [
            (Some("https://id.example"), None),
            (None, Some("a")),
            (Some("http://id.example"), Some("a")),
            (Some("id.example"), Some("a")),
            (Some("http://localhost.example"), Some("a")),
        ] {
            assert!(given(issuer, client_id).build().is_err(), "{issuer:?} {client_id:?}");
        }
        let mut two = given(Some("https://id.example"), Some("a"));
        (two.client_secret, two.client_secret_file) = (Some("x".to_owned()), Some("/nowhere".into()));
        assert!(two.build().is_err());
    }
}
