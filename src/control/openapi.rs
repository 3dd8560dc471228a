//! `/api/v1/openapi.json`: the document of the control plane, made from the handlers that are routed.

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, SecurityRequirement};
use utoipa::{PartialSchema, ToSchema};

/// What is said before any path.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Afferent control plane",
        description = "Programs, enrolments, episodes and devices. Ids are chosen by the caller, so a request may be sent \
            again: the same once more changes nothing.",
    ),
    tags(
        (name = "programs", description = "What is measured, and what happens with it"),
        (name = "enrolments", description = "Patients in programs"),
        (name = "episodes", description = "Stretches of a patient's time that devices record"),
        (name = "triggers", description = "Exports that are due"),
        (name = "delivery", description = "Where exports go, and how far they are"),
        (name = "devices", description = "Who wears what"),
        (name = "quarantine", description = "What was held back, nothing of it dropped silently"),
        (name = "alerts", description = "What somebody should look at, and by which ways they are told"),
        (name = "sign-in", description = "Clients, users and the opening of apps"),
        (name = "operations", description = "How the server is doing"),
    ),
)]
pub(super) struct Head;

/// Problem details. <https://www.rfc-editor.org/rfc/rfc9457>
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
struct ProblemDetails {
    /// Kind of the problem, `urn:afferent:problem:` and a few words.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    status: u16,
    /// What is wrong, for people.
    detail: String,
    /// Path of the element at fault, such as `spec.exports[1].interval_s`.
    element: Option<String>,
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "read_document",
    tag = "operations",
    security(()),
    responses((status = OK, body = serde_json::Value)),
)]
pub(super) async fn document(Extension(document): Extension<Arc<OpenApi>>) -> Response {
    Json(&*document).into_response()
}

/// The document of the routed handlers: every operation takes a bearer token and may answer problem details.
pub(super) fn whole(mut document: OpenApi) -> OpenApi {
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert("Problem".to_owned(), ProblemDetails::schema());
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("A developer key")).build();
    components.add_security_scheme("key", SecurityScheme::Http(bearer));
    for path in document.paths.paths.values_mut() {
        let operations = [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch];
        operations.into_iter().flatten().for_each(complete);
    }
    document.security = Some(vec![SecurityRequirement::new("key", Vec::<String>::new())]);
    document
}

/// Says of every answer what it is, and of refusals that they are problem details.
fn complete(operation: &mut Operation) {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let answer =
        ResponseBuilder::new().description("What is wrong").content("application/problem+json", problem.clone());
    operation.responses.responses.insert("default".to_owned(), RefOr::T(answer.build()));
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        if response.description.is_empty() {
            let status = StatusCode::from_bytes(status.as_bytes()).ok();
            response.description.push_str(status.and_then(|s| s.canonical_reason()).unwrap_or("An answer"));
        }
        if status.starts_with('4') {
            response.content.insert("application/problem+json".to_owned(), RefOr::T(problem.clone()));
        }
    }
}
