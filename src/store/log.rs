//! SQLite's write-ahead log is moved into the database beside the one connection that writes. Left to that connection, as SQLite
//! does unless told otherwise, every few transactions wait until a thousand pages are written all over the file: senders wait with
//! them. <https://www.sqlite.org/wal.html#performance_considerations>

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;

/// Time between two looks. A page that is written often is moved once for all of it.
const PERIOD: Duration = Duration::from_secs(1);
/// Transactions that are worth it: a quiet server's disk may sleep.
const WORTH: u64 = 64;

/// Moves what was written for as long as somebody has the store.
pub(super) async fn tend(shared: Weak<Shared>, statement: &'static str) {
    let mut moved = 0;
    loop {
        tokio::time::sleep(PERIOD).await;
        let Some(shared) = shared.upgrade() else { return };
        let written = shared.transactions.load(Ordering::Relaxed);
        if written.wrapping_sub(moved) < WORTH {
            continue;
        }
        moved = written;
        // What is not moved now is moved later, at the latest by the connection that writes.
        if let Err(error) = sqlx::query(statement).execute(&shared.readers).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the write-ahead log stays as it is");
        }
    }
}
