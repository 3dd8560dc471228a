//! Writes what workers give: many streams' resources and checkpoints in one transaction.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Parts, together};
use crate::id::TenantId;
use crate::store::Commit;

/// Commits waiting before workers wait.
const QUEUE: usize = 256;
/// Commits in one transaction. Few, because a window's waveform is some hundred kilobytes and the journal waits for the same
/// connection: senders get their acknowledgements between the transactions.
const GROUP: usize = 8;

/// What a worker hands over.
#[derive(Debug)]
pub(super) struct Finished {
    /// To be stored together; none where packets gave nothing new.
    pub(super) commit: Option<Commit>,
    /// Packets that are done when it, and what was handed over before, is stored.
    pub(super) packets: usize,
}

pub(super) fn start(parts: &Parts) -> mpsc::Sender<Finished> {
    let (tx, rx) = mpsc::channel(QUEUE);
    tokio::spawn(run(parts.clone(), rx));
    tx
}

async fn run(parts: Parts, mut queue: mpsc::Receiver<Finished>) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let packets: usize = group.iter().map(|f| f.packets).sum();
        let commits: Vec<Commit> = group.drain(..).filter_map(|f| f.commit).collect();
        if !commits.is_empty() {
            store(&parts, commits).await;
        }
        parts.progress.finished(packets);
        parts.telemetry.pending(parts.progress.pending());
    }
}

/// Stores, however long it takes: the workers' states have moved on, so nothing of this may be dropped.
async fn store(parts: &Parts, commits: Vec<Commit>) {
    let together = |tenant: &TenantId, bodies: &[Vec<u8>]| {
        together::resources(&parts.registry, &parts.organization, tenant, bodies).unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "what streams give together cannot be projected");
            Vec::new()
        })
    };
    let mut pause = Duration::from_millis(50);
    loop {
        match parts.store.commit(commits.clone(), &together).await {
            Ok(done) => {
                parts.telemetry.upserted(done.created, done.updated, done.unchanged);
                return;
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    streams = commits.len(),
                    "commit failed, trying again"
                );
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(10));
            }
        }
    }
}
