//! Subscriptions: what a client may ask for, and the operations on them.
//!
//! Criteria are those of R4 (<https://hl7.org/fhir/R4/subscription.html>) or a topic by the Subscriptions R5 Backport
//! (<https://hl7.org/fhir/uv/subscriptions-backport/STU1.1>). Whoever subscribes must be allowed to search what is asked for, and
//! is told of what they may read.

mod channel;
mod criteria;
mod extension;
pub(crate) mod notification;
pub(crate) mod seal;
mod task;
mod watching;

pub(crate) use channel::{Channels, mask};
pub(super) use task::{define, sealer, stop};
pub(crate) use watching::Watching;

/// The resource type.
pub(in crate::rest) const KIND: &str = "Subscription";
