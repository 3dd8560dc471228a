//! The FHIR R4 API. <https://hl7.org/fhir/R4/http.html>
//!
//! One file per interaction, named as FHIR names it. What is routed, what the CapabilityStatement says and what search
//! understands all come from the table in `capability/`; [`routers`] refuses to start when the table lists what nothing
//! here handles. Resources are answered as the bytes the store keeps.
//!
//! Who may ask: the bearer of a key, within its scopes and its tenant. `/metadata` and the definitions at their canonical
//! URLs are open.

mod capabilities;
mod conformance;
mod create;
mod delete;
mod error;
mod explain;
mod extract;
mod format;
mod guard;
mod history;
mod ndjson;
mod openapi;
mod operation;
mod parameters;
mod patch;
mod payload;
mod read;
mod respond;
mod router;
mod search_system;
mod search_type;
mod state;
mod subscription;
mod subset;
mod template;
#[cfg(test)]
mod tests;
mod transaction;
mod update;
mod vread;
mod write;

pub use error::Error;
pub use explain::search_of;
pub use router::{StartError, canonical_router, check, router, routers};
pub use state::{RestState, Settings};
pub(crate) use subscription::{Watching, mask, notification, seal};
