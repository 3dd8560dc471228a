//! Putting a stream in order: by sequence number ([`Sequencer`]), then on one time base ([`Timeline`]); and whose it is
//! ([`association`]).

pub mod association;
mod sequencer;
mod timeline;

pub use sequencer::{Arrival, Sequencer};
pub use timeline::{Placement, Timeline};
