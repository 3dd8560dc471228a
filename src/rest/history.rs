//! FHIR history interactions: of an instance, a type, the system. <https://hl7.org/fhir/R4/http.html#history>

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format, Handling, Id};
use super::parameters::{HistoryParameters, link, pairs};
use super::respond;
use super::state::{RestState, TypeState};
use crate::auth::Access;
use crate::capability::Interaction;
use crate::fhir::bundle::{BundleWriter, HistoryResponse};
use crate::store::{Place, Stored, Versions};

/// `GET [base]/[type]/[id]/_history`
pub(super) async fn history_instance(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    _: Format,
    handling: Handling,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    caller.require(state.kind(), Access::Read)?;
    let parameters = HistoryParameters::parse(pairs(query.as_deref()), handling)?;
    let newest = match caller.read(&state.rest, state.kind(), &id).await? {
        Some(current) => Some(current),
        None => caller.deletion(&state.rest, state.kind(), &id).await?,
    };
    let newest = newest.ok_or_else(|| Error::NotFound(format!("{}/{id}", state.kind())))?;
    // Versions are numbered from 1 without gaps.
    let is_all = !parameters.is_filtered() && !caller.is_bounded();
    let total = u64::try_from(newest.version).ok().filter(|_| is_all);
    let path = format!("{base}/{}/{id}/_history", state.kind());
    let versions = Versions { id: Some(id), ..parameters.versions(vec![state.kind().to_owned()]) };
    let page = caller.history(&state.rest, &versions, Access::Read).await?;
    Ok(respond::json(StatusCode::OK, bundle(&base, &path, &parameters, total, page)))
}

/// `GET [base]/[type]/_history`
pub(super) async fn history_type(
    State(state): State<TypeState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    caller.require(state.kind(), Access::Search)?;
    let parameters = HistoryParameters::parse(pairs(query.as_deref()), handling)?;
    let path = format!("{base}/{}/_history", state.kind());
    let versions = parameters.versions(vec![state.kind().to_owned()]);
    let page = caller.history(&state.rest, &versions, Access::Search).await?;
    Ok(respond::json(StatusCode::OK, bundle(&base, &path, &parameters, None, page)))
}

/// `GET [base]/_history`: of every type the caller may search in.
pub(super) async fn history_system(
    State(state): State<RestState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    let parameters = HistoryParameters::parse(pairs(query.as_deref()), handling)?;
    let rows = state.capability.resources().filter(|row| row.supports(Interaction::HistoryType));
    let kinds: Vec<String> =
        rows.map(|row| row.resource.clone()).filter(|kind| caller.may(kind, Access::Search)).collect();
    if kinds.is_empty() {
        return Err(Error::Forbidden { access: "search", kind: "any resource type".to_owned() });
    }
    let page = caller.history(&state, &parameters.versions(kinds), Access::Search).await?;
    Ok(respond::json(StatusCode::OK, bundle(&base, &format!("{base}/_history"), &parameters, None, page)))
}

fn bundle(
    base: &str,
    path: &str,
    parameters: &HistoryParameters,
    total: Option<u64>,
    (versions, next): (Vec<Stored>, Option<Place>),
) -> Vec<u8> {
    let mut links =
        vec![("self", link(path, &parameters.used, parameters.after.as_ref().map(Place::encode).as_deref()))];
    if let Some(next) = next {
        links.push(("next", link(path, &parameters.used, Some(&next.encode()))));
    }
    let mut bundle = BundleWriter::new("history", total, &links);
    for stored in versions {
        let modified = stored.updated.to_fhir();
        let reference = stored.reference();
        let (method, status) = match (stored.is_deletion(), stored.version) {
            (true, _) => ("DELETE", "204"),
            (false, 1) => ("PUT", "201"),
            (false, _) => ("PUT", "200"),
        };
        let json = (!stored.is_deletion()).then(|| stored.json());
        let response = HistoryResponse { status, version: stored.version, last_modified: &modified };
        bundle.history_entry(&format!("{base}/{reference}"), json.as_deref(), (method, &reference), &response);
    }
    bundle.finish()
}
