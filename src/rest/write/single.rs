//! One resource written by a request of its own, and the answer to it.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;

use super::task::{Done, Outcome, Task};
use super::{Context, provenance, run};
use crate::fhir::outcome::{Issue, Severity, outcome_json};
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::payload::{self, Return};
use crate::rest::respond::{self, Version};

/// Does the task and answers.
pub(in crate::rest) async fn single(
    context: Context<'_>,
    task: Task<'_>,
    headers: &HeaderMap,
) -> Result<Response, Error> {
    let wanted = Return::of(headers).unwrap_or(Return::Representation);
    let provenance = payload::text(headers, provenance::HEADER)?;
    let done = run(context, std::slice::from_ref(&task), provenance.map(str::as_bytes)).await?;
    let done = done.into_iter().next().ok_or(Error::Damaged)?;
    let mut response = answer(context, &done, wanted).await?;
    if let Some((version, modified)) = done.version {
        Version::new(version, modified).stamp(&mut response);
        let location = format!("{}/{}/_history/{version}", context.base, done.reference());
        let name = if done.outcome == Outcome::Created { header::LOCATION } else { header::CONTENT_LOCATION };
        if let Some(location) = HeaderValue::from_str(&location).ok().filter(|_| done.outcome != Outcome::Deleted) {
            response.headers_mut().insert(name, location);
        }
    }
    Ok(response)
}

impl Outcome {
    /// The HTTP status.
    pub(in crate::rest) fn status(self) -> StatusCode {
        match self {
            Self::Created => StatusCode::CREATED,
            Self::Updated | Self::Existing => StatusCode::OK,
            Self::Deleted | Self::Absent => StatusCode::NO_CONTENT,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Existing => "there already",
            Self::Deleted => "deleted",
            Self::Absent => "nothing to delete",
        }
    }
}

async fn answer(context: Context<'_>, done: &Done, wanted: Return) -> Result<Response, Error> {
    let status = done.outcome.status();
    if wanted == Return::Outcome {
        let status = if status == StatusCode::NO_CONTENT { StatusCode::OK } else { status };
        return Ok(respond::json(status, outcome(done)));
    }
    if wanted == Return::Representation
        && status != StatusCode::NO_CONTENT
        && let Some(resource) = representation(context, done).await?
    {
        return Ok(respond::json(status, resource));
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    Ok(response)
}

/// What was done, as an OperationOutcome.
pub(in crate::rest) fn outcome(done: &Done) -> Vec<u8> {
    let details = format!("{}: {}", done.reference().trim_end_matches('/'), done.outcome.words());
    let (severity, code) = (Severity::Information, "informational");
    let issue = Issue { severity, code, details, expression: None, diagnostics: None };
    outcome_json(&[issue])
}

/// The resource as it is now.
pub(in crate::rest) async fn representation(context: Context<'_>, done: &Done) -> Result<Option<Vec<u8>>, Error> {
    if let Some(stored) = &done.stored {
        return Ok(Some(stored.json()));
    }
    let id = ResourceId::new(done.id.as_str()).map_err(|_| Error::Damaged)?;
    let stored = context.state.store.read(context.caller.tenant(), &done.kind, &id).await?;
    Ok(stored.map(|stored| stored.json()))
}
