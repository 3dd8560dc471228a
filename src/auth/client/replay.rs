//! Every assertion counts once. Which were used is in the database; those that come together are written together, because
//! each transaction waits for the disk.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::store::{Store, StoreError, Used};

/// Most that are written together, and most that wait.
const TOGETHER: usize = 256;
const WAITING: usize = 4096;

/// How often those that are too old are forgotten.
const FORGET: Duration = Duration::from_secs(60);

/// Why nobody can tell whether an assertion was used.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Too many are waiting.
    #[error("too many requests for tokens are waiting")]
    Busy,
    /// The store failed.
    #[error("the assertion could not be recorded")]
    Failed,
}

struct Ask {
    used: Used,
    answer: oneshot::Sender<Result<bool, ReplayError>>,
}

/// Handle to the task that writes; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    asks: mpsc::Sender<Ask>,
}

impl Replay {
    /// Starts the task, which ends with the last handle.
    pub(super) fn start(store: Store) -> Self {
        let (asks, waiting) = mpsc::channel(WAITING);
        tokio::spawn(write(store, waiting));
        Self { asks }
    }

    /// Uses an assertion up; whether it was for the first time.
    pub(super) async fn is_first(&self, used: Used) -> Result<bool, ReplayError> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask { used, answer }).map_err(|_| ReplayError::Busy)?;
        answered.await.map_err(|_| ReplayError::Failed)?
    }
}

async fn write(store: Store, mut waiting: mpsc::Receiver<Ask>) {
    let mut forgot: Option<Instant> = None;
    let mut asks = Vec::with_capacity(TOGETHER);
    while waiting.recv_many(&mut asks, TOGETHER).await > 0 {
        let used: Vec<Used> = asks.iter().map(|ask| ask.used.clone()).collect();
        let first = store.use_assertions(&used).await;
        log(first.as_ref().err());
        let answers = first.map_or_else(|_| vec![None; used.len()], |first| first.into_iter().map(Some).collect());
        for (ask, first) in asks.drain(..).zip(answers) {
            // Whoever asked may be gone.
            let _ = ask.answer.send(first.ok_or(ReplayError::Failed));
        }
        if forgot.is_none_or(|at| at.elapsed() >= FORGET) {
            forgot = Some(Instant::now());
            log(store.forget_expired().await.as_ref().err());
        }
    }
}

fn log(error: Option<&StoreError>) {
    if let Some(error) = error {
        tracing::error!(error = error as &dyn std::error::Error, "assertions could not be recorded");
    }
}
