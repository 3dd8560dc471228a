//! Work that lasts longer than what is held for it may be silent.

use std::time::Duration;

use super::StoreError;

/// Works, and says every so often by `keep` that what it works on is still held; nothing where that is somebody else's by now.
///
/// # Errors
/// The work's, or those of saying so.
pub async fn while_held<T, K: Future<Output = Result<bool, StoreError>>>(
    every: Duration,
    mut keep: impl FnMut() -> K,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<Option<T>, StoreError> {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done.map(Some),
            _ = ticks.tick() => {
                if !keep().await? {
                    return Ok(None);
                }
            }
        }
    }
}
