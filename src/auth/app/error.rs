//! Why people or apps get nothing.

use crate::auth::client::ClientError;
use crate::auth::token::KeyError;
use crate::store::StoreError;

/// Why an app gets no code or no tokens.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// What it shows is not good: unknown, old, used before, another's, or bound to something else.
    #[error("{0}")]
    Grant(&'static str),
    /// A scope is none, or none is left of what was asked for.
    #[error("scope: {0}")]
    Scope(String),
    /// What the launch parameter stands for is not this app's or this person's.
    #[error("launch: {0}")]
    Launch(&'static str),
    /// The client is not known.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A token could not be signed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What is stored is damaged, or there is no randomness.
    #[error("what was asked for could not be kept or read")]
    Failed,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl From<serde_json::Error> for AppError {
    fn from(_: serde_json::Error) -> Self {
        Self::Failed
    }
}

impl From<getrandom::Error> for AppError {
    fn from(_: getrandom::Error) -> Self {
        Self::Failed
    }
}

/// Why nobody has signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The identity provider cannot be asked, or answers what it must not.
    #[error("the identity provider: {0}")]
    Provider(String),
    /// The answer is another provider's.
    #[error("the answer is not from the identity provider that was asked")]
    OtherIssuer,
    /// The answer does not prove who signed in.
    #[error("the identity provider's answer does not hold: {0}")]
    Proof(String),
}
