//! Putting a stream in order: by sequence number ([`Sequencer`]), then on one time base ([`Timeline`]); what its
//! device's clock is worth ([`clock`]); and whose it is ([`association`]).

pub mod association;
pub mod clock;
mod hull;
mod sequencer;
mod timeline;

pub use sequencer::{Arrival, Sequencer};
pub use timeline::{Placement, Timeline};
