//! What is pushed to others: exports of episodes, to where the control plane says.
//!
//! ```text
//! export_trigger --planner--> operation --lane of its patient--> courier --adapter--> request --transport--> receiver
//!   (in the transaction         (what is to be sent)    |                                                       |
//!    of what it tells of)                               +-- delivered (what the receiver has) <--disposition----+
//! ```
//! Nothing of it is anywhere but in the database, so a process may be killed anywhere: what was sent and not written down is
//! sent again, and receivers know it by its identifier. See `docs/delivery.md`.

pub mod adapter;
mod answer;
pub mod backoff;
pub mod breaker;
pub mod check;
pub mod connection;
mod correction;
mod courier;
pub mod demo;
pub mod disposition;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gather;
pub mod keys;
mod load;
mod look;
pub mod outgoing;
mod planner;
mod reconcile;
pub mod route;
pub mod routes;
pub mod seal;
mod shared;
#[cfg(test)]
mod speed;
mod steps;
pub mod throttle;
pub mod token;
pub mod transport;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use correction::Uncorrected;
pub use reconcile::Report;

use crate::archive::Vault;
use crate::conformant::Validator;
use crate::store::delivery::Lane;
use crate::store::{Store, StoreError, while_held};
use crate::telemetry::Telemetry;
use crate::time::{self, Clock, MICROS};
use backoff::Patience;
use breaker::Breakers;
use routes::Routes;

/// Where requests and answers are sealed: what the vault calls the place.
pub const EXCHANGE: &str = "operation-exchange";

/// A request without an answer for so long has none: what became of it is open.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// Workers of a process.
pub const WORKERS: usize = 8;
/// How often a lane's holder says that it is still there.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often it is looked for what is due.
const LOOK: Duration = Duration::from_millis(500);
/// How often what was sent is read back, and what is old is forgotten.
const TIDY: Duration = Duration::from_secs(60);
/// How long requests and answers of operations that succeeded are kept, in days.
const EXCHANGES_DAYS: i64 = 7;
/// How long operations that succeeded or were discarded are kept, in days.
const OPERATIONS_DAYS: i64 = 30;

const DAY_US: i64 = 86_400 * MICROS;

/// What delivery is made of.
pub struct Parts {
    /// Store.
    pub store: Store,
    /// The ways to receivers.
    pub routes: Routes,
    /// Judges what goes out.
    pub validator: Arc<Validator>,
    /// Seals requests and answers.
    pub vault: Vault,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub telemetry: Telemetry,
    /// How patient it is.
    pub patience: Patience,
}

/// Delivers exports. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    store: Store,
    routes: Routes,
    validator: Arc<Validator>,
    vault: Vault,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    patience: Patience,
    breakers: Breakers,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Delivery {
    /// Of these parts; nothing runs yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, routes, validator, vault, clock, telemetry, patience } = parts;
        let breakers = Breakers::new(WORKERS * 3 / 4);
        Self { store, routes, validator, vault, clock, telemetry, patience, breakers }
    }

    /// Delivers for as long as the server runs.
    pub fn start(&self) {
        let planner = self.clone();
        tokio::spawn(async move {
            loop {
                report(planner.plan().await.map(drop), "exports cannot be planned");
                planner.measure().await;
                tokio::time::sleep(LOOK).await;
            }
        });
        for _ in 0..WORKERS {
            let worker = self.clone();
            tokio::spawn(async move {
                loop {
                    match worker.work().await {
                        Ok(true) => {}
                        Ok(false) => tokio::time::sleep(LOOK).await,
                        Err(error) => {
                            report(Err(error), "a delivery is interrupted");
                            tokio::time::sleep(LOOK).await;
                        }
                    }
                }
            });
        }
        let tidier = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TIDY).await;
                report(tidier.tidy().await, "what was delivered cannot be read back");
            }
        });
    }

    /// Works off the lane that has been due for longest; whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn work(&self) -> Result<bool, StoreError> {
        let Some(lane) = self.store.take_lane(&self.breakers.closed_to(Instant::now())).await? else {
            return Ok(false);
        };
        let target = (lane.key.tenant.clone(), lane.key.export.clone());
        self.breakers.begin(&target);
        let worked = self.holding(&lane, Box::pin(self.work_off(&lane))).await;
        self.breakers.end(&target);
        worked.map(|_| true)
    }

    /// Does something while a lane is held, which is given up where the lane is somebody else's by now.
    async fn holding<T>(
        &self,
        lane: &Lane,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<Option<T>, StoreError> {
        while_held(HEARTBEAT, || self.store.keep_lane(lane), work).await
    }

    async fn tidy(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.store.forget_exchanges(now.plus(-EXCHANGES_DAYS * DAY_US)).await?;
        self.store.forget_operations(now.plus(-OPERATIONS_DAYS * DAY_US)).await?;
        self.reconcile_all(now.plus(-reconcile::AFTER_US)).await
    }

    async fn measure(&self) {
        if let Ok((waiting, oldest)) = self.store.operations_waiting().await {
            let now: time::Instant = self.clock.now();
            let age = oldest.map_or(0.0, |oldest| now.seconds_since(oldest).max(0.0));
            self.telemetry.outbox(waiting, age as i64);
        }
    }
}

fn report(result: Result<(), StoreError>, what: &str) {
    match result {
        Err(error) if !error.is_closed() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "{what}; it is tried again");
        }
        _ => {}
    }
}
