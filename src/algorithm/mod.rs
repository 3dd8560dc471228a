//! Algorithms on streams: the table of built-in ones, and the chain that runs a signal's algorithms over event-time windows.

pub mod alarm;
mod chain;
pub mod composite;
mod lane;
mod native;
mod recorder;
mod stage;
mod watch;

pub use chain::{Chain, Closed, Rows};
pub use lane::PacketSeen;
pub use native::{NATIVE, Native, check};
pub use watch::Said;
