//! Any FHIR R4 server, by what its CapabilityStatement says it can do.
//! <https://hl7.org/fhir/R4/capabilitystatement.html>

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Adapter, Answer, Known, Mode, Outcome, Request, bundle, single};
use crate::delivery::disposition::Disposition;
use crate::delivery::outgoing::{Outgoing, SENT};
use crate::registry::Target;

/// What a CapabilityStatement says, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// How it takes resources.
    pub mode: Mode,
    /// Whether all types that are sent can be put under an id of the sender's.
    pub by_put: bool,
    /// Types that can be created if none exists.
    pub conditional: BTreeSet<String>,
}

impl Statement {
    /// Reads one.
    pub fn of(statement: &Value) -> Option<Self> {
        let rest = statement["rest"].as_array()?.iter().find(|rest| rest["mode"] == "server")?;
        let has = |of: &Value, code: &str| {
            of["interaction"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == code))
        };
        let mode = match () {
            () if has(rest, "transaction") => Mode::Transaction,
            () if has(rest, "batch") => Mode::Batch,
            () => Mode::Single,
        };
        let types = rest["resource"].as_array().map(Vec::as_slice).unwrap_or_default();
        let of = |kind: &str| types.iter().find(|one| one["type"] == kind);
        let by_put =
            SENT.iter().all(|kind| of(kind).is_some_and(|one| one["updateCreate"] == true && has(one, "update")));
        let conditional = types.iter().filter(|one| one["conditionalCreate"] == true);
        let conditional = conditional.filter_map(|one| one["type"].as_str().map(str::to_owned)).collect();
        Some(Self { mode, by_put, conditional })
    }
}

/// A FHIR R4 server.
#[derive(Debug, Clone)]
pub struct Fhir {
    /// Its base URL.
    pub base: String,
    /// Limits.
    pub row: Target,
    /// What it can do.
    pub statement: Statement,
}

impl Fhir {
    /// A request for its CapabilityStatement.
    pub fn statement() -> Request {
        Request {
            method: "GET",
            path: "metadata".to_owned(),
            query: String::new(),
            headers: Vec::new(),
            media: bundle::FHIR_JSON,
            body: Vec::new(),
            items: Vec::new(),
        }
    }
}

impl Adapter for Fhir {
    fn most(&self) -> usize {
        match self.statement.mode {
            Mode::Transaction => self.row.transaction_entries,
            Mode::Batch => self.row.batch_entries,
            Mode::Single => 1,
        }
    }

    fn request(&self, pending: &[&Outgoing], known: &Known, most: usize) -> Request {
        let by_put = self.statement.by_put;
        let kind = match (self.statement.mode, pending.first()) {
            (Mode::Single, Some(one)) => return single::request(one, known, by_put),
            (Mode::Transaction, _) => "transaction",
            _ => "batch",
        };
        let (most, bytes) = (most.min(self.most()), self.row.request_bytes);
        bundle::request(&bundle::Making { kind, most, bytes, base: &self.base, by_put }, pending, known)
    }

    fn outcome(&self, request: &Request, answer: &Answer) -> Outcome {
        if self.statement.mode == Mode::Single {
            single::outcome(request, answer)
        } else {
            bundle::outcome(request, answer)
        }
    }

    fn looks_first(&self) -> bool {
        !self.statement.by_put && SENT.iter().any(|kind| !self.statement.conditional.contains(*kind))
    }

    fn look(&self, one: &Outgoing, remote: Option<&str>) -> Option<Request> {
        let own = self.statement.by_put.then_some(one.key.1.as_str());
        Some(bundle::look(one, remote.or(own)))
    }

    fn found(&self, answer: &Answer) -> Result<Option<(String, Value)>, Disposition> {
        bundle::found(answer)
    }
}
