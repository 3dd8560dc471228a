//! How much of the journal is processed.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::ingest::Backlog;

/// Durable packets that may wait before ingest takes no more.
const MOST_PENDING: i64 = 100_000;

/// Counts of durable and processed packets.
///
/// Where a process has the database to itself, a packet is pending from the moment it is durable. Where several share it,
/// whose a packet will be is open then: it is pending from the moment this process reads it, and what is still to be read
/// is known from its distance to the end of the journal.
#[derive(Debug)]
pub struct Progress {
    shared: bool,
    pending: AtomicI64,
    unread: AtomicI64,
    done: AtomicI64,
}

impl Progress {
    /// Nothing durable, nothing processed.
    pub fn new(shared: bool) -> Self {
        let zero = || AtomicI64::new(0);
        Self { shared, pending: zero(), unread: zero(), done: zero() }
    }

    /// Packets became durable, or streams are to be caught up.
    pub fn started(&self, count: usize) {
        self.pending.fetch_add(count.cast_signed() as i64, Ordering::Relaxed);
    }

    /// They are processed and what they gave is stored.
    pub fn finished(&self, count: usize) {
        self.pending.fetch_sub(count.cast_signed() as i64, Ordering::Relaxed);
    }

    /// Packets were read for this process; so many positions of the journal are left.
    pub(super) fn read(&self, count: usize, left: i64) {
        if self.shared {
            self.started(count);
            self.unread.store(left, Ordering::Relaxed);
        }
    }

    /// Everything of this process's streams up to a position of the journal is stored.
    pub(super) fn reached(&self, position: i64) {
        self.done.store(position, Ordering::Relaxed);
    }

    /// That position.
    pub(super) fn done(&self) -> i64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Packets and streams in between.
    pub fn pending(&self) -> i64 {
        self.pending.load(Ordering::Relaxed)
    }
}

impl Backlog for Progress {
    fn has_room(&self) -> bool {
        self.pending() + self.unread.load(Ordering::Relaxed) < MOST_PENDING
    }

    fn grew(&self, count: usize) {
        if !self.shared {
            self.started(count);
        }
    }
}
