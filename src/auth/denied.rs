//! Why a request is not let in.

use axum::http::StatusCode;

use super::token::KeyError;
use crate::problem::Problem;
use crate::store::StoreError;

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// No `Authorization: Bearer` header.
    #[error("a bearer token is needed: Authorization: Bearer …, an access token or a developer key")]
    Missing,
    /// The token is unknown, expired or revoked; which one is nobody's business.
    #[error("the bearer token is not valid")]
    Invalid,
    /// The caller asks for too much.
    #[error("too many requests with this key or of this client")]
    Limited,
    /// The store failed.
    #[error("the token could not be checked")]
    Store(#[from] StoreError),
}

impl From<KeyError> for Denied {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Store(error) => Self::Store(error),
            KeyError::Random | KeyError::Damaged => Self::Invalid,
        }
    }
}

/// What a caller outside the FHIR paths is told.
impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing | Denied::Invalid => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthorized", denied.to_string())
            }
            Denied::Limited => Self::new(StatusCode::TOO_MANY_REQUESTS, "limited", denied.to_string()).retry_after(1),
            Denied::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "token could not be checked");
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "try again").retry_after(1)
            }
        }
    }
}
