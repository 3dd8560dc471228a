//! What is delivered to others: exports that are due become operations, operations wait in the lane of their patient, and
//! what a receiver has is remembered.
//!
//! A worker holds a lane for a while ([`Lane`]); what it has to tell is written only as long as it does, so one that slept
//! through its time finds its word refused. What it sent in that time is sent again by the next one, which receivers know.

mod correction;
mod due;
mod exchange;
mod forget;
mod lane;
mod ledger;
mod operation;
mod progress;
mod settle;

pub use correction::Correction;
pub use due::{NewOperation, ReadyExport};
pub use exchange::Exchange;
pub use lane::{Lane, LaneKey};
pub use ledger::{Delivered, Finding, Tally, ToCheck};
pub use operation::{Failure, Item, Operation, OperationState};
pub use progress::{Arrived, Next, Progress, Refused, RefusedBy};

/// A resource by type and id.
pub type Key = (String, String);
