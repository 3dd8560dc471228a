//! Medplum. <https://www.medplum.com/docs/fhir-datastore/fhir-batch-requests>
//!
//! - A Bundle of type `transaction` is atomic only in projects with the feature `transaction-bundles`; in others it is a batch
//!   under another name. Which it is, [`Medplum::probe`] tells without writing anything.
//! - A transaction in which anything is conditional has at most eight entries; a batch has not that limit.
//! - Ids are the server's: what is there is updated by its id there, what is not is made `ifNoneExist`.
//! - R4's Provenance has no identifier: it is found by its tag.
//! - Results of each entry are in the answer; `Prefer: return=minimal` would lose them and is never sent.

use serde_json::{Value, json};

use super::{Adapter, Answer, Known, Mode, Outcome, Request, bundle};
use crate::delivery::disposition::Disposition;
use crate::delivery::outgoing::Outgoing;
use crate::registry::Target;

/// A Medplum project.
#[derive(Debug, Clone)]
pub struct Medplum {
    /// Its base URL.
    pub base: String,
    /// Limits.
    pub row: Target,
    /// What the probe told.
    pub mode: Mode,
}

/// An id nothing has.
const NOTHING: &str = "Patient/00000000-0000-4000-8000-000000000000";

impl Medplum {
    /// A request that tells whether transactions are atomic: a read of what is not there, which fails all of an atomic one.
    pub fn probe() -> Request {
        let entry = json!({ "request": { "method": "GET", "url": NOTHING } });
        let body = json!({ "resourceType": "Bundle", "type": "transaction", "entry": [entry] });
        Request {
            method: "POST",
            path: String::new(),
            query: String::new(),
            headers: Vec::new(),
            media: bundle::FHIR_JSON,
            body: body.to_string().into_bytes(),
            items: Vec::new(),
        }
    }

    /// What the answer to it tells; nothing where it is no answer to that.
    pub fn probed(answer: &Answer) -> Option<Mode> {
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        match answer.status {
            200 if body["type"] == "transaction-response" || body["type"] == "batch-response" => Some(Mode::Batch),
            400 | 404 if body["resourceType"] == "OperationOutcome" => Some(Mode::Transaction),
            _ => None,
        }
    }
}

impl Adapter for Medplum {
    fn most(&self) -> usize {
        if self.mode == Mode::Transaction { self.row.transaction_entries } else { self.row.batch_entries }
    }

    fn request(&self, pending: &[&Outgoing], known: &Known, most: usize) -> Request {
        let kind = if self.mode == Mode::Transaction { "transaction" } else { "batch" };
        let (most, bytes) = (most.min(self.most()), self.row.request_bytes);
        bundle::request(&bundle::Making { kind, most, bytes, base: &self.base, by_put: false }, pending, known)
    }

    fn outcome(&self, request: &Request, answer: &Answer) -> Outcome {
        bundle::outcome(request, answer)
    }

    fn look(&self, one: &Outgoing, remote: Option<&str>) -> Option<Request> {
        Some(bundle::look(one, remote))
    }

    fn found(&self, answer: &Answer) -> Result<Option<(String, Value)>, Disposition> {
        bundle::found(answer)
    }
}
