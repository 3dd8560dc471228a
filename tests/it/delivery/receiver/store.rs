//! What the receiver has, and what it makes of requests: Bundles, conditional creates, updates, reads, searches.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use axum::http::{HeaderMap, Method, Uri};
use serde_json::{Value, json};

use super::token::Tokens;
use super::{Fault, outcome};
use crate::delivery::process::{opened, read};

/// What a receiver has and does.
#[derive(Default)]
pub(crate) struct Store {
    /// By type and id.
    pub(crate) resources: BTreeMap<String, Value>,
    /// What was made, in order, by the condition it was made under.
    pub(crate) arrivals: Vec<String>,
    /// Names by type and what they are found by. Some may be gone.
    index: BTreeMap<String, BTreeSet<String>>,
    pub(crate) tokens: Tokens,
    /// Every path and query that was asked for, to look for secrets in.
    pub(crate) urls: Vec<String>,
    /// Faults to come.
    pub(crate) faults: Vec<Fault>,
    /// One in so many requests is answered 503.
    pub(crate) fails_every: Option<usize>,
    /// Observations with this in them are refused.
    pub(crate) refuses: Option<String>,
    /// Whether transactions are atomic.
    pub(crate) atomic: bool,
    /// Whether it takes one at a time only, and knows no conditional creates.
    pub(crate) is_plain: bool,
    /// How long it thinks about each request.
    pub(crate) delay: Duration,
    /// Where it writes what it has.
    journal: Option<File>,
    /// Names of what the request at hand wrote.
    written: Vec<String>,
    last: u64,
}

impl Store {
    pub(super) fn durable(journal: &Path) -> Self {
        let mut store = Self::default();
        for resource in read(journal).into_iter().flatten() {
            let id = resource["id"].as_str().unwrap().to_owned();
            store.last = store.last.max(id[24..].parse().unwrap());
            store.keep(format!("{}/{id}", resource["resourceType"].as_str().unwrap()), resource);
        }
        Self { journal: Some(opened(journal)), ..store }
    }

    pub(super) fn answer(&mut self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
        let path = uri.path();
        if path == "/oauth2/token" {
            return self.tokens.give(headers, body);
        }
        if path == "/_control/expire-tokens" {
            self.tokens.forget();
            return (200, json!({}));
        }
        let Some(rest) = path.strip_prefix("/fhir/R4") else { return outcome(404, "Not found") };
        let rest = rest.trim_matches('/');
        if rest == "metadata" {
            return (200, self.statement());
        }
        if !self.tokens.is_good(headers) {
            return outcome(401, "Unauthorized");
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        self.written.clear();
        let answer = if rest.is_empty() && *method == Method::POST {
            self.bundle(&body)
        } else {
            let url = uri.query().map_or(rest.to_owned(), |query| format!("{rest}?{query}"));
            let condition = headers.get("if-none-exist").and_then(|v| v.to_str().ok());
            self.one(method.as_str(), &url, &body, condition)
        };
        if let Some(journal) = self.journal.as_mut().filter(|_| !self.written.is_empty()) {
            let written: Vec<&Value> = self.written.iter().map(|name| &self.resources[name]).collect();
            journal.write_all(format!("{}\n", json!(written)).as_bytes()).unwrap();
            journal.sync_data().unwrap();
        }
        answer
    }

    fn bundle(&mut self, bundle: &Value) -> (u16, Value) {
        let is_atomic = self.atomic && bundle["type"] == "transaction";
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        if bundle["type"] == "transaction"
            && entries.len() > 8
            && entries.iter().any(|e| e["request"]["ifNoneExist"].is_string())
        {
            return outcome(400, "Transaction requires strict isolation but has too many entries");
        }
        let before = is_atomic.then(|| (self.resources.clone(), self.arrivals.len()));
        // Ids are given before anything is written, as references within the Bundle need them.
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        let mut answers = Vec::new();
        for entry in &entries {
            let mut resource = entry["resource"].clone();
            replace(&mut resource, &ids);
            let request = &entry["request"];
            let (method, url) = (request["method"].as_str().unwrap(), request["url"].as_str().unwrap());
            let (status, answer) = self.one(method, url, &resource, request["ifNoneExist"].as_str());
            if let Some((resources, arrivals)) = before.as_ref().filter(|_| status >= 400) {
                self.resources.clone_from(resources);
                self.arrivals.truncate(*arrivals);
                self.written.clear();
                return (status, answer);
            }
            if let (Some(url), Some(id)) = (entry["fullUrl"].as_str(), answer["id"].as_str()) {
                ids.insert(url.to_owned(), format!("{}/{id}", answer["resourceType"].as_str().unwrap()));
            }
            let is_outcome = answer["resourceType"] == "OperationOutcome";
            answers.push(if is_outcome {
                json!({"response": {"status": status.to_string(), "outcome": answer}})
            } else {
                let location =
                    format!("{}/{}", answer["resourceType"].as_str().unwrap(), answer["id"].as_str().unwrap());
                json!({"response": {"status": status.to_string(), "location": location}, "resource": answer})
            });
        }
        (
            200,
            json!({"resourceType": "Bundle", "type": format!("{}-response", bundle["type"].as_str().unwrap()), "entry": answers}),
        )
    }

    fn one(&mut self, method: &str, url: &str, resource: &Value, condition: Option<&str>) -> (u16, Value) {
        let (name, query) = url.split_once('?').unwrap_or((url, ""));
        let kind = name.split('/').next().unwrap();
        match method {
            "GET" if name.contains('/') => {
                self.resources.get(name).map_or(outcome(404, "Not found"), |found| (200, found.clone()))
            }
            "GET" => {
                let query = form_urlencoded::parse(query.as_bytes()).next().map(|(n, v)| format!("{n}={v}"));
                let found = self.matching(kind, &query.unwrap_or_default());
                let entries: Vec<Value> = found.iter().map(|name| json!({"resource": self.resources[name]})).collect();
                (200, json!({"resourceType": "Bundle", "type": "searchset", "entry": entries}))
            }
            _ if self
                .refuses
                .as_ref()
                .is_some_and(|text| kind == "Observation" && resource.to_string().contains(text)) =>
            {
                outcome(422, "this one is not wanted here")
            }
            "PUT" if !self.resources.contains_key(name) => outcome(404, "Not found"),
            "PUT" => {
                self.keep(name.to_owned(), resource.clone());
                (200, resource.clone())
            }
            "POST" => {
                let condition = condition.filter(|_| !self.is_plain);
                match condition.map(|condition| self.matching(kind, condition)).unwrap_or_default().as_slice() {
                    [] => {}
                    [one] => return (200, self.resources[one].clone()),
                    _ => return outcome(412, "Multiple resources found matching condition"),
                }
                self.last += 1;
                let id = format!("00000000-0000-4000-8000-{:012}", self.last);
                let mut made = resource.clone();
                made["id"] = json!(id);
                self.arrivals.push(condition.unwrap_or_default().to_owned());
                self.keep(format!("{kind}/{id}"), made.clone());
                (201, made)
            }
            _ => outcome(405, "Method not allowed"),
        }
    }

    fn keep(&mut self, name: String, resource: Value) {
        let kind = name.split('/').next().unwrap();
        for found_by in found_by(&resource) {
            self.index.entry(format!("{kind}?{found_by}")).or_default().insert(name.clone());
        }
        self.written.push(name.clone());
        self.resources.insert(name, resource);
    }

    /// Names of those of a type that have the identifier or tag of `identifier=system|value`.
    fn matching(&self, kind: &str, condition: &str) -> Vec<String> {
        let names = self.index.get(&format!("{kind}?{condition}")).into_iter().flatten();
        let has = |name: &&String| {
            self.resources.get(*name).is_some_and(|found| found_by(found).any(|found_by| found_by == condition))
        };
        names.filter(has).cloned().collect()
    }

    fn statement(&self) -> Value {
        let kinds = ["Organization", "Device", "Patient", "Observation", "DocumentReference", "Provenance"];
        let of = |kind: &&str| json!({"type": kind, "conditionalCreate": !self.is_plain, "updateCreate": false});
        let types: Vec<Value> = kinds.iter().map(of).collect();
        let interaction = if self.is_plain { json!([]) } else { json!([{"code": "batch"}]) };
        json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "interaction": interaction, "resource": types}]})
    }
}

/// What a resource is found by: its identifiers and tags.
fn found_by(resource: &Value) -> impl Iterator<Item = String> {
    let of = |list: &Value, parameter: &str, code: &str| {
        let named = |one: &Value| Some(format!("{parameter}={}|{}", one["system"].as_str()?, one[code].as_str()?));
        list.as_array().into_iter().flatten().filter_map(named).collect::<Vec<_>>()
    };
    let identifiers = of(&resource["identifier"], "identifier", "value");
    identifiers.into_iter().chain(of(&resource["meta"]["tag"], "_tag", "code"))
}

fn replace(value: &mut Value, ids: &BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object.iter_mut() {
                match inner {
                    Value::String(text) if name == "reference" => {
                        if let Some(id) = ids.get(text) {
                            text.clone_from(id);
                        }
                    }
                    other => replace(other, ids),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, ids)),
        _ => {}
    }
}
