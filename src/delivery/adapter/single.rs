//! One resource at a time: create if none exists, or update. <https://hl7.org/fhir/R4/http.html#ccreate>

use serde_json::Value;

use super::bundle::{FHIR_JSON, located, whole};
use super::{Answer, Known, Outcome, Request};
use crate::delivery::disposition::Disposition;
use crate::delivery::outgoing::Outgoing;
use crate::store::delivery::Key;

/// A request of one resource; `by_put` under the id it has here.
pub(super) fn request(one: &Outgoing, known: &Known, by_put: bool) -> Request {
    let place = |key: &Key| known.get(key).map(|known| format!("{}/{}", key.0, known.remote));
    let mut body = one.rendered(place);
    let (kind, id) = &one.key;
    let remote = known.get(&one.key).map(|known| known.remote.as_str()).or(by_put.then_some(id.as_str()));
    let (method, path, headers) = match remote {
        Some(remote) => {
            body.insert("id".to_owned(), Value::String(remote.to_owned()));
            ("PUT", format!("{kind}/{remote}"), Vec::new())
        }
        None => ("POST", kind.clone(), vec![("if-none-exist", one.business.query())]),
    };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    Request { method, path, query: String::new(), headers, media: FHIR_JSON, body, items: vec![0] }
}

/// What its answer means.
pub(super) fn outcome(request: &Request, answer: &Answer) -> Outcome {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    let mut result = whole(answer, body.clone());
    if result.disposition == Disposition::Done {
        let there = body.filter(|body| body["id"].is_string() && body["resourceType"] != "OperationOutcome");
        let by_path = || (request.method == "PUT").then(|| located(&request.path)).flatten();
        let told = there.as_ref().and_then(|there| there["id"].as_str().map(str::to_owned));
        result.remote = told.or_else(|| answer.location.as_deref().and_then(located)).or_else(by_path);
        result.existed = answer.status == 200 && request.method == "POST";
        result.there = there;
        if result.remote.is_none() {
            result.disposition = Disposition::Ambiguous;
        }
        return Outcome::Each(vec![result]);
    }
    // A whole that is one resource.
    match result.disposition {
        Disposition::Refuse | Disposition::Gone | Disposition::Dangling => Outcome::Each(vec![result]),
        _ => Outcome::Whole(result),
    }
}
