//! Reads the journal in the order it became durable and hands each packet to its stream's worker.
//!
//! Where this process has the journal to itself, packets come from memory as its writer has just written them, and from the
//! journal where some are missing there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Parts, Progress, Work, Workers};
use crate::ingest::Feed;
use crate::store::{Store, StoreError, Stretch};

/// Packets in one read.
const PAGE: i64 = 1024;
/// How long a failed read waits.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the journal is looked at where other processes append to it.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn start(parts: &Parts, workers: Workers, position: i64, feed: Feed) {
    let tail = Tail { store: parts.store.clone(), progress: Arc::clone(&parts.progress), workers, position, feed };
    tokio::spawn(tail.run());
}

struct Tail {
    store: Store,
    progress: Arc<Progress>,
    workers: Workers,
    position: i64,
    feed: Feed,
}

impl Tail {
    async fn run(mut self) {
        loop {
            let more = match self.stretch().await {
                Ok(stretch) if stretch.until > self.position => {
                    self.position = stretch.until;
                    self.progress.read(stretch.entries.len(), stretch.left);
                    self.hand_out(stretch).await.is_ok()
                }
                Ok(_) if self.store.is_shared() => {
                    !matches!(tokio::time::timeout(LOOK, self.feed.more()).await, Ok(false))
                }
                Ok(_) => self.feed.more().await,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "journal cannot be read");
                    tokio::time::sleep(PAUSE).await;
                    true
                }
            };
            if !more {
                return;
            }
        }
    }

    /// What comes after the position, if there is anything.
    async fn stretch(&mut self) -> Result<Stretch, StoreError> {
        let durable = self.feed.durable();
        while let Some(fresh) = self.feed.fresh().filter(|_| !self.store.is_shared()) {
            if fresh.after > self.position {
                // Something is missing in between. It, and this too, is in the journal.
                break;
            }
            if fresh.until > self.position {
                let entries = fresh.entries.into_iter().filter(|entry| entry.position > self.position).collect();
                return Ok(Stretch { entries, until: fresh.until, left: 0 });
            }
        }
        if durable <= self.position && !self.store.is_shared() {
            return Ok(Stretch { until: self.position, ..Stretch::default() });
        }
        self.store.read_after(self.position, PAGE).await
    }

    async fn hand_out(&self, stretch: Stretch) -> Result<(), mpsc::error::SendError<Work>> {
        let shares = self.workers.shares(stretch.entries, |entry| entry.stream);
        for (worker, share) in self.workers.queues.iter().zip(shares) {
            if !share.is_empty() {
                worker.send(Work::Entries(share)).await?;
            }
            if self.store.is_shared() {
                worker.send(Work::Reached(stretch.until)).await?;
            }
        }
        Ok(())
    }
}
