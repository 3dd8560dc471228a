//! `$docref`: a patient's documents, those of a time and a type. <https://hl7.org/fhir/us/core/STU6.1/OperationDefinition-docref.html>

use axum::extract::State;
use axum::response::Response;

use super::Call;
use crate::rest::error::Error;
use crate::rest::extract::{Base, Handling};
use crate::rest::search_type::search;
use crate::rest::state::TypeState;

/// `GET [base]/DocumentReference/$docref?patient=…`
pub(super) async fn docref(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    let mut pairs = vec![("patient".to_owned(), call.required("patient")?.to_owned())];
    // Documents are made when the data come; there are none to be made on demand.
    if call.one("on-demand")?.is_some_and(|on_demand| !matches!(on_demand, "true" | "false")) {
        return Err(Error::invalid("on-demand", "must be true or false"));
    }
    for (name, prefix) in [("start", "ge"), ("end", "le")] {
        pairs.extend(call.date(name)?.map(|at| ("period".to_owned(), format!("{prefix}{at}"))));
    }
    for (name, as_search) in [("type", "type"), ("profile", "_profile"), ("_count", "_count"), ("_cursor", "_cursor")] {
        pairs.extend(call.all(name).map(|value| (as_search.to_owned(), value.to_owned())));
    }
    search(&state, &call.caller, Handling::Strict, Base(call.base.clone()), pairs).await
}
