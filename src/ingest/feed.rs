//! From the journal's writer to whoever reads it: what just became durable, while it is still in memory.
//!
//! It saves reading back what was written a moment ago, and is allowed to leave things out: where a stretch is missing, or
//! another process appended one, the journal has it.

use tokio::sync::{mpsc, watch};

use crate::store::Entry;

/// Stretches that wait for the reader.
const QUEUE: usize = 16;
/// Packets in one. A longer one is read from the journal: what waits here is memory.
const LONGEST: usize = 256;

/// Packets that became durable together.
#[derive(Debug)]
pub struct Fresh {
    /// Last position before them.
    pub after: i64,
    /// Their last position.
    pub until: i64,
    /// The packets.
    pub entries: Vec<Entry>,
}

/// The writer's end.
#[derive(Debug)]
pub struct Feeder {
    fresh: mpsc::Sender<Fresh>,
    durable: watch::Sender<i64>,
}

/// The reader's end.
#[derive(Debug)]
pub struct Feed {
    fresh: mpsc::Receiver<Fresh>,
    durable: watch::Receiver<i64>,
}

/// Both ends.
pub fn feed() -> (Feeder, Feed) {
    let (fresh_tx, fresh_rx) = mpsc::channel(QUEUE);
    let (durable_tx, durable_rx) = watch::channel(0);
    (Feeder { fresh: fresh_tx, durable: durable_tx }, Feed { fresh: fresh_rx, durable: durable_rx })
}

impl Feeder {
    /// Tells others than the reader how far the journal goes.
    pub fn durable(&self) -> watch::Receiver<i64> {
        self.durable.subscribe()
    }

    /// Tells what became durable.
    pub(super) fn tell(&self, fresh: Fresh) {
        let until = fresh.until;
        if fresh.entries.len() <= LONGEST {
            // A reader that is behind finds it in the journal.
            let _ = self.fresh.try_send(fresh);
        }
        self.durable.send_replace(until);
    }
}

impl Feed {
    /// Position up to which the journal is known to go. What is in memory of it can be had by [`Feed::fresh`] now.
    pub fn durable(&mut self) -> i64 {
        *self.durable.borrow_and_update()
    }

    /// The next stretch that is in memory.
    pub fn fresh(&mut self) -> Option<Fresh> {
        self.fresh.try_recv().ok()
    }

    /// Waits until more is durable than [`Feed::durable`] said; whether there will be anything more.
    pub async fn more(&mut self) -> bool {
        self.durable.changed().await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(after: i64, length: usize) -> Fresh {
        let entry = Entry {
            position: after + 1,
            stream: 1,
            sequence: 1,
            received: crate::time::Instant(0),
            device: crate::time::DeviceTime(0),
            sha256: [0; 32],
            packet: Vec::new(),
        };
        Fresh { after, until: after + length.cast_signed() as i64, entries: vec![entry; length] }
    }

    #[tokio::test]
    async fn what_is_left_out_is_still_told_of() {
        let (feeder, mut feed) = feed();
        feeder.tell(fresh(0, 3));
        feeder.tell(fresh(3, LONGEST + 1));
        assert!(feed.more().await);
        assert_eq!(feed.durable(), 260);
        assert_eq!(feed.fresh().map(|f| (f.after, f.until)), Some((0, 3)));
        assert!(feed.fresh().is_none());
        (0..100).for_each(|n| feeder.tell(fresh(260 + n, 1)));
        assert_eq!(feed.durable(), 360);
        assert_eq!(std::iter::from_fn(|| feed.fresh()).count(), QUEUE);
        drop(feeder);
        assert!(!feed.more().await);
    }
}
