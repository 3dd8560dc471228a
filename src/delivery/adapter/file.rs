//! NDJSON files: a resource a line, under the ids and references they have here.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{Adapter, Answer, Known, Outcome, Request, Result as Each};
use crate::delivery::disposition::Disposition;
use crate::delivery::outgoing::Outgoing;
use crate::registry::Target;
use crate::store::delivery::Key;

/// A folder.
#[derive(Debug, Clone)]
pub struct File {
    /// Limits.
    pub row: Target,
}

/// A resource as it stands in a file.
fn line(one: &Outgoing) -> Value {
    let mut body = one.rendered(|key: &Key| Some(format!("{}/{}", key.0, key.1)));
    body.insert("id".to_owned(), Value::String(one.key.1.clone()));
    Value::Object(body)
}

impl Adapter for File {
    fn most(&self) -> usize {
        self.row.batch_entries
    }

    fn request(&self, pending: &[&Outgoing], _known: &Known, most: usize) -> Request {
        let (mut body, mut items) = (Vec::new(), Vec::new());
        for (place, one) in pending.iter().enumerate().take(most) {
            if body.len() >= self.row.request_bytes && !items.is_empty() {
                break;
            }
            body.extend_from_slice(line(one).to_string().as_bytes());
            body.push(b'\n');
            items.push(place);
        }
        // Named after its content: what is written twice is there once.
        let name = hex::encode(Sha256::digest(&body).get(..16).unwrap_or_default());
        let path = format!("{name}.ndjson");
        let (query, media) = (String::new(), "application/fhir+ndjson");
        Request { method: "WRITE", path, query, headers: Vec::new(), media, body, items }
    }

    fn outcome(&self, request: &Request, answer: &Answer) -> Outcome {
        if answer.status != 201 {
            return Outcome::Whole(Each::of(Disposition::Retry(None)));
        }
        let ids =
            request.body.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        let each = |line: Value| Each { remote: line["id"].as_str().map(str::to_owned), ..Each::of(Disposition::Done) };
        Outcome::Each(ids.map(each).collect())
    }

    fn look(&self, _one: &Outgoing, _remote: Option<&str>) -> Option<Request> {
        None
    }

    fn found(&self, _answer: &Answer) -> Result<Option<(String, Value)>, Disposition> {
        Ok(None)
    }
}
