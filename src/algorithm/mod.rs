//! Algorithms on streams: the table of built-in ones, and the chain that runs a signal's algorithms over event-time windows.

mod chain;
mod lane;
mod native;
mod recorder;

pub use chain::{Chain, Closed};
pub use lane::PacketSeen;
pub use native::{NATIVE, Native, check};
