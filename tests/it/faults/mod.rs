//! Faults under load: after each, what was acknowledged is durable, and what is served is what it would be without.
//!
//! `tests/faults` runs them all, on SQLite and on PostgreSQL, as often as `AFFERENT_FAULT_ROUNDS` says, and prints their
//! lines as a table. Without it they are short.

mod archive;
mod clock;
mod client;
mod disk;
mod journal;
mod kill;
mod outcome;
mod restart;
mod senders;
mod ward;

/// Packets in one request.
const BATCH: usize = 4;

/// How often a server is killed, and a measure for the rest.
fn rounds() -> usize {
    std::env::var("AFFERENT_FAULT_ROUNDS").map_or(20, |rounds| rounds.parse().expect("AFFERENT_FAULT_ROUNDS"))
}

/// How much the devices record: past the end of a five-minute window, and enough to go on for all rounds.
fn seconds() -> u32 {
    330 + 3 * u32::try_from(rounds()).unwrap()
}
