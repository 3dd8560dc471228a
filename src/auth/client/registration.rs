//! Registering clients: backend services, and apps that people use.

use super::fetch::{FetchError, Fetcher};
use super::jwks::{InvalidKeySet, KeySet};
use crate::auth::scope::{Context, ScopeSet, UnknownScope};
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::{ClientKeys, ClientRecord, Store, StoreError};

/// What a new client is to be.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Tenant it belongs to.
    pub tenant: TenantId,
    /// What people call it.
    pub name: String,
    /// Most it may be granted, blank-separated.
    pub scope: String,
    /// What it proves itself with.
    pub keys: ClientKeys,
    /// Where people are sent back to who use it; none for a backend service.
    pub redirects: Vec<String>,
}

/// Why no client was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegistrationError {
    /// A scope is none.
    #[error(transparent)]
    Scope(#[from] UnknownScope),
    /// A backend service acts for nobody.
    #[error("a backend client has system/ scopes, ingest and control, and at least one of them")]
    Context,
    /// An app acts for a person.
    #[error("an app has patient/ and user/ scopes, launch, openid and their like, and at least one of them")]
    AppContext,
    /// A URL nobody is sent back to.
    #[error(
        "redirect_uris: {0:?} is not https, http at localhost, or of a scheme of the app's own, without a fragment"
    )]
    Redirect(String),
    /// A backend service acts for nobody, so it proves itself with keys.
    #[error("jwks: a backend client has public keys")]
    NoKeys,
    /// The name is nobody's.
    #[error("a name must have 1 to 200 characters, none of them a control character")]
    Name,
    /// Its keys cannot be used.
    #[error("jwks: {0}")]
    Keys(#[from] InvalidKeySet),
    /// The URL of its keys is not asked.
    #[error(transparent)]
    Url(#[from] FetchError),
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the client could not be kept")]
    Store(#[from] StoreError),
}

impl NewClient {
    /// Registers the client and gives what is kept of it, its id among it.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn register(self, store: &Store, fetcher: &Fetcher) -> Result<ClientRecord, RegistrationError> {
        let scope = ScopeSet::parse_all(&self.scope)?;
        let for_people = scope.has(Context::Patient) || scope.has(Context::User) || scope.is_an_apps();
        let for_itself = scope.has(Context::System) || scope.may_ingest() || scope.may_control();
        match self.redirects.is_empty() {
            true if !for_itself || for_people => return Err(RegistrationError::Context),
            false if !for_people || for_itself => return Err(RegistrationError::AppContext),
            _ => {}
        }
        if let Some(bad) = self.redirects.iter().find(|url| !is_redirect(url)) {
            return Err(RegistrationError::Redirect(bad.clone()));
        }
        if self.name.is_empty() || self.name.chars().count() > 200 || self.name.chars().any(char::is_control) {
            return Err(RegistrationError::Name);
        }
        match &self.keys {
            ClientKeys::Value(set) => drop(KeySet::parse(set)?),
            ClientKeys::Url(url) => fetcher.check(url)?,
            ClientKeys::Secret(_) | ClientKeys::Nothing if self.redirects.is_empty() => {
                return Err(RegistrationError::NoKeys);
            }
            ClientKeys::Secret(_) | ClientKeys::Nothing => {}
        }
        let id = crate::auth::new_id("client").map_err(|_| RegistrationError::Random)?;
        let scope = scope.to_string();
        let client = ClientRecord {
            id,
            tenant: self.tenant,
            name: self.name,
            scope,
            keys: self.keys,
            redirects: self.redirects,
        };
        store.insert_client(&client).await?;
        Ok(client)
    }
}

/// A secret for an app, which is shown once, and what is kept of it.
///
/// # Errors
/// The system has no randomness.
pub fn app_secret() -> Result<(Secret, ClientKeys), RegistrationError> {
    let secret = crate::auth::random_token("app").map_err(|_| RegistrationError::Random)?;
    let keys = ClientKeys::Secret(crate::auth::hash(secret.expose()));
    Ok((secret, keys))
}

/// Whether people may be sent back there: https, http where that never leaves the machine, or a scheme of the app's own.
fn is_redirect(url: &str) -> bool {
    let Ok(parsed) = url.parse::<reqwest::Url>() else { return false };
    let clean = url.len() <= 2000 && url.bytes().all(|b| b.is_ascii_graphic()) && !url.contains('#');
    let anonymous = parsed.username().is_empty() && parsed.password().is_none();
    let host = parsed.host_str().unwrap_or_default();
    let place = match parsed.scheme() {
        "https" => !host.is_empty(),
        "http" => matches!(host, "localhost" | "127.0.0.1" | "[::1]"),
        // Of the app's own, named after a domain as RFC 8252 asks: never javascript, data and their like.
        own => own.contains('.'),
    };
    clean && anonymous && place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_not_sent_where_a_script_runs_or_everybody_listens() {
        for good in [
            "https://app.example/cb",
            "https://app.example/cb?a=b",
            "http://localhost:3000/",
            "http://127.0.0.1:9/cb",
            "com.example.app:/cb",
        ] {
            assert!(is_redirect(good), "{good}");
        }
        for bad in [
            "",
            "/cb",
            "http://app.example/cb",
            "http://localhost.evil.example/cb",
            "https://app.example/cb#x",
            "https://user@app.example/cb",
            "https://app.example/a b",
            "https://app.example/\nx",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
        ] {
            assert!(!is_redirect(bad), "{bad}");
        }
    }
}
