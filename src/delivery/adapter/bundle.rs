//! Bundles of type transaction and batch, and their answers. <https://hl7.org/fhir/R4/http.html#transaction>

use serde_json::{Map, Value, json};

use super::{Answer, Known, Outcome, Request, Result};
use crate::delivery::disposition::{Disposition, Said, disposition};
use crate::delivery::outgoing::Outgoing;
use crate::store::delivery::Key;

/// The media type of FHIR JSON.
pub(super) const FHIR_JSON: &str = "application/fhir+json";

/// How a Bundle is made.
pub(super) struct Making<'a> {
    /// `transaction` or `batch`.
    pub(super) kind: &'static str,
    /// Most entries.
    pub(super) most: usize,
    /// Bytes from which on there is no further entry.
    pub(super) bytes: usize,
    /// Base URL of the receiver, for what has an id there.
    pub(super) base: &'a str,
    /// Whether what is new is put under the id it has here.
    pub(super) by_put: bool,
}

/// A Bundle of the first of `pending`. In a transaction they may refer to each other; in a batch what refers to what is not yet
/// there waits for the next one.
pub(super) fn request(making: &Making<'_>, pending: &[&Outgoing], known: &Known) -> Request {
    let is_transaction = making.kind == "transaction";
    let (mut entries, mut items, mut bytes) = (Vec::new(), Vec::<usize>::new(), 0);
    for (place, one) in pending.iter().enumerate() {
        if items.len() >= making.most || (bytes >= making.bytes && !items.is_empty()) {
            break;
        }
        // Of what is pending and not there, what is in this Bundle can be referred to in a transaction, and by put anywhere.
        let within = |key: &Key| items.iter().filter_map(|&item| pending.get(item)).find(|other| other.key == *key);
        let waits = |key: &Key| {
            !known.contains_key(key)
                && pending.iter().any(|other| other.key == *key)
                && !(is_transaction && within(key).is_some())
                && *key != one.key
        };
        if !items.is_empty() && one.refers.iter().any(waits) {
            continue;
        }
        let refer = |key: &Key| match known.get(key) {
            Some(known) => Some(format!("{}/{}", key.0, known.remote)),
            None if making.by_put => within(key).map(|other| format!("{}/{}", other.key.0, other.key.1)),
            None => within(key).map(|other| other.urn()),
        };
        let entry = entry(making, one, one.rendered(refer), known.get(&one.key).map(|known| known.remote.as_str()));
        let text = entry.to_string();
        bytes += text.len();
        entries.push(text);
        items.push(place);
    }
    let body = format!(r#"{{"resourceType":"Bundle","type":"{}","entry":[{}]}}"#, making.kind, entries.join(","));
    Request {
        method: "POST",
        path: String::new(),
        query: String::new(),
        headers: Vec::new(),
        media: FHIR_JSON,
        body: body.into_bytes(),
        items,
    }
}

fn entry(making: &Making<'_>, one: &Outgoing, mut resource: Map<String, Value>, remote: Option<&str>) -> Value {
    let (kind, id) = &one.key;
    let remote = remote.or(making.by_put.then_some(id.as_str()));
    match remote {
        Some(remote) => {
            resource.insert("id".to_owned(), Value::String(remote.to_owned()));
            let url = format!("{kind}/{remote}");
            json!({ "fullUrl": format!("{}/{url}", making.base), "resource": resource, "request": { "method": "PUT", "url": url } })
        }
        None => json!({
            "fullUrl": one.urn(), "resource": resource,
            "request": { "method": "POST", "url": kind, "ifNoneExist": one.business.query() },
        }),
    }
}

/// What an answer to a Bundle means: each entry counts, whatever the status of the whole.
pub(super) fn outcome(request: &Request, answer: &Answer) -> Outcome {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    if !(200..300).contains(&answer.status) {
        return Outcome::Whole(whole(answer, body));
    }
    let entries = body.as_ref().and_then(|body| body["entry"].as_array());
    match entries.filter(|entries| entries.len() == request.items.len() && answer.status == 200) {
        Some(entries) => Outcome::Each(entries.iter().map(|entry| of_entry(entry, answer)).collect()),
        // Without a word on each entry, what became of them is open.
        None => Outcome::Whole(Result { outcome: body, ..Result::of(Disposition::Ambiguous) }),
    }
}

/// What a status and a body mean.
pub(super) fn whole(answer: &Answer, body: Option<Value>) -> Result {
    let outcome = body.filter(|body| body["resourceType"] == "OperationOutcome");
    let said = Said {
        status: answer.status,
        outcome: outcome.as_ref(),
        retry_after: answer.retry_after.as_deref(),
        rate_limit: answer.rate_limit.as_deref(),
    };
    Result { disposition: disposition(&said), outcome, ..Result::of(Disposition::Refuse) }
}

fn of_entry(entry: &Value, answer: &Answer) -> Result {
    let response = &entry["response"];
    let status = response["status"].as_str().and_then(|status| status.get(..3)?.parse().ok()).unwrap_or(0);
    let outcome =
        [&response["outcome"], &entry["resource"]].into_iter().find(|o| o["resourceType"] == "OperationOutcome");
    let said =
        Said { status, outcome, retry_after: answer.retry_after.as_deref(), rate_limit: answer.rate_limit.as_deref() };
    let there = Some(&entry["resource"]).filter(|resource| resource["id"].is_string() && outcome.is_none());
    let location = response["location"].as_str().and_then(located);
    let remote = location.or_else(|| there.and_then(|there| there["id"].as_str().map(str::to_owned)));
    // A word of success that does not say where is none.
    let disposition = match disposition(&said) {
        Disposition::Done if remote.is_none() => Disposition::Ambiguous,
        other if status == 0 => {
            if other == Disposition::Done {
                other
            } else {
                Disposition::Ambiguous
            }
        }
        other => other,
    };
    Result { disposition, remote, there: there.cloned(), existed: status == 200, outcome: outcome.cloned() }
}

/// The id in `Observation/123`, `http://…/Observation/123/_history/1` and the like.
pub(super) fn located(location: &str) -> Option<String> {
    let path = location.split("/_history").next()?.trim_end_matches('/');
    let (rest, id) = path.rsplit_once('/')?;
    let kind = rest.rsplit('/').next()?;
    (kind.starts_with(|c: char| c.is_ascii_uppercase()) && !id.is_empty()).then(|| id.to_owned())
}

/// A search for a resource by what it is found by, or a read by its id there.
pub(super) fn look(one: &Outgoing, remote: Option<&str>) -> Request {
    let kind = &one.key.0;
    let (path, query) = if let Some(remote) = remote {
        (format!("{kind}/{remote}"), String::new())
    } else {
        let query = one.business.query();
        let (parameter, value) = query.split_once('=').unwrap_or_default();
        (kind.clone(), form_urlencoded::Serializer::new(String::new()).append_pair(parameter, value).finish())
    };
    Request { method: "GET", path, query, headers: Vec::new(), media: FHIR_JSON, body: Vec::new(), items: Vec::new() }
}

/// What a search or a read found.
pub(super) fn found(answer: &Answer) -> std::result::Result<Option<(String, Value)>, Disposition> {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let result = whole(answer, body.clone());
    match (result.disposition, body) {
        (Disposition::Gone, _) => Ok(None),
        (Disposition::Done, Some(body)) if body["resourceType"] == "Bundle" => {
            let entries = body["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
            let matches =
                entries.iter().map(|entry| &entry["resource"]).find(|r| r["resourceType"] != "OperationOutcome");
            Ok(matches.and_then(identified))
        }
        (Disposition::Done, Some(body)) => Ok(identified(&body)),
        (Disposition::Done, None) => Err(Disposition::Ambiguous),
        (other, _) => Err(other),
    }
}

fn identified(resource: &Value) -> Option<(String, Value)> {
    Some((resource["id"].as_str()?.to_owned(), resource.clone()))
}
