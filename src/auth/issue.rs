//! Access tokens, given to clients, looked at and taken back.

use std::sync::PoisonError;
use std::time::Instant;

use super::client::{ClientError, NewClient, RegistrationError};
use super::scope::ScopeSet;
use super::token::{self, AccessToken, Claims, KeyError};
use super::{Auth, Denied, hash, new_id};
use crate::secret::Secret;
use crate::store::{ClientKeys, ClientRecord, StoreError};
use crate::time::MICROS;

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// The access token.
    pub token: Secret,
    /// What it grants, blank-separated.
    pub scope: String,
    /// Seconds it is good for.
    pub expires_in: i64,
}

/// Why a client gets no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// It is not who it says.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A scope is none, or none is left of what was asked for.
    #[error("scope: {0}")]
    Scope(String),
    /// An app acts for a person.
    #[error("an app that people use gets no tokens for itself")]
    Person,
    /// The token could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Auth {
    /// The client that made an assertion for one of `audiences`, URLs of the token endpoint. It is used up by this.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn client(
        &self,
        assertion: &str,
        audiences: impl Fn(&ClientRecord) -> Vec<String>,
    ) -> Result<ClientRecord, ClientError> {
        let client = self.clients.client(assertion, audiences, self.clock.now()).await?;
        self.count(client)
    }

    /// The client with this secret.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn client_with_secret(&self, id: &str, secret: &str) -> Result<ClientRecord, ClientError> {
        // Hashes are compared, so the time it takes tells nothing about the secret.
        let is_its = |client: &ClientRecord| client.keys == ClientKeys::Secret(hash(secret));
        let client = self.store.client(id).await?.filter(is_its).ok_or(ClientError::Secret)?;
        self.count(client)
    }

    /// The app with this id, where it is one that can keep no secret.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn public_client(&self, id: &str) -> Result<ClientRecord, ClientError> {
        let client = self.store.client(id).await?.filter(|client| client.keys == ClientKeys::Nothing);
        self.count(client.ok_or(ClientError::Secret)?)
    }

    pub(super) fn count(&self, client: ClientRecord) -> Result<ClientRecord, ClientError> {
        self.limiter.count(&client.id, Instant::now()).map_err(|_| ClientError::Busy)?;
        Ok(client)
    }

    /// Registers a client.
    ///
    /// # Errors
    /// [`RegistrationError`].
    pub async fn register(&self, new: NewClient) -> Result<ClientRecord, RegistrationError> {
        new.register(&self.store, self.clients.fetcher()).await
    }

    /// A token for a client that proved itself: what it asks for of what it is registered for.
    ///
    /// # Errors
    /// [`NoToken`].
    pub async fn issue(&self, client: &ClientRecord, scope: &str, iss: &str, aud: &str) -> Result<Issued, NoToken> {
        if !client.redirects.is_empty() {
            return Err(NoToken::Person);
        }
        let asked = ScopeSet::parse_all(scope).map_err(|error| NoToken::Scope(error.to_string()))?;
        let granted = asked.and(&ScopeSet::parse(&client.scope));
        if granted.is_empty() {
            return Err(NoToken::Scope("nothing of what was asked for is registered for this client".to_owned()));
        }
        let (now, scope) = (self.clock.now(), granted.to_string());
        let iat = now.0.div_euclid(MICROS);
        let claims = Claims {
            iss: iss.to_owned(),
            sub: client.id.clone(),
            client_id: client.id.clone(),
            aud: aud.to_owned(),
            iat,
            exp: iat + token::LIFETIME_S,
            jti: new_id("at").map_err(|_| KeyError::Random)?,
            scope: scope.clone(),
            person: None,
        };
        let token = Secret::new(self.keys.sign(&client.tenant, &claims, now).await?);
        Ok(Issued { token, scope, expires_in: token::LIFETIME_S })
    }

    /// What an access token says, where it is still good.
    ///
    /// # Errors
    /// It could not be checked.
    pub async fn read_token(&self, token: &str) -> Result<Option<AccessToken>, Denied> {
        let Some(read) = self.keys.read(token, self.clock.now()).await? else { return Ok(None) };
        let standing = self.standing(&read).await?;
        Ok(standing.map(|_| read))
    }

    /// Takes an access token back.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke(&self, token: &str, claims: &Claims) -> Result<(), StoreError> {
        self.store.revoke_token(&claims.jti, claims.expires()).await?;
        self.found.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash(token));
        Ok(())
    }
}
