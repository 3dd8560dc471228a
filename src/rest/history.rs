//! FHIR history interaction on an instance. <https://hl7.org/fhir/R4/http.html#history>

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format, Handling, Id};
use super::parameters::{HistoryParameters, link, pairs};
use super::respond;
use super::state::TypeState;
use crate::auth::Access;
use crate::fhir::bundle::{BundleWriter, HistoryResponse};
use crate::id::ResourceId;
use crate::store::Stored;

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
    let (store, tenant) = (&state.rest.store, caller.tenant());
    let current = store.read(tenant, state.kind(), &id).await?;
    let current = current.ok_or_else(|| Error::NotFound(format!("{}/{id}", state.kind())))?;
    let versions = store.history(tenant, state.kind(), &id, parameters.before, parameters.count).await?;
    Ok(respond::json(StatusCode::OK, bundle(&base, (state.kind(), &id), &parameters, current.version, &versions)))
}

/// Versions are numbered from 1 without gaps, so the current one's number is how many there are.
fn bundle(
    base: &str,
    (kind, id): (&str, &ResourceId),
    parameters: &HistoryParameters,
    newest: i64,
    versions: &[Stored],
) -> Vec<u8> {
    let path = format!("{base}/{kind}/{id}/_history");
    let mut links = vec![("self", link(&path, &parameters.used, None))];
    if let Some(last) = versions.last().filter(|v| v.version > 1) {
        links.push(("next", link(&path, &parameters.used, Some(&last.version.to_string()))));
    }
    let mut bundle = BundleWriter::new("history", u64::try_from(newest).ok(), &links);
    for stored in versions {
        let modified = stored.updated.to_fhir();
        let status = if stored.version == 1 { "201" } else { "200" };
        let response = HistoryResponse { status, version: stored.version, last_modified: &modified };
        let reference = stored.reference();
        bundle.history_entry(&format!("{base}/{reference}"), Some(&stored.json()), ("PUT", &reference), &response);
    }
    bundle.finish()
}
