//! Subscriptions at work: changes become numbered events (`matcher`), and events become notifications, by request and
//! mail (`courier`) or over a websocket to whoever is bound (`websocket`).
//!
//! Nothing of it is anywhere but in the database, so a process may be killed anywhere: an event that was noted is numbered by
//! whoever matches next, and one that was sent without being written down is sent again, with its number. Each
//! subscription waits for its own endpoint alone. See `docs/subscriptions.md`.

mod courier;
mod hook;
mod matcher;
mod sealing;
#[cfg(test)]
mod tests;
mod told;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;
use tokio::sync::{Notify, Semaphore, watch};

pub use websocket::router;

use crate::alert::Ways;
use crate::archive::Vault;
use crate::outward::{self, Reach};
use crate::rest::{RestState, Watching};
use crate::store::{EVENTS_KEPT_US, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::time::{Clock, MICROS, doubled};

/// Workers of a process: so many endpoints are waited for at a time.
const WORKERS: usize = 16;
/// How often it is looked for what is due or noted by others, at the longest.
const LOOK: Duration = Duration::from_millis(100);
/// How often what is old is forgotten.
const TIDY: Duration = Duration::from_secs(600);
/// No attempt takes longer, whatever a subscription says.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait before the next attempt.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After the first that failed; it doubles.
    pub first_us: i64,
    /// At most.
    pub longest_us: i64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_us: MICROS, longest_us: 600 * MICROS }
    }
}

impl Patience {
    /// The wait after so many attempts that failed, from 1.
    fn wait(self, failed: i64) -> i64 {
        doubled(self.first_us, failed - 1, self.longest_us)
    }
}

/// What telling subscribers takes.
pub struct Parts {
    /// Where subscriptions and events are.
    pub store: Store,
    /// What the API shows.
    pub rest: RestState,
    /// Where secrets are sealed.
    pub vault: Vault,
    /// How mails are sent.
    pub ways: Ways,
    /// How far endpoints may lie.
    pub reach: Reach,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub telemetry: Telemetry,
    /// How long to wait for an endpoint that fails.
    pub patience: Patience,
}

/// Tells subscribers. Cheap to clone.
#[derive(Clone)]
pub struct Subscriptions {
    store: Store,
    watching: Watching,
    vault: Vault,
    ways: Ways,
    client: Client,
    reach: Reach,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
    patience: Patience,
    /// Counts up when events were numbered here.
    numbered: Arc<watch::Sender<u64>>,
    /// Something may be due.
    due: Arc<Notify>,
}

impl std::fmt::Debug for Subscriptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriptions").finish_non_exhaustive()
    }
}

impl Subscriptions {
    /// Nothing runs yet.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new(parts: Parts) -> Result<Self, reqwest::Error> {
        let Parts { store, rest, vault, ways, reach, clock, telemetry, patience } = parts;
        let client = outward::client(reach, TIMEOUT)?;
        let (watching, numbered) = (Watching::new(rest), Arc::new(watch::Sender::new(0)));
        let due = Arc::default();
        Ok(Self { store, watching, vault, ways, client, reach, clock, telemetry, patience, numbered, due })
    }

    /// Tells for as long as the server runs.
    pub fn start(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            let mut matcher = matcher::Matcher::default();
            loop {
                match this.round(&mut matcher).await {
                    Ok(true) => {}
                    // Where nobody subscribed, writers wake nobody.
                    Ok(false) if matcher.is_idle() => tokio::time::sleep(LOOK).await,
                    Ok(false) => {
                        let _ = tokio::time::timeout(LOOK, this.store.written()).await;
                    }
                    Err(error) => {
                        report(&error, "changes cannot be matched");
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
        });
        let this = self.clone();
        tokio::spawn(async move {
            let workers = Arc::new(Semaphore::new(WORKERS));
            this.seal_until_done().await;
            if let Err(error) = this.store.release_subscriptions().await {
                report(&error, "what a process before had in its hands is waited for");
            }
            while let Ok(worker) = Arc::clone(&workers).acquire_owned().await {
                match this.store.take_subscription().await {
                    Ok(Some(taken)) => {
                        let this = this.clone();
                        tokio::spawn(async move {
                            if let Err(error) = this.work(&taken).await {
                                report(&error, "a subscriber cannot be told");
                            }
                            drop(worker);
                            this.due.notify_one();
                        });
                    }
                    Ok(None) => {
                        let _ = tokio::time::timeout(LOOK, this.due.notified()).await;
                    }
                    Err(error) => {
                        report(&error, "it cannot be looked who is to be told");
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
        });
        let this = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(TIDY).await;
                let before = this.clock.now().plus(-EVENTS_KEPT_US);
                if let Err(error) = this.store.forget_events(before).await {
                    report(&error, "old events cannot be forgotten");
                }
            }
        });
    }
}

fn report(error: &StoreError, what: &str) {
    if !error.is_closed() {
        tracing::warn!(error = error as &dyn std::error::Error, "{what}; it is tried again");
    }
}
