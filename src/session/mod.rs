//! Putting a stream in order: by sequence number ([`Sequencer`]), then on one time base ([`Timeline`]); what its
//! device's clock is worth ([`clock`]); whose it is ([`association`]); and which of several streams counts ([`priority`]).

pub mod association;
pub mod clock;
mod hull;
pub mod priority;
mod sequencer;
mod timeline;

pub use sequencer::{Arrival, Sequencer};
pub use timeline::{Placement, Timeline};
