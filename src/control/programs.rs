//! `/api/v1/programs`: programs and the versions of their profiles.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{List, PageQuery, check_text, failed, id, if_match, invalid, missing, query, read, status, tagged};
use super::{ControlState, authorize};
use crate::id::ProgramId;
use crate::problem::Problem;
use crate::program::{Fault, Pinned, Program, Spec};
use crate::store::Page;

/// A program, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProgramRequest {
    /// What people read.
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// More of it.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 4000)]
    description: Option<String>,
}

/// A program.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProgramAnswer {
    id: ProgramId,
    /// What people read.
    title: String,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

/// A version of a profile, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileRequest {
    spec: Spec,
}

/// A version of a profile.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProfileAnswer {
    program: ProgramId,
    profile: Pinned,
    spec: Spec,
}

impl From<Program> for ProgramAnswer {
    fn from(program: Program) -> Self {
        Self { id: program.id, title: program.title, description: program.description }
    }
}

/// Makes a program, or changes one: that needs `If-Match` with its `ETag`.
#[utoipa::path(
    put,
    path = "/api/v1/programs/{program}",
    tag = "programs",
    params(
        ("program" = ProgramId, Path, description = "Chosen by who makes it"),
        ("If-Match" = Option<String>, Header, description = "ETag of what is to be changed"),
    ),
    request_body = ProgramRequest,
    responses(
        (status = OK, body = ProgramAnswer, headers(("ETag" = String))),
        (status = CREATED, body = ProgramAnswer, headers(("ETag" = String))),
        (status = PRECONDITION_FAILED, description = "It was changed since"),
        (status = PRECONDITION_REQUIRED, description = "It is there, and If-Match is missing"),
    ),
)]
pub(super) async fn put_program(
    State(state): State<ControlState>,
    Path(program): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let program: ProgramId = id("program", &program)?;
    let ProgramRequest { title, description } = read(&body)?;
    check_text("title", &title, 200)?;
    if let Some(description) = &description {
        check_text("description", description, 4000)?;
    }
    let program = Program { id: program, title, description };
    let known = if_match(&headers)?;
    let put = state.store.put_program(&grant.tenant, &program, known).await;
    let (written, revision) = put.map_err(|e| failed(&e))?;
    Ok(tagged(status(written), revision, ProgramAnswer::from(program)))
}

/// A program.
#[utoipa::path(
    get,
    path = "/api/v1/programs/{program}",
    tag = "programs",
    params(("program" = ProgramId, Path)),
    responses((status = OK, body = ProgramAnswer, headers(("ETag" = String))), (status = NOT_FOUND)),
)]
pub(super) async fn read_program(
    State(state): State<ControlState>,
    Path(program): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let found = state.store.program(&grant.tenant, &id("program", &program)?).await.map_err(|e| failed(&e))?;
    let (program, revision) = found.ok_or_else(|| missing("program"))?;
    Ok(tagged(StatusCode::OK, revision, ProgramAnswer::from(program)))
}

/// Programs by id.
#[utoipa::path(
    get,
    path = "/api/v1/programs",
    tag = "programs",
    params(PageQuery),
    responses((status = OK, body = List<ProgramAnswer>)),
)]
pub(super) async fn list_programs(
    State(state): State<ControlState>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<ProgramAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(page)?;
    let after = page.after.as_deref().map(|after| id::<ProgramId>("after", after)).transpose()?;
    let rows = Page { after: after.as_ref().map_or("", ProgramId::as_str), count: page.limit()? };
    let found = state.store.programs(&grant.tenant, rows).await.map_err(|e| failed(&e))?;
    Ok(page.list(found.into_iter().map(ProgramAnswer::from).collect(), |program| program.id.to_string()))
}

/// Makes the next version of a profile. A version never changes: the same once more is taken, anything else is refused.
#[utoipa::path(
    put,
    path = "/api/v1/programs/{program}/profiles/{profile}/versions/{version}",
    tag = "programs",
    params(
        ("program" = ProgramId, Path),
        ("profile" = crate::id::ProfileId, Path, description = "Chosen by who makes it"),
        ("version" = u32, Path, description = "1, 2, 3 and so on", minimum = 1),
    ),
    request_body = ProfileRequest,
    responses(
        (status = OK, body = ProfileAnswer),
        (status = CREATED, body = ProfileAnswer),
        (status = CONFLICT, description = "The version says something else, or is not the next one"),
    ),
)]
pub(super) async fn put_profile(
    State(state): State<ControlState>,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let (program, profile) = profile_of(&path)?;
    let ProfileRequest { spec } = read(&body)?;
    let faults = spec.faults(&state.registry);
    if let [first, ..] = &faults[..] {
        let element = |fault: &Fault| format!("spec.{}", fault.element);
        let all = faults.iter().map(|fault| serde_json::json!({"element": element(fault), "problem": fault.problem}));
        return Err(invalid(&element(first), &first.problem).with("errors", all.collect::<Vec<_>>()));
    }
    let put = state.store.put_profile(&grant.tenant, &program, &profile, &spec).await;
    let written = put.map_err(|e| failed(&e))?;
    Ok((status(written), Json(ProfileAnswer { program, profile, spec })).into_response())
}

/// A version of a profile.
#[utoipa::path(
    get,
    path = "/api/v1/programs/{program}/profiles/{profile}/versions/{version}",
    tag = "programs",
    params(
        ("program" = ProgramId, Path),
        ("profile" = crate::id::ProfileId, Path),
        ("version" = u32, Path, minimum = 1),
    ),
    responses((status = OK, body = ProfileAnswer), (status = NOT_FOUND)),
)]
pub(super) async fn read_profile(
    State(state): State<ControlState>,
    Path(path): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<ProfileAnswer>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let (program, profile) = profile_of(&path)?;
    let found = state.store.profile(&grant.tenant, &program, &profile).await.map_err(|e| failed(&e))?;
    let spec = found.ok_or_else(|| missing("version of a profile"))?;
    Ok(Json(ProfileAnswer { program, profile, spec }))
}

/// Versions of a program's profiles, by profile and version.
#[utoipa::path(
    get,
    path = "/api/v1/programs/{program}/profiles",
    tag = "programs",
    params(("program" = ProgramId, Path), PageQuery),
    responses((status = OK, body = List<Pinned>), (status = NOT_FOUND)),
)]
pub(super) async fn list_profiles(
    State(state): State<ControlState>,
    Path(program): Path<String>,
    headers: HeaderMap,
    page: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<Pinned>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(page)?;
    let program: ProgramId = id("program", &program)?;
    let after = page.after.as_deref().map(|after| {
        let (profile, version) = after.split_once('/').ok_or_else(|| invalid("after", "is no key of this list"))?;
        pinned("after", profile, version)
    });
    let after = after.transpose()?;
    if state.store.program(&grant.tenant, &program).await.map_err(|e| failed(&e))?.is_none() {
        return Err(missing("program"));
    }
    let found = state.store.profiles(&grant.tenant, &program, after.as_ref(), page.limit()?).await;
    Ok(page.list(found.map_err(|e| failed(&e))?, |profile| format!("{}/{}", profile.id, profile.version)))
}

fn profile_of((program, profile, version): &(String, String, String)) -> Result<(ProgramId, Pinned), Problem> {
    Ok((id("program", program)?, pinned("version", profile, version)?))
}

fn pinned(element: &str, profile: &str, version: &str) -> Result<Pinned, Problem> {
    let version: u32 = version.parse().map_err(|_| invalid(element, "must be a number from 1"))?;
    Ok(Pinned { id: id("profile", profile)?, version })
}
