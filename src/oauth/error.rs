//! How the endpoints say what went wrong. <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::auth::{AppError, ClientError, Denied, NoToken, SigningKeyError};

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("{0}")]
    Request(String),
    #[error("{0}")]
    Client(String),
    #[error("{0}")]
    Secret(String),
    #[error("this grant_type is not given here; smart-configuration names those that are")]
    GrantType,
    #[error("response_type must be code")]
    ResponseType,
    #[error("{0}")]
    Grant(&'static str),
    #[error("Nobody has signed in: the identity provider cannot be asked, or its answer does not hold.")]
    SignIn,
    #[error("{0}")]
    Scope(String),
    #[error("an app that people use gets no tokens for itself")]
    NotForItself,
    #[error("the token is another client's")]
    NotYours,
    #[error("a bearer token with the scope control, or a client_assertion, is needed")]
    Unauthorized,
    #[error("people cannot sign in here")]
    NoSignIn,
    #[error("there is no such tenant")]
    NoTenant,
    #[error("too many requests are waiting")]
    Busy,
    #[error("the request could not be checked")]
    Failed,
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Busy => Self::Busy,
            ClientError::Failed => Self::Failed,
            ClientError::Store(error) => failed(&error),
            ClientError::Secret => Self::Secret(error.to_string()),
            known => Self::Client(known.to_string()),
        }
    }
}

impl From<NoToken> for Error {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::Client(error) => error.into(),
            NoToken::Scope(problem) => Self::Scope(problem),
            NoToken::Person => Self::NotForItself,
            NoToken::Key(error) => failed(&error),
        }
    }
}

impl From<AppError> for Error {
    fn from(error: AppError) -> Self {
        match error {
            AppError::Grant(problem) => Self::Grant(problem),
            AppError::Scope(problem) => Self::Scope(problem),
            AppError::Launch(_) => Self::Request(error.to_string()),
            AppError::Client(error) => error.into(),
            AppError::Key(error) => failed(&error),
            AppError::Store(error) => failed(&error),
            AppError::Failed => failed(&error),
        }
    }
}

impl From<SigningKeyError> for Error {
    fn from(error: SigningKeyError) -> Self {
        failed(&error)
    }
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Missing | Denied::Invalid => Self::Unauthorized,
            Denied::Limited => Self::Busy,
            Denied::Store(error) => failed(&error),
        }
    }
}

impl From<crate::store::StoreError> for Error {
    fn from(error: crate::store::StoreError) -> Self {
        failed(&error)
    }
}

/// The cause goes to the log, not to the caller.
fn failed(error: &(dyn std::error::Error + 'static)) -> Error {
    tracing::error!(error, "authorization server failed");
    Error::Failed
}

impl Error {
    /// As RFC 6749 calls it.
    pub(super) fn code(&self) -> &'static str {
        self.parts().1
    }

    pub(super) fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Request(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Client(_) => (StatusCode::BAD_REQUEST, "invalid_client"),
            Self::ResponseType => (StatusCode::BAD_REQUEST, "unsupported_response_type"),
            Self::Grant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::SignIn => (StatusCode::BAD_GATEWAY, "temporarily_unavailable"),
            Self::GrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::Scope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::NotYours | Self::NotForItself => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::Unauthorized | Self::Secret(_) => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::NoTenant | Self::NoSignIn => (StatusCode::NOT_FOUND, "invalid_request"),
            Self::Busy => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Self::Failed => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let (status, code) = self.parts();
        let mut response = answer(status, &json!({ "error": code, "error_description": self.to_string() }));
        let headers = response.headers_mut();
        if matches!(self, Self::Busy | Self::Failed) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if status == StatusCode::UNAUTHORIZED {
            let scheme = if matches!(self, Self::Secret(_)) { "Basic realm=\"oauth2\"" } else { "Bearer" };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        response
    }
}

/// JSON that nobody is to keep. <https://www.rfc-editor.org/rfc/rfc6749#section-5.1>
pub(super) fn answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, body.to_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
