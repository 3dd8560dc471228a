//! The answer of an operation as a Parameters resource. <https://hl7.org/fhir/R4/parameters.html>

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::rest::respond;

/// `name` with a value of a type, `("valueString", …)`.
pub(super) fn parameter(name: &str, (kind, value): (&str, Value)) -> Value {
    json!({ "name": name, kind: value })
}

/// `name` with parts.
pub(super) fn parts(name: &str, parts: Vec<Value>) -> Value {
    json!({ "name": name, "part": parts })
}

/// A Reference.
pub(super) fn reference(name: &str, to: &str) -> Value {
    parameter(name, ("valueReference", json!({ "reference": to })))
}

/// The answer.
pub(super) fn answer(parameters: Vec<Value>) -> Response {
    let mut resource = json!({ "resourceType": "Parameters" });
    if !parameters.is_empty() {
        resource["parameter"] = Value::Array(parameters);
    }
    respond::json(StatusCode::OK, resource.to_string().into_bytes())
}
