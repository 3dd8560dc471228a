//! Work that somebody asked for and does not depend on their staying.

/// Does something to its end, though who asked for it goes away.
pub async fn to_the_end<T: Send + 'static>(what: impl Future<Output = T> + Send + 'static) -> T {
    match tokio::spawn(what).await.map_err(tokio::task::JoinError::try_into_panic) {
        Ok(result) => result,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // Only the end of the server ends it early.
        Err(Err(_)) => std::future::pending().await,
    }
}
