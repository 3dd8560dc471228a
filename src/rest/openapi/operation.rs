//! Operations of the document, as OpenAPI calls what is done to a path with a method.

use serde_json::{Value, json};

use super::parts::{self, answer, answers, bare, shared};
use crate::capability::{Operation, Source};

/// What any request may be refused with.
const ANY: [u16; 7] = [400, 401, 403, 404, 406, 429, 503];

/// What a request with a body may be refused with besides.
const BODY: [u16; 2] = [413, 415];

pub(super) fn paging() -> Vec<Value> {
    ["_count", "_cursor", "_total", "_summary", "_format"].map(shared).to_vec()
}

fn refusals(more: &[u16]) -> Vec<u16> {
    [&ANY[..], more].concat()
}

pub(super) fn writes(more: &[u16]) -> Vec<u16> {
    refusals(&[&BODY[..], &[412], more].concat())
}

pub(super) fn read(kind: &str, code: &str, mut parameters: Vec<Value>, source: Source) -> Value {
    parameters.extend(["If-None-Match", "If-Modified-Since", "_format"].map(shared));
    if kind != "Binary" && source == Source::Store {
        parameters.extend(["_summary", "_elements"].map(shared));
    }
    let mut found = answer("The resource", "Resource");
    if kind == "Binary" {
        found["content"]["*/*"] = json!({});
    }
    json!({
        "summary": code,
        "tags": [kind],
        "parameters": parameters,
        "responses": answers(vec![(200, found), (304, bare("Not modified"))], &refusals(&[410])),
    })
}

pub(super) fn history(code: &str, tag: &str) -> Value {
    json!({
        "summary": code,
        "tags": [tag],
        "parameters": (["_count", "_cursor", "_since", "_at", "_format"].map(shared)),
        "responses": answers(vec![(200, answer("Versions, the newest first", "Bundle"))], &refusals(&[])),
    })
}

pub(super) fn search(code: &str, tag: &str, parameters: Vec<Value>) -> Value {
    json!({
        "summary": code,
        "tags": [tag],
        "parameters": parameters,
        "responses": answers(vec![(200, answer("A page of what was found", "Bundle"))], &refusals(&[])),
    })
}

/// The same, with the parameters in a form as well.
pub(super) fn by_form(mut operation: Value) -> Value {
    let form = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    operation["requestBody"] = json!({ "content": { "application/x-www-form-urlencoded": { "schema": form } } });
    for status in BODY {
        operation["responses"][status.to_string()] =
            json!({ "$ref": format!("#/components/responses/Refused{status}") });
    }
    operation
}

pub(super) fn write(
    kind: &str,
    code: &str,
    mut parameters: Vec<Value>,
    body: Option<Value>,
    done: Vec<(u16, Value)>,
) -> Value {
    parameters.push(shared("_format"));
    let mut operation = json!({
        "summary": code,
        "tags": [kind],
        "parameters": parameters,
        "responses": answers(done, &writes(&[409, 410, 422])),
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// A resource, with an example where there is one.
pub(super) fn body(kind: &str, example: Option<&Value>) -> Value {
    let mut content = json!({ "schema": { "$ref": format!("#/components/schemas/{kind}") } });
    if let Some(example) = example {
        content["example"] = example.clone();
    }
    let mut body =
        json!({ "required": true, "content": { "application/fhir+json": content, "application/fhir+xml": {} } });
    if kind == "Binary" {
        body["content"]["*/*"] = json!({});
    }
    body
}

pub(super) fn patch() -> Value {
    let schema = |name: &str| json!({ "schema": { "$ref": format!("#/components/schemas/{name}") } });
    json!({ "required": true, "content": {
        "application/json-patch+json": schema("JsonPatch"),
        "application/fhir+json": schema("Parameters"),
        "application/fhir+xml": {},
    } })
}

pub(super) fn invoked(kind: &str, operation: &Operation, in_path: Option<Value>, method: &str) -> Value {
    let text = || json!({ "type": "string", "minLength": 1 });
    let mut parameters: Vec<Value> =
        operation.parameters.iter().map(|name| parts::in_query(name, text())).chain(in_path).collect();
    parameters.push(shared("_format"));
    let mut described = json!({
        "summary": format!("${}", operation.name),
        "tags": [kind],
        "externalDocs": { "url": operation.definition },
        "parameters": parameters,
        "responses": answers(vec![(200, answer("What it gives", "Resource"))], &refusals(&[410])),
    });
    if method == "post" {
        let parameters = json!({ "schema": { "$ref": "#/components/schemas/Parameters" } });
        described["requestBody"] = json!({ "content": { "application/fhir+json": parameters } });
        for status in BODY {
            described["responses"][status.to_string()] =
                json!({ "$ref": format!("#/components/responses/Refused{status}") });
        }
    }
    described
}
