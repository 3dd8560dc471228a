//! The CapabilityStatement as a client reads it, held against what the server does: what it lists works, what it does not
//! list is refused.

use std::collections::BTreeSet;

use serde_json::json;

use super::write::{Writer, is};
use super::*;

const STRICT: [(&str, &str); 1] = [("prefer", "handling=strict")];

fn texts(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

async fn statement(server: &Server) -> Vec<Value> {
    let statement = server.get("/metadata").await.json();
    statement["rest"][0]["resource"].as_array().unwrap().clone()
}

/// Whether a search is understood to the last parameter.
async fn understood(server: &Server, query: &str) -> bool {
    let answer = server.get_with(query, &STRICT).await;
    if answer.status == StatusCode::OK {
        return true;
    }
    Server::refused(&answer, 400, "not-supported");
    false
}

#[tokio::test]
async fn parameters_and_includes_are_those_listed() {
    let server = empty().await;
    let rows = statement(&server).await;
    let searched = |row: &&Value| row["interaction"].as_array().unwrap().iter().any(|i| i["code"] == "search-type");
    let parameters: BTreeSet<String> = rows.iter().flat_map(|row| names(&row["searchParam"])).collect();
    let includes: BTreeSet<String> = rows
        .iter()
        .flat_map(|row| texts(&row["searchInclude"]).into_iter().chain(texts(&row["searchRevInclude"])))
        .collect();
    assert!(parameters.len() > 100 && includes.len() > 100, "{} {}", parameters.len(), includes.len());
    for row in rows.iter().filter(searched) {
        let kind = row["type"].as_str().unwrap();
        let definitions = row["versioning"] == "no-version";
        let listed = names(&row["searchParam"]);
        for name in parameters.iter().filter(|name| !listed.contains(*name)) {
            assert!(!understood(&server, &format!("/{kind}?{name}=x")).await, "{kind}?{name}");
        }
        if definitions {
            continue;
        }
        let (to, from) = (texts(&row["searchInclude"]), texts(&row["searchRevInclude"]));
        for include in &includes {
            for (way, listed) in [("_include", &to), ("_revinclude", &from)] {
                let query = format!("/{kind}?{way}={include}");
                assert_eq!(understood(&server, &query).await, listed.contains(include), "{query}");
            }
        }
    }
}

/// Of every parameter it is known of every resource whether it has a value.
#[tokio::test]
async fn every_parameter_tells_who_has_a_value() {
    let server = empty().await;
    server.store.put(&tenant("a"), crate::projection::examples().unwrap()).await.unwrap();
    let total = async |query: &str| server.get_with(query, &STRICT).await.json()["total"].as_u64();
    let (mut with, mut without) = (0, Vec::new());
    for row in statement(&server).await.iter().filter(|row| row["versioning"] != "no-version") {
        let kind = row["type"].as_str().unwrap();
        let Some(all) = total(&format!("/{kind}?_summary=count")).await else { continue };
        for parameter in row["searchParam"].as_array().unwrap() {
            let name = parameter["name"].as_str().unwrap();
            if parameter["type"] == "composite" || matches!(name, "_id" | "_lastUpdated") {
                continue;
            }
            let missing = async |is: bool| total(&format!("/{kind}?{name}:missing={is}&_summary=count")).await.unwrap();
            let (has, has_not) = (missing(false).await, missing(true).await);
            assert_eq!(has + has_not, all, "{kind}?{name}");
            if has > 0 {
                with += 1;
            } else if !name.starts_with('_') {
                without.push(format!("{kind}?{name}"));
            }
        }
    }
    assert!(with > 250 && with > 4 * without.len(), "{with} parameters, without an example: {without:?}");
}

#[tokio::test]
async fn conditions_and_the_system_are_as_listed() {
    let writer = Writer::new().await;
    let whole = writer.server.get("/metadata").await.json();
    let system: BTreeSet<&str> =
        whole["rest"][0]["interaction"].as_array().unwrap().iter().map(|i| i["code"].as_str().unwrap()).collect();
    assert_eq!(system, BTreeSet::from(["batch", "history-system", "search-system", "transaction"]));
    is(&writer.server.get("/_history").await, 200);
    is(&writer.server.get("?_type=Patient").await, 200);
    for kind in ["batch", "transaction"] {
        let entry = json!([{"request": {"method": "GET", "url": "metadata"}}]);
        let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": entry});
        is(&writer.send("POST", "", bundle, &[]).await, 200);
    }
    for format in texts(&whole["format"]) {
        let accept = if format.contains('/') { [("accept", format.as_str())] } else { [("prefer", "x")] };
        let query = if format.contains('/') { String::new() } else { format!("?_format={format}") };
        let answer = writer.server.get_with(&format!("/Patient{query}"), &accept).await;
        is(&answer, 200);
        assert!(answer.header("content-type").contains(format.rsplit('+').next().unwrap()), "{format}");
    }
    for media in texts(&whole["patchFormat"]) {
        let answer = writer.send_bytes("PATCH", "/Patient/none", b"x".to_vec(), &[("content-type", &media)]).await;
        assert_ne!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media}");
    }
    Server::refused(
        &writer.send_bytes("PATCH", "/Patient/none", b"x".to_vec(), &[("content-type", "text/x")]).await,
        415,
        "not-supported",
    );
    for row in whole["rest"][0]["resource"].as_array().unwrap() {
        let kind = row["type"].as_str().unwrap();
        let supported = |name: &str| match &row[name] {
            Value::Bool(is) => *is,
            other => !matches!(other.as_str(), None | Some("not-supported")),
        };
        for (method, name) in [("PUT", "conditionalUpdate"), ("DELETE", "conditionalDelete")] {
            let answer = writer.send(method, &format!("/{kind}?_id=none"), json!({"resourceType": kind}), &[]).await;
            assert_eq!(answer.status != StatusCode::METHOD_NOT_ALLOWED, supported(name), "{method} {kind}");
        }
        let condition = [("if-none-exist", "_id=none")];
        let answer = writer.send("POST", &format!("/{kind}"), json!({"resourceType": "Basic"}), &condition).await;
        let refused = answer.json()["issue"][0]["expression"][0] == "If-None-Exist" || answer.status == 405;
        assert_eq!(!refused, supported("conditionalCreate"), "{kind}: {}", answer.status);
        let history = writer.server.get(&format!("/{kind}/none/_history")).await;
        assert_eq!(history.json()["issue"][0]["code"] == "not-found", supported("readHistory"), "{kind}");
    }
}
