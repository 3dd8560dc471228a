//! Patches: JSON Patch (RFC 6902) and FHIRPath Patch. <https://hl7.org/fhir/R4/http.html#patch>
//!
//! FHIRPath Patch: <https://hl7.org/fhir/R4/fhirpatch.html>. Its paths are the part of FHIRPath that points at elements: names,
//! `[n]`, `.first()`, `.last()`, `.where(name = literal and …)`, `.extension(url)` and `.ofType(Type)`.

mod fhirpath;
mod interaction;
mod operation;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::error::Error;
use crate::fhir::content::Content;
pub(super) use interaction::{conditional_patch, patch};
use operation::Operation;

/// The media type of a JSON Patch.
pub(super) const JSON_PATCH: &str = "application/json-patch+json";

/// Most operations of one patch.
const MOST_OPERATIONS: usize = 1000;

/// What is to change in a resource.
#[derive(Debug)]
pub(super) enum Patch {
    /// RFC 6902.
    Json(json_patch::Patch),
    /// Parameters.
    FhirPath(Vec<Operation>),
}

impl Patch {
    /// Reads an RFC 6902 document.
    pub(super) fn json(body: &[u8]) -> Result<Self, Error> {
        let patch: json_patch::Patch = serde_json::from_slice(body).map_err(|e| Error::refused("patch", e))?;
        if patch.0.len() > MOST_OPERATIONS {
            return Err(Error::refused("patch", format!("more than {MOST_OPERATIONS} operations")));
        }
        Ok(Self::Json(patch))
    }

    /// Reads Parameters.
    pub(super) fn parameters(body: &[u8]) -> Result<Self, Error> {
        let content = Content::parse(body)?;
        if content.kind() != "Parameters" {
            return Err(Error::refused("resourceType", "must be Parameters, or the body a JSON Patch"));
        }
        let operations = operation::parse(content.object())?;
        if operations.len() > MOST_OPERATIONS {
            return Err(Error::refused("Parameters.parameter", format!("more than {MOST_OPERATIONS} operations")));
        }
        Ok(Self::FhirPath(operations))
    }

    /// Reads the resource of a Bundle entry: Parameters, or a Binary that holds an RFC 6902 document.
    pub(super) fn in_bundle(body: &[u8]) -> Result<Self, Error> {
        let content = Content::parse(body)?;
        if content.kind() != "Binary" {
            return Self::parameters(body);
        }
        let text = |name: &str| content.object().get(name).and_then(Value::as_str).unwrap_or_default();
        if text("contentType") != JSON_PATCH {
            return Err(Error::refused("Binary.contentType", format!("must be {JSON_PATCH}")));
        }
        Self::json(&STANDARD.decode(text("data")).map_err(|e| Error::refused("Binary.data", e))?)
    }

    /// The resource after the patch.
    pub(super) fn apply(&self, kind: &str, before: &[u8]) -> Result<Content, Error> {
        let mut resource: Value = serde_json::from_slice(before).map_err(|_| Error::Damaged)?;
        let id = resource.get("id").cloned();
        match self {
            Self::Json(patch) => {
                json_patch::patch(&mut resource, patch).map_err(|e| Error::Unprocessable(e.to_string()))?;
            }
            Self::FhirPath(operations) => {
                operations.iter().enumerate().try_for_each(|(i, operation)| {
                    let fault = |problem| Error::refused(format!("Parameters.parameter[{i}]"), problem);
                    operation.apply(kind, &mut resource).map_err(fault)
                })?;
            }
        }
        prune(&mut resource);
        if resource.get("resourceType").and_then(Value::as_str) != Some(kind) || resource.get("id") != id.as_ref() {
            return Err(Error::refused(format!("{kind}.id"), "a patch cannot change what a resource is"));
        }
        match resource {
            Value::Object(object) => Ok(Content::new(object)?),
            _ => Err(Error::Damaged),
        }
    }
}

/// Takes out what was left empty. Whether anything is left.
fn prune(value: &mut Value) -> bool {
    match value {
        Value::Array(items) => {
            items.retain_mut(prune);
            !items.is_empty()
        }
        Value::Object(members) => {
            members.retain(|_, member| prune(member));
            !members.is_empty()
        }
        // In an array of primitives it keeps a place.
        _ => true,
    }
}
