//! Journal to store: a tail that reads what became durable, workers that run the streams' algorithms, a committer that
//! writes what they give together with their checkpoints.
//!
//! ```text
//! journal --tail--> worker 0..n (own threads, a stream always on the same one) --bounded--> committer --> store
//!                     values at once; series, strips and states when there is nothing else to do
//! ```
//! The windows of all streams end at the same moment, so what somebody may be waiting for goes first.
//! Every queue is bounded; when the last one is full the tail waits, the backlog grows, and ingest answers 429.
//!
//! Where several processes share a database each works on the streams it holds ([`holding`]); where there is one, it holds
//! all of them from the start.

mod alarms;
mod claim;
mod committer;
mod holding;
mod later;
mod live;
mod progress;
mod rederive;
mod sensor;
mod tail;
mod to_the_end;
mod together;
mod track;
mod worker;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc};

pub use progress::Progress;
pub use rederive::{Comparison, Rederivation};
pub use to_the_end::to_the_end;
pub use track::Track;

use committer::insist;

use crate::id::{DeviceKey, TenantId};
use crate::ingest::Feed;
use crate::registry::Registry;
use crate::store::{Entry, Lease, Store, StoreError, StreamId};
use crate::telemetry::Telemetry;
use crate::time::Instant;

/// What the pipeline is made of.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Store.
    pub store: Store,
    /// Rows.
    pub registry: Arc<Registry>,
    /// Name of the organization that answers for the data.
    pub organization: String,
    /// Counters.
    pub telemetry: Telemetry,
    /// How far it has come.
    pub progress: Arc<Progress>,
    /// How far a clock that is believed may be off before that is said, in microseconds.
    pub clock_bound_us: i64,
    /// Worker threads.
    pub workers: usize,
}

/// Work for a worker.
#[derive(Debug)]
enum Work {
    /// Packets of its streams, in journal order.
    Entries(Vec<Entry>),
    /// Streams to bring up to date from the journal, whatever state they are in.
    Load(Vec<Lease>),
    /// Streams that are another process's now.
    Drop(Vec<StreamId>),
    /// All packets up to here in the journal have been handed out.
    Reached(i64),
}

/// The running pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    workers: Workers,
    store: Store,
    progress: Arc<Progress>,
    /// Told when streams became free.
    freed: Arc<Notify>,
}

impl Pipeline {
    /// Starts it; `feed` tells when the journal has more.
    ///
    /// # Errors
    /// The journal cannot be read, or a thread cannot be started.
    pub async fn start(parts: Parts, feed: Feed) -> Result<Self, PipelineError> {
        let store = parts.store.clone();
        let position = store.last_position().await?;
        parts.progress.reached(position);
        let unfinished = if store.is_shared() { Vec::new() } else { store.unfinished().await? };
        let commits = committer::start(&parts, position);
        let mut queues = Vec::new();
        for number in 0..parts.workers.max(1) {
            queues.push(worker::start(number, &parts, commits.clone())?);
        }
        let workers = Workers { queues, progress: Arc::clone(&parts.progress) };
        let freed = Arc::new(Notify::new());
        if store.is_shared() {
            holding::start(&parts, workers.clone(), Arc::clone(&freed));
        }
        workers.load(unfinished.into_iter().map(Lease::sole)).await;
        tail::start(&parts, workers.clone(), position, feed);
        Ok(Self { workers, store, progress: parts.progress, freed })
    }

    /// Takes up the streams of a device whose associations are changed in the store. Tries until it has: what is in the store
    /// cannot be refused any more.
    pub async fn reassociate(&self, tenant: &TenantId, device: &DeviceKey) {
        insist("a device cannot be taken up", || self.try_reassociate(tenant, device)).await;
    }

    async fn try_reassociate(&self, tenant: &TenantId, device: &DeviceKey) -> Result<(), StoreError> {
        let streams = self.store.streams_of(tenant, device).await?;
        if self.store.is_shared() {
            self.store.free(&streams).await?;
            self.freed.notify_one();
        } else {
            self.workers.load(streams.into_iter().map(Lease::sole)).await;
        }
        Ok(())
    }

    /// Whether all is in the store that a device's durable packets from before `moment` gave, with every change of its
    /// associations. It may be sending on all the time.
    ///
    /// # Errors
    /// The store failed.
    pub async fn is_settled(&self, tenant: &TenantId, device: &DeviceKey, moment: Instant) -> Result<bool, StoreError> {
        Ok(self.store.unfinished_before(tenant, device, moment).await?.is_empty())
    }

    /// Packets, and streams being caught up, between the journal and the store.
    ///
    /// # Errors
    /// The store failed.
    pub async fn lag(&self) -> Result<i64, StoreError> {
        if self.store.is_shared() { self.store.lag().await } else { Ok(self.progress.pending()) }
    }
}

/// The ways to the workers.
#[derive(Debug, Clone)]
struct Workers {
    queues: Vec<mpsc::Sender<Work>>,
    progress: Arc<Progress>,
}

impl Workers {
    async fn load(&self, leases: impl IntoIterator<Item = Lease>) {
        for (worker, own) in self.queues.iter().zip(self.shares(leases, |lease| lease.stream)) {
            if !own.is_empty() {
                self.progress.started(own.len());
                // A worker only goes away when the server stops.
                let _ = worker.send(Work::Load(own)).await;
            }
        }
    }

    /// What falls to each worker.
    fn shares<T>(&self, items: impl IntoIterator<Item = T>, stream: impl Fn(&T) -> StreamId) -> Vec<Vec<T>> {
        let mut shares: Vec<Vec<T>> = self.queues.iter().map(|_| Vec::new()).collect();
        for item in items {
            if let Some(share) = shares.get_mut(shard(stream(&item), self.queues.len())) {
                share.push(item);
            }
        }
        shares
    }
}

fn shard(stream: StreamId, workers: usize) -> usize {
    stream.cast_unsigned() as usize % workers
}

/// Why the pipeline did not start.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The store failed.
    #[error("the journal cannot be read")]
    Store(#[from] StoreError),
    /// No thread.
    #[error("a worker thread cannot be started")]
    Thread(#[from] std::io::Error),
}
