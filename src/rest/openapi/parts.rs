//! What operations of the document refer to: schemas, parameters and refusals.

use serde_json::{Map, Value, json};

use crate::capability::{Parameter, ParameterType, ResourceRow};

/// What a FHIR resource is, as far as every type has it in common.
const ID: &str = r"^[A-Za-z0-9\-\.]{1,64}$";

/// Reasons to refuse a request, by status.
const REFUSALS: [(u16, &str); 13] = [
    (400, "A parameter or an element is not what it must be; the outcome names it"),
    (401, "No valid token"),
    (403, "Outside the scopes of the token, or derived by this server and read-only"),
    (404, "Not there"),
    (406, "Not in this format"),
    (409, "Somebody else was faster"),
    (410, "Deleted"),
    (412, "A condition does not hold"),
    (413, "Too large"),
    (415, "In a format or compression that is not read"),
    (422, "A patch does not fit the resource"),
    (429, "Too many are writing; ask again"),
    (503, "The database cannot be reached for now; ask again"),
];

/// Schemas that do not depend on the type.
pub(super) fn schemas() -> Map<String, Value> {
    let resource = json!({
        "type": "object",
        "required": ["resourceType"],
        "properties": { "resourceType": { "type": "string" }, "id": { "type": "string", "pattern": ID } },
    });
    let link = json!({
        "type": "object",
        "required": ["relation", "url"],
        "properties": { "relation": { "type": "string" }, "url": { "type": "string" } },
    });
    let entry = json!({
        "type": "object",
        "properties": {
            "fullUrl": { "type": "string" },
            "resource": { "$ref": "#/components/schemas/Resource" },
            "search": { "type": "object" },
            "request": { "type": "object" },
            "response": { "type": "object" },
        },
    });
    let bundle = json!({
        "type": "object",
        "required": ["resourceType", "type"],
        "properties": {
            "resourceType": { "const": "Bundle" },
            "type": { "enum": ["searchset", "history", "batch", "transaction", "batch-response", "transaction-response"] },
            "total": { "type": "integer", "minimum": 0 },
            "link": { "type": "array", "items": link },
            "entry": { "type": "array", "minItems": 1, "items": entry },
        },
    });
    let issue = json!({
        "type": "object",
        "required": ["severity", "code"],
        "properties": {
            "severity": { "enum": ["fatal", "error", "warning", "information"] },
            "code": { "type": "string" },
            "details": { "type": "object" },
            "expression": { "type": "array", "items": { "type": "string" } },
        },
    });
    let outcome = json!({
        "type": "object",
        "required": ["resourceType", "issue"],
        "properties": {
            "resourceType": { "const": "OperationOutcome" },
            "issue": { "type": "array", "minItems": 1, "items": issue },
        },
    });
    let parameters = json!({
        "type": "object",
        "required": ["resourceType"],
        "properties": {
            "resourceType": { "const": "Parameters" },
            "parameter": { "type": "array", "minItems": 1, "items": {
                "type": "object", "required": ["name"], "properties": { "name": { "type": "string", "minLength": 1 } },
            } },
        },
    });
    let patch = json!({
        "type": "array",
        "items": {
            "type": "object",
            "required": ["op", "path"],
            "properties": {
                "op": { "enum": ["add", "remove", "replace", "move", "copy", "test"] },
                "path": { "type": "string" },
                "from": { "type": "string" },
                "value": true,
            },
        },
    });
    let all = [
        ("Resource", resource),
        ("Bundle", bundle),
        ("OperationOutcome", outcome),
        ("Parameters", parameters),
        ("JsonPatch", patch),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A resource of one type: the elements it must have.
pub(super) fn resource(row: &ResourceRow) -> Value {
    // A choice is one of several elements, none of which must be there by itself.
    let mandatory = row.mandatory.iter().filter(|name| !name.ends_with("[x]")).map(String::as_str);
    let required: Vec<&str> = std::iter::once("resourceType").chain(mandatory).collect();
    json!({
        "type": "object",
        "required": required,
        "properties": { "resourceType": { "const": row.resource }, "id": { "type": "string", "pattern": ID } },
    })
}

/// Parameters that mean the same everywhere.
pub(super) fn parameters() -> Map<String, Value> {
    let query = |name: &str, schema: Value| (name.to_owned(), in_query(name, schema));
    let text = || json!({ "type": "string", "minLength": 1 });
    let header = |name: &str, about: &str| {
        (name.to_owned(), json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } }))
    };
    [
        query("_format", json!({ "enum": ["json", "xml", "ndjson", "application/fhir+json", "application/fhir+xml", "application/fhir+ndjson"] })),
        query("_count", json!({ "type": "integer", "minimum": 0, "maximum": 999_999_999 })),
        query("_cursor", text()),
        query("_total", json!({ "enum": ["none", "estimate", "accurate"] })),
        query("_summary", json!({ "enum": ["true", "text", "data", "count", "false"] })),
        query("_elements", text()),
        query("_sort", text()),
        query("_include", text()),
        query("_revinclude", text()),
        query("_type", text()),
        query("_since", json!({ "type": "string", "format": "date-time" })),
        query("_at", date()),
        header("If-Match", "The version it must be: W/\"3\""),
        header("If-None-Match", "The version that is known already, or * on PUT: only where there is none"),
        header("If-Modified-Since", "An HTTP date; not modified since is 304"),
        header("If-None-Exist", "Search criteria; what matches is not created again"),
        header("Prefer", "return=minimal|representation|OperationOutcome, handling=strict|lenient"),
    ]
    .into_iter()
    .collect()
}

/// One of [`parameters`].
pub(super) fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A search parameter.
pub(super) fn search_parameter(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        ParameterType::Date => date(),
        _ => json!({ "type": "string", "minLength": 1 }),
    };
    let mut described = in_query(&parameter.name, schema);
    described["description"] = json!(format!("{}: {}", parameter.kind.code(), parameter.definition));
    described
}

/// A parameter in the URL.
pub(super) fn in_query(name: &str, schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": "query" });
    parameter["schema"] = schema;
    parameter
}

/// A parameter in the path.
pub(super) fn in_path(name: &str, schema: Value) -> Value {
    let mut parameter = json!({ "name": name, "in": "path", "required": true });
    parameter["schema"] = schema;
    parameter
}

/// A logical id, such as that of an example.
pub(super) fn id(example: Option<&Value>) -> Value {
    let mut parameter = in_path("id", json!({ "type": "string", "pattern": ID }));
    if let Some(id) = example.and_then(|example| example.get("id")) {
        parameter["example"] = id.clone();
    }
    parameter
}

fn date() -> Value {
    json!({ "type": "string", "pattern": r"^(eq|ne|gt|lt|ge|le|sa|eb|ap)?[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|1[0-9]|2[0-8]))?)?$" })
}

/// Every refusal, by name.
pub(super) fn responses() -> Map<String, Value> {
    let outcome = json!({ "schema": { "$ref": "#/components/schemas/OperationOutcome" } });
    let refusal = |(status, about): (u16, &str)| {
        let response = json!({
            "description": about,
            "content": { "application/fhir+json": outcome, "application/fhir+xml": {} },
        });
        (format!("Refused{status}"), response)
    };
    REFUSALS.into_iter().map(refusal).collect()
}

/// The answers of an operation: what it answers when it does what is asked, and why it may not.
pub(super) fn answers(done: Vec<(u16, Value)>, refusals: &[u16]) -> Value {
    let refused = refusals
        .iter()
        .map(|status| (status.to_string(), json!({ "$ref": format!("#/components/responses/Refused{status}") })));
    done.into_iter().map(|(status, answer)| (status.to_string(), answer)).chain(refused).collect::<Map<_, _>>().into()
}

/// An answer that is a resource, by the name of its schema.
pub(super) fn answer(description: &str, schema: &str) -> Value {
    let schema = json!({ "schema": { "$ref": format!("#/components/schemas/{schema}") } });
    json!({ "description": description, "content": {
        "application/fhir+json": schema, "application/fhir+xml": {}, "application/fhir+ndjson": {},
    } })
}

/// An answer of headers alone.
pub(super) fn bare(description: &str) -> Value {
    json!({ "description": description })
}
