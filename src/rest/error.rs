//! The one place that turns a failure into an HTTP status and an OperationOutcome.
//! <https://hl7.org/fhir/R4/http.html#Status-Codes>

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::respond;
use crate::auth::Denied;
use crate::fhir::outcome::{Issue, outcome_json};
use crate::store::StoreError;

/// When to ask again while the database is away.
const RETRY_AFTER_S: &str = "2";

/// Why a FHIR request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody known is asking.
    #[error("not authenticated")]
    Denied(#[from] Denied),
    /// The caller's scopes do not reach so far.
    #[error("the scopes of this token do not allow {access} on {kind}")]
    Forbidden {
        /// What was attempted.
        access: &'static str,
        /// Resource type.
        kind: String,
    },
    /// The token is for another tenant.
    #[error("the token is not for this tenant")]
    OtherTenant,
    /// There is no such resource or version.
    #[error("{0} is not known")]
    NotFound(String),
    /// There is no such resource type here.
    #[error("resource type {0} is not supported")]
    UnknownType(String),
    /// There is no such interaction here.
    #[error("{0} is not supported")]
    NotSupported(String),
    /// The interaction exists in FHIR, this server does not have it for this type.
    #[error("{method} is not supported on {path}")]
    Method {
        /// HTTP method.
        method: String,
        /// Where, such as `Observation/[id]`.
        path: String,
    },
    /// A whole class of interactions this server does not have.
    #[error("{0} is not implemented")]
    NotImplemented(&'static str),
    /// A parameter has a value it cannot have.
    #[error("{parameter}: {problem}")]
    Invalid {
        /// The parameter.
        parameter: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Parameters this server does not know, under strict handling.
    #[error("unsupported parameters under handling=strict")]
    Unsupported(Vec<Issue>),
    /// A format other than JSON was asked for.
    #[error("only application/fhir+json can be answered")]
    NotAcceptable,
    /// A body in a format other than the interaction's.
    #[error("the body must be {0}")]
    UnsupportedMediaType(&'static str),
    /// The body is larger than a search needs.
    #[error("the body is too large")]
    TooLarge,
    /// The body did not arrive.
    #[error("the body could not be read")]
    Body,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// A stored resource is not what it must be.
    #[error("stored resource is damaged")]
    Damaged,
}

impl Error {
    /// A parameter's value cannot be used.
    pub(super) fn invalid(parameter: &str, problem: impl ToString) -> Self {
        Self::Invalid { parameter: parameter.to_owned(), problem: problem.to_string() }
    }

    fn status(&self) -> StatusCode {
        match self {
            // The same request may be answered a little later.
            Self::Store(error) | Self::Denied(Denied::Store(error)) if error.is_away() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Denied(Denied::Missing | Denied::Invalid) => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::OtherTenant => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::UnknownType(_) | Self::NotSupported(_) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Invalid { .. }
            | Self::Unsupported(_)
            | Self::Body
            | Self::Store(StoreError::TooMany { .. } | StoreError::TooBroad { .. }) => StatusCode::BAD_REQUEST,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Denied(Denied::Store(_)) | Self::Store(_) | Self::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn issues(&self) -> Vec<Issue> {
        let code = match self {
            Self::Store(error) | Self::Denied(Denied::Store(error)) if error.is_away() => "transient",
            Self::Denied(Denied::Missing | Denied::Invalid) => "login",
            Self::Forbidden { .. } | Self::OtherTenant => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Invalid { .. } => "value",
            Self::TooLarge => "too-long",
            Self::Body => "structure",
            Self::Store(StoreError::TooMany { .. } | StoreError::TooBroad { .. }) => "too-costly",
            Self::Denied(Denied::Store(_)) | Self::Store(_) | Self::Damaged => "exception",
            Self::Unsupported(issues) => return issues.clone(),
            _ => "not-supported",
        };
        // What went wrong inside is for the log, not for the client.
        let details = match self {
            Self::Denied(denied @ (Denied::Missing | Denied::Invalid)) => denied.to_string(),
            Self::Store(too_many @ (StoreError::TooMany { .. } | StoreError::TooBroad { .. })) => too_many.to_string(),
            _ if code == "transient" => "the database cannot be reached for now; try again".to_owned(),
            _ if code == "exception" => "the server failed to answer; the failure is in its log".to_owned(),
            other => other.to_string(),
        };
        let issue = Issue::error(code, details);
        vec![match self {
            Self::Invalid { parameter, .. } | Self::Store(StoreError::TooBroad { parameter, .. }) => {
                issue.at(parameter.clone())
            }
            _ => issue,
        }]
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            let chain = std::iter::successors(std::error::Error::source(&self), |e| e.source());
            let causes: Vec<String> = chain.map(ToString::to_string).collect();
            tracing::error!(error = %self, causes = causes.join(": "), "FHIR request failed");
        }
        let mut response = respond::json(status, outcome_json(&self.issues()));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
