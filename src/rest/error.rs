//! The one place that turns a failure into an HTTP status and an OperationOutcome.
//! <https://hl7.org/fhir/R4/http.html#Status-Codes>

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::respond;
use crate::auth::Denied;
use crate::conformant;
use crate::fhir::content::Invalid;
use crate::fhir::outcome::{Issue, Severity, outcome_json};
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
    /// What was sent is no resource that can be stored.
    #[error("{0}")]
    Content(#[from] Invalid),
    /// What was sent cannot be taken as it is.
    #[error("{problem}")]
    Refused {
        /// FHIRPath of the element.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A patch does not fit the resource.
    #[error("the patch cannot be applied: {0}")]
    Unprocessable(String),
    /// What was sent is not valid.
    #[error("the resource is not valid")]
    NotValid(Vec<conformant::Issue>),
    /// It was deleted.
    #[error("{0} was deleted")]
    Gone(String),
    /// Clients may read it only.
    #[error("{0} is derived by this server from what devices sent; it is read-only")]
    Derived(String),
    /// The version that was expected is not the current one, or a condition does not hold.
    #[error("{0}")]
    Precondition(String),
    /// A condition matches several resources.
    #[error("{0} matches several resources")]
    Several(String),
    /// The same resource would be written twice.
    #[error("{0} is written twice")]
    Twice(String),
    /// In an entry of a Bundle, or a header.
    #[error("{place}: {error}")]
    At {
        /// Which.
        place: String,
        /// What is wrong there.
        error: Box<Error>,
    },
    /// A format other than JSON was asked for.
    #[error("only application/fhir+json and application/fhir+xml can be answered")]
    NotAcceptable,
    /// A body in a format other than the interaction's.
    #[error("the body must be {0}")]
    UnsupportedMediaType(&'static str),
    /// The body is larger than is taken.
    #[error("the body is too large")]
    TooLarge,
    /// The body did not arrive.
    #[error("the body could not be read")]
    Body,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// Secrets cannot be sealed: the master key or its home cannot be reached.
    #[error("secrets cannot be sealed for now; try again")]
    Sealing,
    /// A stored resource is not what it must be.
    #[error("stored resource is damaged")]
    Damaged,
}

impl Error {
    /// A parameter's value cannot be used.
    pub(super) fn invalid(parameter: &str, problem: impl ToString) -> Self {
        Self::Invalid { parameter: parameter.to_owned(), problem: problem.to_string() }
    }

    /// The same error, saying where it happened.
    pub(super) fn at(self, place: &str) -> Self {
        Self::At { place: place.to_owned(), error: Box::new(self) }
    }

    /// An element cannot be taken as it is.
    pub(super) fn refused(path: impl Into<String>, problem: impl ToString) -> Self {
        Self::Refused { path: path.into(), problem: problem.to_string() }
    }

    /// Whether a race was lost: done again, it finds what the winner wrote.
    pub(super) fn is_contention(&self) -> bool {
        match self {
            Self::Store(error) => error.is_contention(),
            Self::At { error, .. } => error.is_contention(),
            _ => false,
        }
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::At { error, .. } => error.status(),
            Self::Store(StoreError::Busy) | Self::Denied(Denied::Limited) => StatusCode::TOO_MANY_REQUESTS,
            Self::Sealing => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if error.is_contention() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unprocessable(_) | Self::NotValid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Gone(_) => StatusCode::GONE,
            Self::Precondition(_) | Self::Several(_) => StatusCode::PRECONDITION_FAILED,
            // The same request may be answered a little later.
            Self::Store(error) | Self::Denied(Denied::Store(error)) if error.is_away() => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Denied(Denied::Missing | Denied::Invalid) => StatusCode::UNAUTHORIZED,
            Self::Forbidden { .. } | Self::OtherTenant | Self::Derived(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) | Self::UnknownType(_) | Self::NotSupported(_) => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotImplemented(_) => StatusCode::NOT_IMPLEMENTED,
            Self::Content(_)
            | Self::Refused { .. }
            | Self::Twice(_)
            | Self::Invalid { .. }
            | Self::Unsupported(_)
            | Self::Body
            | Self::Store(StoreError::TooMany { .. } | StoreError::TooBroad { .. }) => StatusCode::BAD_REQUEST,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Denied(Denied::Store(_)) | Self::Store(_) | Self::Damaged => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the outcome says.
    pub(super) fn issues(&self) -> Vec<Issue> {
        if let Self::At { place, error } = self {
            let put = |issue: Issue| {
                let expression = issue.expression.as_ref().map_or(place.clone(), |inner| format!("{place}.{inner}"));
                issue.at(expression)
            };
            return error.issues().into_iter().map(put).collect();
        }
        if let Self::NotValid(found) = self {
            return found.iter().map(said).collect();
        }
        let code = match self {
            Self::Store(StoreError::Busy) | Self::Denied(Denied::Limited) => "throttled",
            Self::Sealing => "transient",
            Self::Store(error) if error.is_contention() => "transient",
            Self::Content(invalid) if invalid.is_structure => "structure",
            Self::Refused { .. } => "invalid",
            Self::Unprocessable(_) => "processing",
            Self::Gone(_) => "deleted",
            Self::Precondition(_) => "conflict",
            Self::Several(_) => "multiple-matches",
            Self::Twice(_) => "duplicate",
            Self::Store(error) | Self::Denied(Denied::Store(error)) if error.is_away() => "transient",
            Self::Denied(Denied::Missing | Denied::Invalid) => "login",
            Self::Forbidden { .. } | Self::OtherTenant | Self::Derived(_) => "forbidden",
            Self::NotFound(_) => "not-found",
            Self::Content(_) | Self::Invalid { .. } => "value",
            Self::TooLarge => "too-long",
            Self::Body => "structure",
            Self::Store(StoreError::TooMany { .. } | StoreError::TooBroad { .. }) => "too-costly",
            Self::Denied(Denied::Store(_)) | Self::Store(_) | Self::Damaged => "exception",
            Self::Unsupported(issues) => return issues.clone(),
            _ => "not-supported",
        };
        // What went wrong inside is for the log, not for the client.
        let details = match self {
            Self::Denied(denied @ (Denied::Missing | Denied::Invalid | Denied::Limited)) => denied.to_string(),
            Self::Store(limit @ (StoreError::TooMany { .. } | StoreError::TooBroad { .. } | StoreError::Busy)) => {
                limit.to_string()
            }
            Self::Store(error) if error.is_contention() => "others are writing the same; try again".to_owned(),
            Self::Sealing => self.to_string(),
            _ if code == "transient" => "the database cannot be reached for now; try again".to_owned(),
            _ if code == "exception" => "the server failed to answer; the failure is in its log".to_owned(),
            other => other.to_string(),
        };
        let issue = Issue::error(code, details);
        vec![match self {
            Self::Invalid { parameter, .. } | Self::Store(StoreError::TooBroad { parameter, .. }) => {
                issue.at(parameter.clone())
            }
            Self::Refused { path, .. } | Self::Content(Invalid { path: Some(path), .. }) => issue.at(path.clone()),
            _ => issue,
        }]
    }
}

/// An issue of a validation.
fn said(found: &conformant::Issue) -> Issue {
    let severity = match found.severity {
        conformant::Severity::Error => Severity::Error,
        conformant::Severity::Warning => Severity::Warning,
        conformant::Severity::Information => Severity::Information,
    };
    let (code, details, diagnostics) = (found.code.as_str(), found.text.clone(), found.source());
    Issue { severity, code, details, expression: Some(found.expression.clone()), diagnostics }
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
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
