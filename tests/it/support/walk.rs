//! Everything a server serves, in a form that two servers can be compared by.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Client;

/// What is derived, and comes by searching; a Binary comes by the DocumentReference that names it.
const SEARCHED: [&str; 7] =
    ["Observation", "Provenance", "DocumentReference", "Device", "Patient", "Organization", "Flag"];

/// Every resource as served, byte for byte but for `meta.lastUpdated`, by reference.
#[track_caller]
pub(crate) fn everything(client: &Client) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for kind in SEARCHED {
        for resource in client.search(&format!("{kind}?_count=200")) {
            let reference = format!("{kind}/{}", resource["id"].as_str().unwrap());
            if let Some(binary) = attachment(&resource) {
                let bytes = raw(client, &binary);
                assert!(all.insert(binary, bytes).is_none(), "{reference} shares its attachment");
            }
            let bytes = raw(client, &reference);
            assert!(all.insert(reference.clone(), bytes).is_none(), "{reference} came twice");
        }
    }
    all
}

/// The same without what tells one version from another: for late data, which makes new versions.
pub(crate) fn without_versions(all: BTreeMap<String, String>) -> BTreeMap<String, Value> {
    let strip = |(reference, text): (String, String)| {
        let mut resource: Value = serde_json::from_str(&text).unwrap();
        resource["meta"].as_object_mut().unwrap().remove("versionId");
        if resource["resourceType"] == "Observation" {
            resource.as_object_mut().unwrap().remove("status");
        }
        if resource["resourceType"] == "Provenance" {
            let body = resource.as_object_mut().unwrap();
            body.remove("reason");
            body.remove("activity");
        }
        (reference, resource)
    };
    all.into_iter().map(strip).collect()
}

/// What stands in the record, without versions: all but what was an error, and what only speaks of such.
pub(crate) fn standing(client: &Client) -> BTreeMap<String, Value> {
    let parsed = |(reference, text): (String, String)| (reference, serde_json::from_str::<Value>(&text).unwrap());
    let all: BTreeMap<String, Value> =
        everything(client).into_iter().filter(|(reference, _)| !reference.starts_with("Binary/")).map(parsed).collect();
    let is_error = |reference: &str| all.get(reference).is_some_and(|r| r["status"] == "entered-in-error");
    let of_error = |resource: &Value| {
        let targets = resource["target"].as_array();
        targets.is_some_and(|all| all.iter().any(|target| is_error(target["reference"].as_str().unwrap())))
    };
    let stands = all.iter().filter(|(reference, resource)| !is_error(reference) && !of_error(resource));
    without_versions(stands.map(|(reference, resource)| (reference.clone(), resource.to_string())).collect())
}

#[track_caller]
fn raw(client: &Client, reference: &str) -> String {
    let path = format!("/fhir/R4/{reference}");
    let reply = client.get_with(&path, "accept", "application/fhir+json").expect(200);
    without_last_updated(&reply.text())
}

fn without_last_updated(text: &str) -> String {
    const MEMBER: &str = "\"lastUpdated\":\"";
    let (before, rest) = text.split_once(MEMBER).unwrap_or_else(|| panic!("no lastUpdated in {text}"));
    let (_, after) = rest.split_once('"').unwrap();
    match after.strip_prefix(',') {
        Some(more) => format!("{before}{more}"),
        None => format!("{}{after}", before.trim_end_matches(',')),
    }
}

fn attachment(resource: &Value) -> Option<String> {
    let url = resource["content"][0]["attachment"]["url"].as_str()?;
    let from = url.find("Binary/")?;
    Some(url[from..].to_owned())
}
