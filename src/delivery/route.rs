//! A way to a receiver: which adapter speaks to it, over what, and who gives tokens for it.

use std::sync::Arc;

use super::adapter::{Adapter, Answer, Request, Transport, Unanswered};
use super::connection::{OauthProvider, PatientBinding};
use super::keys::Secrets;
use super::token::{TokenError, TokenKey, Tokens};
use crate::archive::SealError;
use crate::store::StoreError;
use crate::time::Clock;

/// Why there is no way to a receiver.
#[derive(Debug, thiserror::Error)]
pub enum NoRoute {
    /// Nothing of this name.
    #[error("there is no {0} of this id")]
    Missing(&'static str),
    /// What is kept is not what this version keeps.
    #[error("what is kept of the {0} is damaged")]
    Damaged(&'static str),
    /// The registry has no row for it.
    #[error("there is no registry/target row {0}")]
    Row(&'static str),
    /// The receiver does not say what it can do.
    #[error("{0}")]
    Unknown(#[from] Unsent),
    /// It said something that makes no sense.
    #[error("the target answered {0} where it was asked what it can do")]
    Strange(u16),
    /// Secrets cannot be opened.
    #[error("secrets cannot be opened")]
    Seal(#[from] SealError),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// Why a request was not sent, or has no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unsent {
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// It could not be sent, or there was no answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
}

impl Unsent {
    /// Whether nothing was sent, for sure.
    pub fn is_certain(&self) -> bool {
        matches!(self, Self::Token(_) | Self::Unanswered(Unanswered::NotSent(_)))
    }
}

/// Who gives tokens.
pub(super) struct Authority {
    pub(super) key: TokenKey,
    pub(super) provider: OauthProvider,
    pub(super) secrets: Secrets,
}

/// Where a way leads.
#[derive(Debug, Clone)]
pub struct Place {
    /// Base URL or folder: what it is remembered by.
    pub destination: String,
    /// How patients are told apart there.
    pub binding: PatientBinding,
}

/// A way to a receiver.
pub struct Route {
    /// Where it leads.
    pub place: Place,
    /// What speaks to it.
    pub adapter: Arc<dyn Adapter>,
    pub(super) transport: Arc<dyn Transport>,
    pub(super) authority: Option<Authority>,
    pub(super) tokens: Tokens,
    pub(super) clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}

impl Route {
    /// Sends a request. A token the receiver does not know is renewed, once.
    ///
    /// # Errors
    /// [`Unsent`].
    pub async fn send(&self, request: &Request) -> Result<Answer, Unsent> {
        send((&*self.transport, &self.tokens, &*self.clock), self.authority.as_ref(), request).await
    }
}

pub(super) async fn send(
    (transport, tokens, clock): (&dyn Transport, &Tokens, &dyn Clock),
    authority: Option<&Authority>,
    request: &Request,
) -> Result<Answer, Unsent> {
    let Some(Authority { key, provider, secrets }) = authority else { return Ok(transport.send(request, None).await?) };
    let token = tokens.get(key, provider, secrets, clock.now()).await?;
    let answer = transport.send(request, Some(token.value.expose())).await?;
    if answer.status != 401 {
        return Ok(answer);
    }
    tokens.reject(key, &token).await;
    let token = tokens.get(key, provider, secrets, clock.now()).await?;
    Ok(transport.send(request, Some(token.value.expose())).await?)
}
