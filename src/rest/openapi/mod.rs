//! `[base]/openapi.json`: what the CapabilityStatement says, as OpenAPI 3.1, for tools that read no FHIR.
//! <https://spec.openapis.org/oas/v3.1.0>
//!
//! Made from the table that routes, when somebody first asks. What cannot be said in OpenAPI (modifiers, chains, `_has`) is
//! said in words. HEAD is answered wherever GET is and not listed.

mod interaction;
mod operation;
mod parts;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::error::Error;
use super::extract::Base;
use super::respond::{self, Version};
use super::state::RestState;
use super::template::{PLACE, Template};
use crate::capability::{Capability, Interaction};
use crate::fhir::json;
use crate::projection::examples;

/// The document, once it was asked for.
#[derive(Debug, Default)]
pub(super) struct Document(OnceLock<Template>);

/// `GET [base]/openapi.json`
pub(super) async fn document(
    State(state): State<RestState>,
    Base(base): Base,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let template = if let Some(template) = state.document.0.get() {
        template
    } else {
        let whole = whole(&state.capability)?.to_string();
        state.document.0.get_or_init(|| Template::new(&whole))
    };
    let bytes = template.at(&base);
    Ok(respond::versioned(&headers, &Version::of_bytes(&bytes), || {
        respond::typed(StatusCode::OK, HeaderValue::from_static("application/json"), bytes.clone())
    }))
}

/// The whole document, [`PLACE`] where the base URL belongs.
pub(super) fn whole(capability: &Capability) -> Result<Value, Error> {
    let examples = first_of_each_type()?;
    let mut paths = interaction::of_system(&capability.system);
    let mut schemas = parts::schemas();
    for row in capability.resources() {
        paths.extend(interaction::of_type(row, examples.get(&row.resource)));
        if row.supports(Interaction::Create) {
            schemas.insert(row.resource.clone(), parts::resource(row));
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Afferent FHIR R4 API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The same as the CapabilityStatement at /metadata. Search parameters also take modifiers \
                (name:missing), chains (subject:Patient.name) and _has; values with commas between them are alternatives. \
                HEAD is answered wherever GET is.",
        },
        "servers": [{ "url": PLACE }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": parts::parameters(),
            "responses": parts::responses(),
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "A developer key, or a SMART access token" },
            },
        },
    }))
}

/// An example of each type there is one of.
fn first_of_each_type() -> Result<BTreeMap<String, Value>, Error> {
    let mut first = BTreeMap::new();
    for example in examples().map_err(|_| Error::Damaged)? {
        let bytes = json::to_vec(&example.element).map_err(|_| Error::Damaged)?;
        let value = serde_json::from_slice(&bytes).map_err(|_| Error::Damaged)?;
        first.entry(example.kind).or_insert(value);
    }
    Ok(first)
}

/// Paths of the document: by path, then by method.
type Paths = Map<String, Value>;

/// Adds an operation under its path and method.
fn insert(paths: &mut Paths, path: &str, method: &str, operation: Value) {
    if let Value::Object(methods) = paths.entry(path).or_insert_with(|| json!({})) {
        methods.insert(method.to_owned(), operation);
    }
}
