//! Journal to store: a tail that reads what became durable, workers that run the streams' algorithms, a committer that
//! writes what they give together with their checkpoints.
//!
//! ```text
//! journal --tail--> worker 0..n (own threads, a stream always on the same one) --bounded--> committer --> store
//! ```
//! Every queue is bounded; when the last one is full the tail waits, the backlog grows, and ingest answers 429.

mod committer;
mod progress;
mod tail;
mod together;
mod track;
mod worker;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

pub use progress::Progress;
pub use track::Track;

use crate::id::{DeviceKey, TenantId};
use crate::registry::Registry;
use crate::store::{Entry, Store, StoreError, StreamId};
use crate::telemetry::Telemetry;

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
    /// Worker threads.
    pub workers: usize,
}

/// Work for a worker.
#[derive(Debug)]
enum Work {
    /// Packets of its streams, in journal order.
    Entries(Vec<Entry>),
    /// Streams to bring up to date from the journal, whatever state they are in.
    Load(Vec<StreamId>),
}

/// The running pipeline.
#[derive(Debug, Clone)]
pub struct Pipeline {
    workers: Vec<mpsc::Sender<Work>>,
    store: Store,
    progress: Arc<Progress>,
}

impl Pipeline {
    /// Starts it; `appended` tells when the journal has more.
    ///
    /// # Errors
    /// The journal cannot be read, or a thread cannot be started.
    pub async fn start(parts: Parts, appended: watch::Receiver<u64>) -> Result<Self, PipelineError> {
        let position = parts.store.last_position().await?;
        let unfinished = parts.store.unfinished().await?;
        let commits = committer::start(&parts);
        let mut workers = Vec::new();
        for number in 0..parts.workers.max(1) {
            workers.push(worker::start(number, &parts, commits.clone())?);
        }
        let pipeline = Self { workers, store: parts.store.clone(), progress: Arc::clone(&parts.progress) };
        pipeline.load(unfinished).await;
        tail::start(&parts, pipeline.workers.clone(), position, appended);
        Ok(pipeline)
    }

    /// Takes up the streams of a device whose association changed.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reassociate(&self, tenant: &TenantId, device: &DeviceKey) -> Result<(), StoreError> {
        self.load(self.store.streams_of(tenant, device).await?).await;
        Ok(())
    }

    async fn load(&self, streams: Vec<StreamId>) {
        for (number, worker) in self.workers.iter().enumerate() {
            let own: Vec<StreamId> =
                streams.iter().copied().filter(|s| shard(*s, self.workers.len()) == number).collect();
            if !own.is_empty() {
                self.progress.started(own.len());
                // A worker only goes away when the server stops.
                let _ = worker.send(Work::Load(own)).await;
            }
        }
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
