//! Devices that join and leave a running episode.

use sqlx::{Any, Transaction};

use super::episode::share;
use super::episode_row::{devices_in, find};
use super::{Refusal, Written};
use crate::id::{DeviceKey, EpisodeId, TenantId};
use crate::program::Episode;
use crate::store::association::{attach, detach};
use crate::store::device_link::mention;
use crate::store::{Store, StoreError};
use crate::time::Instant;

impl Store {
    /// Puts a device into a running episode from a time on; whether it was not in it yet. None of this id: nothing.
    ///
    /// # Errors
    /// [`Refusal::Over`], [`Refusal::Time`], a device that is in another episode, or the database failed.
    pub async fn attach_to_episode(
        &self,
        tenant: &TenantId,
        id: &EpisodeId,
        device: &DeviceKey,
        from: Option<Instant>,
    ) -> Result<Option<Written>, StoreError> {
        let mut tx = self.begin_numbering().await?;
        let Some(episode) = running(&mut tx, tenant, id).await? else { return Ok(None) };
        let open = devices_in(&mut tx, tenant, id).await?;
        if let Some(open) = open.iter().find(|share| share.device == *device && share.until.is_none()) {
            return match from {
                Some(from) if from != open.from => Err(Refusal::Fixed { element: "from" }.into()),
                _ => Ok(Some(Written::Unchanged)),
            };
        }
        let from = from.unwrap_or_else(|| self.clock.now());
        if from < episode.start {
            return Err(Refusal::Time { element: "from", problem: "must not be before the episode's start" }.into());
        }
        mention(&mut tx, tenant, device).await?;
        attach(&mut tx, tenant, &share(&episode, device, from)).await?;
        tx.commit().await?;
        Ok(Some(Written::Created))
    }

    /// Takes a device out of a running episode; whether it was in it. None of this id: nothing.
    ///
    /// # Errors
    /// [`Refusal::Over`], [`Refusal::Time`], or the database failed.
    pub async fn detach_from_episode(
        &self,
        tenant: &TenantId,
        id: &EpisodeId,
        device: &DeviceKey,
        until: Instant,
    ) -> Result<Option<Written>, StoreError> {
        let mut tx = self.begin_numbering().await?;
        if running(&mut tx, tenant, id).await?.is_none() {
            return Ok(None);
        }
        let all = devices_in(&mut tx, tenant, id).await?;
        let open = all.iter().find(|share| share.device == *device && share.until.is_none());
        let Some(open) = open else { return Ok(Some(Written::Unchanged)) };
        if until <= open.from {
            return Err(Refusal::Time { element: "until", problem: "must be after the device came in" }.into());
        }
        detach(&mut tx, tenant, id, Some(device), until).await?;
        tx.commit().await?;
        Ok(Some(Written::Updated))
    }
}

/// An episode that runs and does so until the end of the transaction. Its samples are counted anew: its devices change.
async fn running(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    id: &EpisodeId,
) -> Result<Option<Episode>, StoreError> {
    sqlx::query("UPDATE episode SET counted_position = 0, counted_samples = 0 WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
    match find(tx, tenant, id).await? {
        Some(Episode { id, end: Some(_), .. }) => Err(Refusal::Over(id).into()),
        episode => Ok(episode),
    }
}
