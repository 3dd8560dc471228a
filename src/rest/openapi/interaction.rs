//! Paths of the document: one operation for each interaction and each way to invoke an operation.

use serde_json::{Value, json};

use super::operation::{body, by_form, history, invoked, paging, patch, read, search, write, writes};
use super::parts::{self, answer, answers, bare, shared};
use super::{Paths, insert};
use crate::capability::{Interaction, Level, ResourceRow, Source};

/// Interactions on the whole system.
pub(super) fn of_system(interactions: &[Interaction]) -> Paths {
    let mut paths = Paths::new();
    let open = |summary: &str, description: &str, media: &str| {
        json!({
            "summary": summary,
            "security": [],
            "responses": {
                "200": { "description": description, "content": { media: {} } },
                "304": bare("Not modified"),
                "406": { "$ref": "#/components/responses/Refused406" },
            },
        })
    };
    insert(&mut paths, "/metadata", "get", open("capabilities", "The CapabilityStatement", "application/fhir+json"));
    insert(&mut paths, "/openapi.json", "get", open("This document", "OpenAPI 3.1", "application/json"));
    for interaction in interactions {
        match interaction {
            Interaction::SearchSystem => {
                let mut parameters = paging();
                parameters.push(shared("_type"));
                insert(&mut paths, "/", "get", search("search-system", "The system", parameters.clone()));
                insert(&mut paths, "/_search", "post", by_form(search("search-system", "The system", parameters)));
            }
            Interaction::HistorySystem => {
                insert(&mut paths, "/_history", "get", history("history-system", "The system"));
            }
            Interaction::Transaction => {
                let bundle = json!({ "resourceType": "Bundle", "type": "batch", "entry": [
                    { "request": { "method": "GET", "url": "metadata" } },
                ] });
                let operation = json!({
                    "summary": "batch or transaction",
                    "tags": ["The system"],
                    "parameters": [shared("Prefer"), shared("_format")],
                    "requestBody": body("Bundle", Some(&bundle)),
                    "responses": answers(vec![(200, answer("What became of each entry", "Bundle"))], &writes(&[409, 410, 422])),
                });
                insert(&mut paths, "/", "post", operation);
            }
            // A batch is told from a transaction by the type of the Bundle.
            _ => {}
        }
    }
    paths
}

/// Interactions on a type and its instances, and its operations.
pub(super) fn of_type(row: &ResourceRow, example: Option<&Value>) -> Paths {
    let mut paths = Paths::new();
    let kind = &row.resource;
    let (type_path, instance) = (format!("/{kind}"), format!("/{kind}/{{id}}"));
    let id = parts::id(example);
    let criteria: Vec<Value> = row.parameters.iter().map(parts::search_parameter).collect();
    // Criteria are search criteria.
    let conditional = row.supports(Interaction::SearchType);
    for interaction in &row.interactions {
        let code = interaction.code();
        match interaction {
            Interaction::Read => insert(&mut paths, &instance, "get", read(kind, code, vec![id.clone()], row.source)),
            Interaction::Vread => {
                let version = parts::in_path("version", json!({ "type": "integer", "minimum": 1 }));
                let path = format!("{instance}/_history/{{version}}");
                insert(&mut paths, &path, "get", read(kind, code, vec![id.clone(), version], row.source));
            }
            Interaction::HistoryInstance => {
                let mut operation = history(code, kind);
                if let Some(Value::Array(parameters)) = operation.get_mut("parameters") {
                    parameters.push(id.clone());
                }
                insert(&mut paths, &format!("{instance}/_history"), "get", operation);
            }
            Interaction::HistoryType => {
                insert(&mut paths, &format!("{type_path}/_history"), "get", history(code, kind));
            }
            Interaction::SearchType => {
                let mut parameters = criteria.clone();
                if row.source == Source::Store {
                    parameters.extend(paging());
                    parameters.extend(["_elements", "_sort", "_include", "_revinclude"].map(shared));
                    let operation = by_form(search(code, kind, vec![]));
                    insert(&mut paths, &format!("{type_path}/_search"), "post", operation);
                }
                insert(&mut paths, &type_path, "get", search(code, kind, parameters));
            }
            Interaction::Create => {
                let headers =
                    if conditional { vec![shared("If-None-Exist"), shared("Prefer")] } else { vec![shared("Prefer")] };
                let done = vec![(201, answer("Created", kind)), (200, answer("There already", kind))];
                insert(&mut paths, &type_path, "post", write(kind, code, headers, Some(body(kind, example)), done));
            }
            Interaction::Update => {
                let done = || vec![(200, answer("Updated", kind)), (201, answer("Created", kind))];
                let headers = ["If-Match", "If-None-Match", "Prefer"].map(shared);
                let parameters = [vec![id.clone()], headers.to_vec()].concat();
                insert(&mut paths, &instance, "put", write(kind, code, parameters, Some(body(kind, example)), done()));
                if conditional {
                    let parameters = [criteria.clone(), headers.to_vec()].concat();
                    let operation = write(kind, "conditional update", parameters, Some(body(kind, None)), done());
                    insert(&mut paths, &type_path, "put", operation);
                }
            }
            Interaction::Patch => {
                let done = || vec![(200, answer("Patched", kind))];
                let headers = ["If-Match", "Prefer"].map(shared).to_vec();
                let parameters = [vec![id.clone()], headers.clone()].concat();
                insert(&mut paths, &instance, "patch", write(kind, code, parameters, Some(patch()), done()));
                if conditional {
                    let parameters = [criteria.clone(), headers].concat();
                    let operation = write(kind, "conditional patch", parameters, Some(patch()), done());
                    insert(&mut paths, &type_path, "patch", operation);
                }
            }
            Interaction::Delete => {
                let done = || {
                    vec![
                        (204, bare("Deleted, or not there")),
                        (200, answer("The same, as an outcome", "OperationOutcome")),
                    ]
                };
                let headers = ["If-Match", "Prefer"].map(shared).to_vec();
                let parameters = [vec![id.clone()], headers.clone()].concat();
                insert(&mut paths, &instance, "delete", write(kind, code, parameters, None, done()));
                if conditional {
                    let parameters = [criteria.clone(), headers].concat();
                    insert(
                        &mut paths,
                        &type_path,
                        "delete",
                        write(kind, "conditional delete", parameters, None, done()),
                    );
                }
            }
            Interaction::SearchSystem | Interaction::HistorySystem | Interaction::Batch | Interaction::Transaction => {}
        }
    }
    for operation in &row.operations {
        for level in &operation.on {
            let (path, in_path) = match level {
                Level::Type => (format!("{type_path}/${}", operation.name), None),
                Level::Instance => (format!("{instance}/${}", operation.name), Some(id.clone())),
            };
            for method in ["get", "post"] {
                insert(&mut paths, &path, method, invoked(kind, operation, in_path.clone(), method));
            }
        }
    }
    paths
}
