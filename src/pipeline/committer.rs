//! Writes what workers give: many streams' resources and checkpoints in one transaction.

use std::time::Duration;

use tokio::sync::mpsc;

use super::{Parts, sensor, together};
use crate::id::TenantId;
use crate::resource::Resource;
use crate::store::{Commit, Joint, Lease, Statement, StoreError, Upserted};

/// Commits waiting before workers wait: as many as are stored meanwhile. They hold trees of resources, some hundred kilobytes
/// each when a window closed.
const QUEUE: usize = GROUP;
/// Of those that can wait themselves: a waveform and its strip are some hundred kilobytes.
const BULKY_QUEUE: usize = BULKY_GROUP;
/// Commits in one transaction.
const GROUP: usize = 64;
/// Bulky ones. Few, because the journal waits for the same connection: senders get their acknowledgements between the
/// transactions.
const BULKY_GROUP: usize = 8;

/// What a worker is done with when it is stored.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// To be stored together.
    pub(super) commit: Option<Box<Commit>>,
    /// Packets that are done then.
    pub(super) packets: usize,
    /// Streams that are brought up to the journal then.
    pub(super) ready: Vec<Lease>,
    /// This worker has then given all that comes of the journal up to a position.
    pub(super) reached: Option<(usize, i64)>,
}

/// The ways to the committer.
#[derive(Debug, Clone)]
pub(super) struct Commits {
    /// What somebody may be waiting for. It is stored before all that was handed over later, on either way.
    pub(super) soon: mpsc::Sender<Finished>,
    /// What can wait, in the order it happened.
    pub(super) later: mpsc::Sender<Finished>,
}

pub(super) fn start(parts: &Parts, position: i64) -> Commits {
    let (soon, soon_queue) = mpsc::channel(QUEUE);
    let (later, later_queue) = mpsc::channel(BULKY_QUEUE);
    let committer = Committer { parts: parts.clone(), reached: vec![position; parts.workers.max(1)] };
    tokio::spawn(committer.run(soon_queue, later_queue));
    Commits { soon, later }
}

struct Committer {
    parts: Parts,
    /// How far each worker is.
    reached: Vec<i64>,
}

impl Committer {
    async fn run(mut self, mut soon: mpsc::Receiver<Finished>, mut later: mpsc::Receiver<Finished>) {
        let (mut group, mut bulky) = (Vec::new(), Vec::new());
        loop {
            let received = tokio::select! {
                biased;
                received = soon.recv_many(&mut group, GROUP) => received,
                received = later.recv_many(&mut bulky, BULKY_GROUP) => received,
            };
            if received == 0 {
                return;
            }
            // A state must not be stored before what was handed over to be stored sooner.
            while let Some(finished) = (!bulky.is_empty()).then(|| soon.try_recv().ok()).flatten() {
                group.push(finished);
            }
            group.append(&mut bulky);
            self.finish(group.drain(..)).await;
        }
    }

    async fn finish(&mut self, group: impl Iterator<Item = Finished>) {
        let (mut commits, mut ready, mut packets) = (Vec::new(), Vec::new(), 0);
        for finished in group {
            commits.extend(finished.commit.map(|commit| *commit));
            ready.extend(finished.ready);
            packets += finished.packets;
            let place = finished.reached.and_then(|(worker, at)| Some((self.reached.get_mut(worker)?, at)));
            if let Some((reached, at)) = place {
                *reached = at;
            }
        }
        if !commits.is_empty() {
            store(&self.parts, &commits).await;
        }
        if !ready.is_empty() {
            insist("streams cannot be called ready", || self.parts.store.ready(&ready)).await;
        }
        self.parts.progress.finished(packets);
        self.parts.progress.reached(self.reached.iter().copied().min().unwrap_or_default());
        self.parts.telemetry.pending(self.parts.progress.pending());
    }
}

/// Stores: the workers' states have moved on, so nothing of this may be dropped.
async fn store(parts: &Parts, commits: &[Commit]) {
    let done = insist("commit failed", || parts.store.commit(commits, parts)).await;
    let Upserted { created, updated, unchanged, held } = done.upserted;
    parts.telemetry.upserted(created, updated, unchanged, held);
    if done.refused > 0 {
        tracing::info!(commits = done.refused, "streams are another process's now");
    }
}

impl Joint for Parts {
    fn together(&self, tenant: &TenantId, contributions: &[Vec<u8>]) -> Vec<Resource> {
        together::resources(self, tenant, contributions)
    }

    fn device(&self, tenant: &TenantId, statement: &Statement, all: &[Vec<u8>]) -> Resource {
        sensor::resource(&self.registry, &self.organization, tenant, statement, all)
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
