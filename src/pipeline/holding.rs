//! The streams this process holds where it shares the database: says that it is alive, loads the streams that come to it,
//! drops those that go.
//!
//! Two tasks, because workers may be busy for longer than a lease lasts: one talks to the database every second whatever
//! happens, the other hands its news to the workers.
//!
//! No packet falls between two holders. A holder brings a stream up from its checkpoint and the journal as it is *after* it
//! got the lease. The tail of a process leaves out rows of streams it does not hold when it reads; were they to become its
//! own later, they were in the journal before its lease, so they are in what it brings up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::{Parts, Work, Workers};
use crate::store::{Lease, StreamId};

/// How often it says that it is alive.
const BEAT: Duration = Duration::from_secs(1);

pub(super) fn start(parts: &Parts, workers: Workers, freed: Arc<Notify>) {
    let (tx, rx) = watch::channel(BTreeSet::new());
    tokio::spawn(tend(parts.clone(), freed, tx));
    tokio::spawn(hand_on(workers, rx));
}

async fn tend(parts: Parts, freed: Arc<Notify>, held: watch::Sender<BTreeSet<Lease>>) {
    let mut holder = parts.store.holder();
    while !held.is_closed() {
        match holder.tend(parts.progress.done()).await {
            Ok(leases) => {
                held.send_replace(leases);
            }
            Err(error) if error.is_contention() => tracing::debug!(%error, "another process was faster"),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "leases cannot be renewed, trying again");
            }
        }
        // Sooner when a device changed patients.
        let _ = tokio::time::timeout(BEAT, freed.notified()).await;
    }
}

async fn hand_on(workers: Workers, mut held: watch::Receiver<BTreeSet<Lease>>) {
    let mut known: BTreeMap<StreamId, Lease> = BTreeMap::new();
    while held.changed().await.is_ok() {
        let now: BTreeMap<StreamId, Lease> = held.borrow_and_update().iter().map(|l| (l.stream, *l)).collect();
        let gone = known.keys().copied().filter(|stream| !now.contains_key(stream));
        for (worker, gone) in workers.queues.iter().zip(workers.shares(gone, |stream| *stream)) {
            if !gone.is_empty() {
                let _ = worker.send(Work::Drop(gone)).await;
            }
        }
        let came: Vec<Lease> = now.values().copied().filter(|l| known.get(&l.stream) != Some(l)).collect();
        workers.load(came).await;
        known = now;
    }
}
