//! `/api/v1/enrolments`: patients in programs.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{List, PageQuery, failed, id, if_match, missing, query, read, status, tagged};
use super::{ControlState, authorize, unavailable};
use crate::id::{EnrolmentId, ProgramId, ResourceId};
use crate::problem::Problem;
use crate::program::{Enrolment, EnrolmentStatus, Pinned};
use crate::store::{Page, Written};

/// An enrolment, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EnrolmentRequest {
    program: ProgramId,
    /// What new episodes go by; those that are open keep what they were opened with.
    profile: Pinned,
    /// Logical id of the Patient.
    patient: ResourceId,
    #[serde(default)]
    status: EnrolmentStatus,
}

/// An enrolment.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EnrolmentAnswer {
    id: EnrolmentId,
    program: ProgramId,
    profile: Pinned,
    /// Logical id of the Patient.
    patient: ResourceId,
    status: EnrolmentStatus,
}

impl From<Enrolment> for EnrolmentAnswer {
    fn from(of: Enrolment) -> Self {
        Self { id: of.id, program: of.program, profile: of.profile, patient: of.patient, status: of.status }
    }
}

/// Enrols a patient in a program, or changes the profile or status of an enrolment: that needs `If-Match` with its `ETag`.
#[utoipa::path(
    put,
    path = "/api/v1/enrolments/{enrolment}",
    tag = "enrolments",
    params(
        ("enrolment" = EnrolmentId, Path, description = "Chosen by who makes it; it must not identify a person"),
        ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
    ),
    request_body = EnrolmentRequest,
    responses(
        (status = OK, body = EnrolmentAnswer, headers(("ETag" = String))),
        (status = CREATED, body = EnrolmentAnswer, headers(("ETag" = String))),
        (status = CONFLICT, description = "Of another program or patient; or to be withdrawn, while an episode is running"),
        (status = PRECONDITION_FAILED, description = "It was changed since"),
        (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
    ),
)]
pub(super) async fn put_enrolment(
    State(state): State<ControlState>,
    Path(enrolment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let enrolment: EnrolmentId = id("enrolment", &enrolment)?;
    let EnrolmentRequest { program, profile, patient, status: taking_part } = read(&body)?;
    let enrolment = Enrolment { id: enrolment, program, profile, patient, status: taking_part };
    let known = if_match(&headers)?;
    let put = state.store.put_enrolment(&grant.tenant, &enrolment, known).await;
    let (written, revision) = put.map_err(|e| failed(&e))?;
    if written != Written::Updated {
        // Also when it was there already: who made it may not have come so far.
        let stub = crate::projection::stub_patient(&grant.tenant, &enrolment.patient, grant.synthetic);
        state.store.put_if_absent(&grant.tenant, stub).await.map_err(|e| unavailable(&e))?;
    }
    Ok(tagged(status(written), revision, EnrolmentAnswer::from(enrolment)))
}

/// An enrolment.
#[utoipa::path(
    get,
    path = "/api/v1/enrolments/{enrolment}",
    tag = "enrolments",
    params(("enrolment" = EnrolmentId, Path)),
    responses((status = OK, body = EnrolmentAnswer, headers(("ETag" = String))), (status = NOT_FOUND)),
)]
pub(super) async fn read_enrolment(
    State(state): State<ControlState>,
    Path(enrolment): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let found = state.store.enrolment(&grant.tenant, &id("enrolment", &enrolment)?).await.map_err(|e| failed(&e))?;
    let (enrolment, revision) = found.ok_or_else(|| missing("enrolment"))?;
    Ok(tagged(StatusCode::OK, revision, EnrolmentAnswer::from(enrolment)))
}

/// Enrolments by id.
#[utoipa::path(
    get,
    path = "/api/v1/enrolments",
    tag = "enrolments",
    params(PageQuery),
    responses((status = OK, body = List<EnrolmentAnswer>)),
)]
pub(super) async fn list_enrolments(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<EnrolmentAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(page)?;
    let after = page.after.as_deref().map(|after| id::<EnrolmentId>("after", after)).transpose()?;
    let rows = Page { after: after.as_ref().map_or("", EnrolmentId::as_str), count: page.limit()? };
    let found = state.store.enrolments(&grant.tenant, rows).await.map_err(|e| failed(&e))?;
    Ok(page.list(found.into_iter().map(EnrolmentAnswer::from).collect(), |enrolment| enrolment.id.to_string()))
}
