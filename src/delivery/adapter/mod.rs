//! The seam between delivery and the receivers there are: resources to requests, answers to dispositions. An adapter keeps no
//! state and does nothing; how requests get there is a [`Transport`]'s.
//!
//! Delivery asks for one request at a time, so each can be made of what the receiver said before. An HL7 v2 adapter makes an
//! ORU of the resources of a request and reads its ACK; Epic and Cerner are FHIR servers with other rows in `registry/target`
//! and, where they take one resource at a time only, [`Mode::Single`].

mod bundle;
mod fhir;
mod file;
mod medplum;
mod single;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;
pub use fhir::{Fhir, Statement};
pub use file::File;
pub use medplum::Medplum;
use serde_json::Value;

use super::disposition::Disposition;
use super::outgoing::Outgoing;
use crate::store::delivery::{Delivered, Key};

/// How a receiver takes resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Several at once, all or none.
    Transaction,
    /// Several at once, each by itself.
    Batch,
    /// One at a time.
    Single,
}

/// What a receiver has, by type and id here.
pub type Known = BTreeMap<Key, Delivered>;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `POST` and the like; for files `WRITE`.
    pub method: &'static str,
    /// Path under the base; empty for the base itself.
    pub path: String,
    /// Query, encoded; empty for none.
    pub query: String,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Media type of the body.
    pub media: &'static str,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// Which of the resources asked for are in it, by their places there, in the order of the body.
    pub items: Vec<usize>,
}

impl Request {
    /// Method and path, which tell nothing of a patient.
    pub fn name(&self) -> String {
        format!("{} /{}", self.method, self.path.split('/').next().unwrap_or_default())
    }
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status, or what comes closest.
    pub status: u16,
    /// `Retry-After`.
    pub retry_after: Option<String>,
    /// `RateLimit`.
    pub rate_limit: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What became of one resource of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Result {
    /// What to do.
    pub disposition: Disposition,
    /// Its id there, where that is told.
    pub remote: Option<String>,
    /// What is there, where something was before and that is told.
    pub there: Option<Value>,
    /// Whether something was there before.
    pub existed: bool,
    /// What the receiver said of it.
    pub outcome: Option<Value>,
}

impl Result {
    /// With nothing told.
    pub fn of(disposition: Disposition) -> Self {
        Self { disposition, remote: None, there: None, existed: false, outcome: None }
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// One thing for all of it.
    Whole(Result),
    /// Something for each resource, in their order.
    Each(Vec<Result>),
}

/// Speaks to one kind of receiver.
pub trait Adapter: Send + Sync + std::fmt::Debug {
    /// Most resources of a request.
    fn most(&self) -> usize;

    /// The next request: of the first of `pending`, and as many of the others as go with it, up to `most`. All they refer to is
    /// known, comes before them, or never will be.
    fn request(&self, pending: &[&Outgoing], known: &Known, most: usize) -> Request;

    /// What an answer to it means.
    fn outcome(&self, request: &Request, answer: &Answer) -> Outcome;

    /// Whether what is not known is looked for before it is made: the receiver cannot do both at once.
    fn looks_first(&self) -> bool {
        false
    }

    /// A request for what the receiver has of a resource: by its id there where that is known, by identifier else. None where
    /// nothing can be asked.
    fn look(&self, one: &Outgoing, remote: Option<&str>) -> Option<Request>;

    /// What it found: id and resource. The status is in the range of successes, or says that nothing is there.
    fn found(&self, answer: &Answer) -> std::result::Result<Option<(String, Value)>, Disposition>;

    /// What a resource is there, given what is known, to be compared.
    fn there(&self, one: &Outgoing, known: &Known) -> Value {
        let place = |key: &Key| known.get(key).map(|known| format!("{}/{}", key.0, known.remote));
        Value::Object(one.rendered(place))
    }
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// The request was not sent: nothing has happened.
    #[error("the target cannot be reached: {0}")]
    NotSent(String),
    /// It was sent, or may have been: what happened is open.
    #[error("the target did not answer: {0}")]
    Open(String),
}

/// Brings requests to a receiver.
#[async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// Sends a request; with a token, where the receiver wants one.
    ///
    /// # Errors
    /// [`Unanswered`].
    async fn send(&self, request: &Request, token: Option<&str>) -> std::result::Result<Answer, Unanswered>;
}
