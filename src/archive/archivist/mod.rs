//! The background task that brings the journal into the archive.
//!
//! It follows the journal by its own position, so ingest never waits for it, and holds no packets: it remembers which of them
//! wait, by device, and reads those that make up a block when they do. What fails, is done again from what the database says:
//! there is no other state.
//!
//! A block is announced in the database, written, and chained, in this order. After a crash the announced ones that are whole
//! are chained, the others are withdrawn, and their packets read from the journal again.

mod backlog;
mod run;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::home::HomeError;
use super::{Archive, ArchiveError, Settings};
use crate::store::{ArchiveWriter, Store, StoreError};
use crate::telemetry::Telemetry;
use crate::time::Clock;
use run::Run;

/// How often the journal is looked at.
const TICK: Duration = Duration::from_secs(1);
/// Wait after a failure, or before asking again whether another process archives.
const PAUSE: Duration = Duration::from_secs(5);

/// What the task is made of.
#[derive(Clone)]
pub struct Archivist {
    /// Where the archive is.
    pub settings: Settings,
    /// Store.
    pub store: Store,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Counters.
    pub telemetry: Telemetry,
}

impl Archivist {
    /// Starts it; `appended` tells when the journal has more. A home that cannot be reached is waited for.
    ///
    /// # Errors
    /// A setting is wrong, the master key is not to be had or not the right one.
    pub async fn start(self, appended: watch::Receiver<i64>) -> Result<(), ArchiveError> {
        let archive = match self.settings.open(&self.store, Arc::clone(&self.clock)).await {
            Err(ArchiveError::Home(error @ (HomeError::S3(_) | HomeError::Answer(_)))) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the archive cannot be reached; packets wait");
                None
            }
            opened => Some(opened?),
        };
        tokio::spawn(self.run(archive, appended));
        Ok(())
    }

    async fn run(self, mut archive: Option<Archive>, mut appended: watch::Receiver<i64>) {
        loop {
            match self.follow(&mut archive, &mut appended).await {
                // The server is stopping.
                Ok(()) => return,
                Err(ArchiveError::Store(error)) if error.is_closed() => return,
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "archiving failed; it is tried again");
                    // The master key may have been rotated: the new one is looked for.
                    archive = archive.filter(|_| !matches!(error, ArchiveError::Master(_)));
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Archives until something fails or the journal ends.
    async fn follow(
        &self,
        archive: &mut Option<Archive>,
        appended: &mut watch::Receiver<i64>,
    ) -> Result<(), ArchiveError> {
        let archive = match archive {
            Some(archive) => archive,
            None => archive.insert(self.settings.open(&self.store, Arc::clone(&self.clock)).await?),
        };
        let mut writer = ArchiveWriter::new(self.store.clone());
        while !writer.claim().await? {
            tokio::time::sleep(PAUSE).await;
        }
        let mut run = Run::start(archive, writer, &self.settings).await?;
        let tick = TICK.min(self.settings.block_age.max(Duration::from_millis(50)));
        loop {
            if run.step(&self.telemetry).await? {
                continue;
            }
            // What waits becomes due by age, without anything being appended.
            match tokio::time::timeout(tick, appended.changed()).await {
                Ok(Err(_)) => return Ok(()),
                // Many packets a second are no reason to look more often.
                Ok(Ok(())) => tokio::time::sleep(tick).await,
                Err(_) => {}
            }
            if !run.is_alone().await? {
                return Err(ArchiveError::Store(StoreError::NotArchiving));
            }
        }
    }
}

/// Archives all there is, as the task would in its time.
#[cfg(test)]
pub(crate) async fn archive_all(archive: &Archive, settings: &Settings) -> Result<(), ArchiveError> {
    let mut writer = ArchiveWriter::new(archive.store.clone());
    // The database may be slow to notice that the one before is gone.
    while !writer.claim().await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut run = Run::start(archive, writer, settings).await?;
    while run.step(&Telemetry::default()).await? || run.waiting() > 0 {}
    Ok(())
}
