//! Writes what workers give: many streams' resources and checkpoints in one transaction.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Parts, together};
use crate::id::TenantId;
use crate::store::{Commit, Lease, StoreError, Upserted};

/// Commits waiting before workers wait.
const QUEUE: usize = 256;
/// Commits in one transaction. Few, because a window's waveform is some hundred kilobytes and the journal waits for the same
/// connection: senders get their acknowledgements between the transactions.
const GROUP: usize = 8;

/// What a worker hands over, in the order it happened.
#[derive(Debug)]
pub(super) enum Finished {
    /// To be stored together; so many packets are done when it, and what was handed over before, is stored.
    Commit(Box<Commit>, usize),
    /// Packets that gave nothing new.
    Packets(usize),
    /// Streams that have been brought up to the journal.
    Ready(Vec<Lease>),
    /// Worker of this number has given all that comes of the journal up to a position.
    Reached(usize, i64),
}

pub(super) fn start(parts: &Parts, position: i64) -> mpsc::Sender<Finished> {
    let (tx, rx) = mpsc::channel(QUEUE);
    let committer = Committer { parts: parts.clone(), reached: vec![position; parts.workers.max(1)] };
    tokio::spawn(committer.run(rx));
    tx
}

struct Committer {
    parts: Parts,
    /// How far each worker is.
    reached: Vec<i64>,
}

impl Committer {
    async fn run(mut self, mut queue: mpsc::Receiver<Finished>) {
        let mut group = Vec::new();
        while queue.recv_many(&mut group, GROUP).await > 0 {
            let mut commits = Vec::new();
            let mut packets = 0;
            let mut ready = Vec::new();
            for finished in group.drain(..) {
                match finished {
                    Finished::Commit(commit, done) => {
                        commits.push(*commit);
                        packets += done;
                    }
                    Finished::Packets(done) => packets += done,
                    Finished::Ready(leases) => ready.extend(leases),
                    Finished::Reached(worker, position) => {
                        if let Some(reached) = self.reached.get_mut(worker) {
                            *reached = position;
                        }
                    }
                }
            }
            if !commits.is_empty() {
                store(&self.parts, commits).await;
            }
            if !ready.is_empty() {
                insist("streams cannot be called ready", || self.parts.store.ready(&ready)).await;
            }
            self.parts.progress.finished(packets);
            self.parts.progress.reached(self.reached.iter().copied().min().unwrap_or_default());
            self.parts.telemetry.pending(self.parts.progress.pending());
        }
    }
}

/// Stores: the workers' states have moved on, so nothing of this may be dropped.
async fn store(parts: &Parts, commits: Vec<Commit>) {
    let together = |tenant: &TenantId, bodies: &[Vec<u8>]| together::resources(parts, tenant, bodies);
    let done = insist("commit failed", || parts.store.commit(commits.clone(), &together)).await;
    let Upserted { created, updated, unchanged } = done.upserted;
    parts.telemetry.upserted(created, updated, unchanged);
    if done.refused > 0 {
        tracing::info!(commits = done.refused, "streams are another process's now");
    }
}

/// Does something with the store until it is done, however long that takes.
pub(super) async fn insist<T, F: Future<Output = Result<T, StoreError>>>(
    failed: &str,
    mut what: impl FnMut() -> F,
) -> T {
    let mut pause = Duration::from_millis(50);
    loop {
        match what().await {
            Ok(done) => return done,
            Err(error) if error.is_contention() => tracing::debug!(%error, "another process was faster, trying again"),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "{failed}, trying again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
