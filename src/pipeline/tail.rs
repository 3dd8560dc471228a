//! Reads the journal in the order it became durable and hands each packet to its stream's worker.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::{Parts, Progress, Work, Workers};
use crate::store::{Store, Stretch};

/// Packets in one read.
const PAGE: i64 = 1024;
/// How long a failed read waits.
const PAUSE: Duration = Duration::from_millis(500);
/// How often the journal is looked at where other processes append to it.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn start(parts: &Parts, workers: Workers, position: i64, appended: watch::Receiver<u64>) {
    let tail = Tail { store: parts.store.clone(), progress: Arc::clone(&parts.progress), workers, position };
    tokio::spawn(tail.run(appended));
}

struct Tail {
    store: Store,
    progress: Arc<Progress>,
    workers: Workers,
    position: i64,
}

impl Tail {
    async fn run(mut self, mut appended: watch::Receiver<u64>) {
        loop {
            appended.borrow_and_update();
            let stretch = match self.store.read_after(self.position, PAGE).await {
                Ok(stretch) => stretch,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "journal cannot be read");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let more = if stretch.until > self.position {
                self.position = stretch.until;
                self.progress.read(stretch.entries.len(), stretch.left);
                self.hand_out(stretch).await.is_ok()
            } else if self.store.is_shared() {
                !matches!(tokio::time::timeout(LOOK, appended.changed()).await, Ok(Err(_)))
            } else {
                appended.changed().await.is_ok()
            };
            if !more {
                return;
            }
        }
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
