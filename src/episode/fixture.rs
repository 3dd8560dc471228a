//! A pipeline to test with.

use std::sync::Arc;

use crate::pipeline::{Parts, Pipeline, Progress};
use crate::registry::Registry;
use crate::store::Store;
use crate::telemetry::Telemetry;

/// A pipeline that is told of no packets: what the journal has is read once.
pub(crate) async fn pipeline(store: &Store, registry: &Arc<Registry>) -> Pipeline {
    let parts = Parts {
        store: store.clone(),
        registry: Arc::clone(registry),
        organization: "Clinic".to_owned(),
        telemetry: Telemetry::default(),
        progress: Arc::new(Progress::new(store.is_shared())),
        workers: 1,
        clock_bound_us: 60_000_000,
    };
    let (_feeder, feed) = crate::ingest::feed();
    Pipeline::start(parts, feed).await.unwrap()
}
