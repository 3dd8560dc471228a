//! How much of the journal is processed.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::ingest::Backlog;

/// Durable packets that may wait before ingest takes no more.
const MOST_PENDING: i64 = 100_000;

/// Counts of durable and processed packets.
#[derive(Debug, Default)]
pub struct Progress {
    pending: AtomicI64,
}

impl Progress {
    /// Packets became durable, or streams are to be caught up.
    pub fn started(&self, count: usize) {
        self.pending.fetch_add(count.cast_signed() as i64, Ordering::Relaxed);
    }

    /// They are processed and what they gave is stored.
    pub fn finished(&self, count: usize) {
        self.pending.fetch_sub(count.cast_signed() as i64, Ordering::Relaxed);
    }

    /// Packets and streams in between.
    pub fn pending(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }
}

impl Backlog for Progress {
    fn has_room(&self) -> bool {
        self.pending() < MOST_PENDING
    }

    fn grew(&self, count: usize) {
        self.started(count);
    }
}
