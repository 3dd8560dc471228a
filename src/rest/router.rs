//! Routes, made from the table of capabilities. What no route takes is still answered with an OperationOutcome.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{Method, Uri};
use axum::routing::{MethodRouter, delete, get, patch, post, put};

use super::error::Error;
use super::payload::{MOST_BUNDLE, MOST_RESOURCE};
use super::state::{RestState, TypeState};
use super::{
    capabilities, conformance, create, delete, format, history, openapi, operation, patch, read, search_system,
    search_type, transaction, update, vread,
};
use crate::capability::{Capability, CapabilityError, Interaction, Level, ParameterType, ResourceRow, Source};
use crate::fhir::json::WriteError;

/// Most bytes of a `POST _search`.
const SEARCH_BODY: usize = 64 * 1024;

/// Why the API cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The table lists what nothing handles.
    #[error("capability: {resource} lists {what}, which nothing handles")]
    Unhandled {
        /// Resource type.
        resource: String,
        /// Interaction or search parameter.
        what: String,
    },
    /// The table itself is at fault.
    #[error("capability table")]
    Table(#[from] CapabilityError),
    /// The CapabilityStatement cannot be written.
    #[error("CapabilityStatement cannot be written")]
    Statement(#[from] WriteError),
}

/// The API of one tenant at `/fhir/R4` and of any at `/t/{tenant}/fhir/R4`, and our definitions at their canonical URLs.
///
/// # Errors
/// [`StartError`].
pub fn routers(state: &RestState) -> Result<Router, StartError> {
    let mut all = canonical_router(state.clone());
    for base in ["/fhir/R4", "/t/{tenant}/fhir/R4"] {
        // Nesting leaves the base with a slash to whoever mounts.
        let slash = of_system(&state.capability)?.with_state(state.clone());
        all = all.route(&format!("{base}/"), slash).nest(base, router(state.clone())?);
    }
    // Set once: the state is new.
    let _ = state.routes.set(all.clone());
    Ok(format::wrap(all))
}

/// The API, to be mounted at a base URL.
///
/// # Errors
/// The table lists what nothing handles.
pub fn router(state: RestState) -> Result<Router, StartError> {
    let mut router: Router<RestState> = Router::new()
        .route("/metadata", get(capabilities::capabilities))
        .route("/openapi.json", get(openapi::document))
        .route("/", of_system(&state.capability)?);
    if state.capability.system.contains(&Interaction::SearchSystem) {
        let by_post = post(search_system::search_system_by_post).layer(DefaultBodyLimit::max(SEARCH_BODY));
        router = router.route("/_search", by_post);
    }
    if state.capability.system.contains(&Interaction::HistorySystem) {
        router = router.route("/_history", get(history::history_system));
    }
    for row in state.capability.resources() {
        router = router.merge(of_type(&state, row)?);
    }
    Ok(router.method_not_allowed_fallback(no_method).fallback(no_route).with_state(state))
}

/// What is done to the base URL itself.
fn of_system(capability: &Capability) -> Result<MethodRouter<RestState>, StartError> {
    let mut router = MethodRouter::new();
    for interaction in &capability.system {
        router = match interaction {
            Interaction::SearchSystem => router.get(search_system::search_system),
            Interaction::Transaction => {
                router.merge(post(transaction::transaction).layer(DefaultBodyLimit::max(MOST_BUNDLE)))
            }
            // The type of the Bundle tells it from a transaction; histories have a path of their own.
            Interaction::Batch | Interaction::HistorySystem => router,
            other => {
                return Err(StartError::Unhandled { resource: "the system".to_owned(), what: other.code().to_owned() });
            }
        };
    }
    Ok(router.fallback(no_route))
}

/// Our definitions where their canonical URLs point.
pub fn canonical_router(state: RestState) -> Router {
    let kinds: Vec<String> =
        state.capability.resources().filter(|r| r.source == Source::Conformance).map(|r| r.resource.clone()).collect();
    let mut router = Router::new();
    for kind in kinds {
        router = router.route(&format!("/fhir/{kind}/{{id}}"), get(conformance::canonical).fallback(no_method));
    }
    router.with_state(state)
}

fn of_type(state: &RestState, row: &ResourceRow) -> Result<Router<RestState>, StartError> {
    check_row(row)?;
    let kind = &row.resource;
    // Criteria are search criteria.
    let conditional = row.supports(Interaction::SearchType);
    let mut router = Router::new();
    for interaction in &row.interactions {
        router = match (row.source, interaction) {
            (Source::Store, Interaction::Read) if kind == "Binary" => {
                router.route(&format!("/{kind}/{{id}}"), get(read::read_binary))
            }
            (Source::Store, Interaction::Read) => router.route(&format!("/{kind}/{{id}}"), get(read::read)),
            (Source::Store, Interaction::Vread) => {
                router.route(&format!("/{kind}/{{id}}/_history/{{version}}"), get(vread::vread))
            }
            (Source::Store, Interaction::HistoryInstance) => {
                router.route(&format!("/{kind}/{{id}}/_history"), get(history::history_instance))
            }
            (Source::Store, Interaction::SearchType) => {
                let by_post = post(search_type::search_type_by_post).layer(DefaultBodyLimit::max(SEARCH_BODY));
                router
                    .route(&format!("/{kind}"), get(search_type::search_type))
                    .route(&format!("/{kind}/_search"), by_post)
            }
            (Source::Store, Interaction::HistoryType) => {
                router.route(&format!("/{kind}/_history"), get(history::history_type))
            }
            (Source::Store, Interaction::Create) => {
                let create = post(create::create).layer(DefaultBodyLimit::max(MOST_RESOURCE));
                router.route(&format!("/{kind}"), create)
            }
            (Source::Store, Interaction::Update) => {
                let limit = DefaultBodyLimit::max(MOST_RESOURCE);
                let router = router.route(&format!("/{kind}/{{id}}"), put(update::update).layer(limit));
                if conditional {
                    router.route(&format!("/{kind}"), put(update::conditional_update).layer(limit))
                } else {
                    router
                }
            }
            (Source::Store, Interaction::Patch) => {
                let limit = DefaultBodyLimit::max(MOST_RESOURCE);
                let router = router.route(&format!("/{kind}/{{id}}"), patch(patch::patch).layer(limit));
                if conditional {
                    router.route(&format!("/{kind}"), patch(patch::conditional_patch).layer(limit))
                } else {
                    router
                }
            }
            (Source::Store, Interaction::Delete) => {
                let router = router.route(&format!("/{kind}/{{id}}"), delete(delete::delete));
                if conditional { router.route(&format!("/{kind}"), delete(delete::conditional_delete)) } else { router }
            }
            (Source::Conformance, Interaction::Read) => {
                router.route(&format!("/{kind}/{{id}}"), get(conformance::read))
            }
            (Source::Conformance, Interaction::SearchType) => {
                router.route(&format!("/{kind}"), get(conformance::search_type))
            }
            // Refused by check_row.
            (Source::Conformance, _)
            | (
                _,
                Interaction::SearchSystem | Interaction::HistorySystem | Interaction::Batch | Interaction::Transaction,
            ) => router,
        };
    }
    for operation in &row.operations {
        for level in &operation.on {
            let path = match level {
                Level::Type => format!("/{kind}/${}", operation.name),
                Level::Instance => format!("/{kind}/{{id}}/${}", operation.name),
            };
            // Refused by check_row where there is none.
            router = router.route(&path, operation::route(kind, &operation.name).unwrap_or_default());
        }
    }
    Ok(router.with_state(TypeState { rest: state.clone(), row: Arc::new(row.clone()) }))
}

/// Whether everything the built-in table lists is handled.
///
/// # Errors
/// [`StartError`] names what is not.
pub fn check() -> Result<(), StartError> {
    let capability = Capability::builtin()?;
    capabilities::template(&capability)?;
    of_system(&capability).map(drop)?;
    capability.resources().try_for_each(check_row)
}

/// Definitions of ours have no versions, are not written, and are found by `url` and `_id` alone.
fn check_row(row: &ResourceRow) -> Result<(), StartError> {
    let refuse = |what: &str| Err(StartError::Unhandled { resource: row.resource.clone(), what: what.to_owned() });
    let other = row.interactions.iter().find(|i| !matches!(i, Interaction::Read | Interaction::SearchType));
    if let Some(interaction) = other.filter(|_| row.source == Source::Conformance) {
        return refuse(interaction.code());
    }
    if let Some(operation) = row.operations.iter().find(|o| operation::route(&row.resource, &o.name).is_none()) {
        return refuse(&format!("${}", operation.name));
    }
    let of_system =
        [Interaction::SearchSystem, Interaction::HistorySystem, Interaction::Batch, Interaction::Transaction];
    if let Some(interaction) = row.interactions.iter().find(|i| of_system.contains(i)) {
        return refuse(interaction.code());
    }
    let unhandled = |p: &&crate::capability::Parameter| {
        row.source == Source::Conformance && p.kind != ParameterType::Uri && p.name != "_id"
    };
    match row.parameters.iter().find(unhandled) {
        Some(p) => refuse(&p.name),
        None => Ok(()),
    }
}

async fn no_method(method: Method, uri: Uri) -> Error {
    let mut segments = uri.path().split('/').filter(|s| !s.is_empty());
    let kind = segments.next().unwrap_or_default();
    // The id of somebody's resource is not repeated.
    let path = if segments.next().is_some() { format!("{kind}/[id]") } else { kind.to_owned() };
    Error::Method { method: method.to_string(), path }
}

async fn no_route(State(state): State<RestState>, method: Method, uri: Uri) -> Error {
    let segments: Vec<&str> = uri.path().split('/').filter(|s| !s.is_empty()).collect();
    let last = segments.last().copied().unwrap_or_default();
    match segments.as_slice() {
        [] | ["_search"] | ["fhir", "R4"] | ["t", _, "fhir", "R4"] => {
            Error::Method { method: method.to_string(), path: "the base URL".to_owned() }
        }
        _ if last.starts_with('$') => Error::NotSupported(format!("operation {}", plain(last))),
        [kind, ..] if !known(&state.capability, kind) => Error::UnknownType(plain(kind)),
        [kind, "_history"] => Error::NotSupported(format!("history of {kind}")),
        [kind] => Error::NotSupported(format!("search in {kind}")),
        [kind, ..] => Error::NotSupported(format!("this path of {kind}")),
    }
}

fn known(capability: &Capability, kind: &str) -> bool {
    capability.resource(kind).is_some()
}

/// A path segment fit to be repeated: names only, and not much of them.
fn plain(segment: &str) -> String {
    segment.chars().filter(|c| c.is_ascii_alphanumeric() || "$-_.".contains(*c)).take(64).collect()
}
