//! FHIR vread interaction. <https://hl7.org/fhir/R4/http.html#vread>

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::Error;
use super::extract::{Caller, Format, Id, VersionId};
use super::parameters::Shape;
use super::read::resource;
use super::state::TypeState;

/// `GET [base]/[type]/[id]/_history/[version]`
pub(super) async fn vread(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    VersionId(version): VersionId,
    _: Format,
    shape: Shape,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let stored = caller.vread(&state.rest, state.kind(), &id, version).await?;
    let stored = stored.ok_or_else(|| Error::NotFound(format!("{}/{id}/_history/{version}", state.kind())))?;
    if stored.is_deletion() {
        return Err(Error::Gone(format!("{}/{id}/_history/{version}", state.kind())));
    }
    resource(&state, &headers, &stored, &shape)
}
