//! The OpenAPI document: what it lists is routed, and what is routed it lists.

use std::collections::BTreeSet;

use super::*;
use crate::rest::openapi::whole;

const METHODS: [Method; 5] = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

fn documented() -> Value {
    whole(&Capability::builtin().unwrap()).unwrap()
}

/// Sends a request to a path of the document, its parameters filled in; whether there is such an interaction.
async fn is_there(server: &Server, method: &Method, path: &str) -> (bool, String) {
    let id = if ["CodeSystem", "ValueSet", "OperationDefinition"].iter().any(|kind| path.contains(kind)) {
        "biosignal"
    } else {
        "none"
    };
    let filled = path.replace("{id}", id).replace("{version}", "1");
    let answer = server.send(server.request(method.clone(), &format!("/fhir/R4{filled}"), &[])).await;
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    let is_outcome = !answer.status.is_success() && !answer.body.is_empty();
    let unsupported = is_outcome && answer.json()["issue"][0]["code"] == "not-supported";
    (!unsupported, format!("{method} {path}: {} {text}", answer.status))
}

#[tokio::test]
async fn is_open_and_says_where_it_is() {
    let server = server().await;
    let answer = server.get_with("/openapi.json", &[("authorization", "")]).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/json"));
    let document = answer.json();
    assert_eq!((&document["openapi"], &document["servers"][0]["url"]), (&"3.1.0".into(), &BASE.into()));
    let again = server.get_with("/openapi.json", &[("if-none-match", answer.header("etag"))]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    let parameters = document["paths"]["/Observation/$lastn"]["get"]["parameters"].as_array().unwrap();
    assert!(parameters.iter().any(|parameter| parameter["name"] == "patient"));
    assert!(document["paths"]["/Binary"]["get"].is_null());
}

/// Every reference in the document leads somewhere, and everything it refers to is used.
#[test]
fn references_lead_to_components() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(name, value)| match value.as_str() {
                Some(reference) if name == "$ref" => drop(found.insert(reference.to_owned())),
                _ => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = documented();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let mut listed = BTreeSet::new();
    for group in ["schemas", "parameters", "responses"] {
        let names = document["components"][group].as_object().unwrap().keys();
        listed.extend(names.map(|name| format!("#/components/{group}/{name}")));
    }
    assert_eq!(found, listed);
}

#[tokio::test]
async fn listed_and_routed_are_the_same() {
    let server = super::write::Writer::new().await.server;
    let document = documented();
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for method in METHODS {
            let listed = methods.get(method.as_str().to_lowercase()).is_some();
            let (there, answer) = is_there(&server, &method, path).await;
            assert_eq!(there, listed, "{answer}");
        }
    }
    // Paths as they could be, of every type and every operation.
    let capability = Capability::builtin().unwrap();
    let operations: BTreeSet<&str> =
        capability.resources().flat_map(|row| &row.operations).map(|operation| operation.name.as_str()).collect();
    for row in capability.resources() {
        let kind = &row.resource;
        let mut shapes = vec![format!("/{kind}"), format!("/{kind}/_search"), format!("/{kind}/_history")];
        shapes.extend(["", "/_history", "/_history/{version}"].map(|rest| format!("/{kind}/{{id}}{rest}")));
        for name in &operations {
            shapes.extend([format!("/{kind}/${name}"), format!("/{kind}/{{id}}/${name}")]);
        }
        for path in shapes.iter().filter(|path| !paths.contains_key(*path)) {
            for method in METHODS {
                let (there, answer) = is_there(&server, &method, path).await;
                assert!(!there, "{answer}");
            }
        }
    }
}

/// HEAD says what GET says, without a body.
#[tokio::test]
async fn head_is_answered_wherever_get_is() {
    let server = server().await;
    for (path, methods) in documented()["paths"].as_object().unwrap() {
        if methods.get("get").is_none() {
            continue;
        }
        let filled = path.replace("{id}", "o01").replace("{version}", "1");
        for format in ["json", "xml", "ndjson"] {
            let url = format!("/fhir/R4{filled}?_format={format}");
            let (get, head) = (
                server.send(server.request(Method::GET, &url, &[])).await,
                server.send(server.request(Method::HEAD, &url, &[])).await,
            );
            assert_eq!((head.status, head.body.len()), (get.status, 0), "{url}");
            for name in ["content-type", "etag", "last-modified"] {
                assert_eq!(head.header(name), get.header(name), "{url} {name}");
            }
        }
    }
}
