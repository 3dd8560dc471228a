//! `/api/v1/users`: who may sign in, and who they are in the tenant's data.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{List, PageQuery, failed, invalid, missing, query, read};
use super::{ControlState, authorize, hands_on};
use crate::auth::{NewPerson, PersonError};
use crate::problem::Problem;
use crate::store::PersonRecord;

/// All a person can have a right to.
const EVERYTHING: &str = "system/*.cruds";

/// Somebody who may sign in, as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserRequest {
    /// The identity provider's issuer URL.
    #[schema(min_length = 1, max_length = 255)]
    issuer: String,
    /// What the provider calls them, `sub`.
    #[schema(min_length = 1, max_length = 255)]
    subject: String,
    /// Who they are: `Practitioner/…` or `Patient/…`.
    #[schema(pattern = "^(Patient|Practitioner)/[A-Za-z0-9.-]{1,64}$")]
    resource: String,
}

/// Somebody who may sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct UserAnswer {
    id: String,
    issuer: String,
    subject: String,
    resource: String,
}

impl From<PersonRecord> for UserAnswer {
    fn from(person: PersonRecord) -> Self {
        Self { id: person.id, issuer: person.issuer, subject: person.subject, resource: person.resource }
    }
}

/// Lets somebody sign in. Who does must be allowed everything a person can do: `system/*.cruds`.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    operation_id = "create_user",
    tag = "sign-in",
    request_body = UserRequest,
    responses((status = CREATED, body = UserAnswer), (status = CONFLICT, description = "The subject is somebody already")),
)]
pub(super) async fn create_user(
    State(state): State<ControlState>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let grant = authorize(&state, &headers).await?;
    let UserRequest { issuer, subject, resource } = read(&body)?;
    hands_on(&grant, EVERYTHING)?;
    let person = NewPerson { tenant: grant.tenant.clone(), issuer, subject, resource };
    let person = person.register(&state.store).await.map_err(|error| match error {
        PersonError::Store(error) => failed(&error),
        PersonError::Taken => {
            Problem::new(StatusCode::CONFLICT, "exists", error.to_string()).with("element", "subject")
        }
        _ => error.element().map_or_else(
            || Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()).retry_after(1),
            |element| invalid(element, &error),
        ),
    })?;
    Ok((StatusCode::CREATED, Json(UserAnswer::from(person))).into_response())
}

/// Who may sign in.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    operation_id = "list_users",
    tag = "sign-in",
    params(PageQuery),
    responses((status = OK, body = List<UserAnswer>)),
)]
pub(super) async fn list_users(
    State(state): State<ControlState>,
    asked: Result<Query<PageQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Json<List<UserAnswer>>, Problem> {
    let grant = authorize(&state, &headers).await?;
    let page = query(asked)?;
    let people = state.store.people(&grant.tenant).await.map_err(|e| failed(&e))?;
    page.of_all(people.into_iter().map(UserAnswer::from), |user| user.id.clone())
}

/// Lets somebody sign in no longer, and takes back what they granted to apps.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{user}",
    operation_id = "delete_user",
    tag = "sign-in",
    params(("user" = String, Path)),
    responses((status = NO_CONTENT), (status = NOT_FOUND)),
)]
pub(super) async fn delete_user(
    State(state): State<ControlState>,
    Path(user): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let grant = authorize(&state, &headers).await?;
    let done = state.store.revoke_person(&grant.tenant, &user).await.map_err(|e| failed(&e))?;
    if done { Ok(StatusCode::NO_CONTENT) } else { Err(missing("user")) }
}
