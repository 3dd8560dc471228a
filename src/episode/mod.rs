//! Episodes at work: what happens to the store happens to the pipeline too, and what their profile says happens by itself.

mod clocks;
#[cfg(test)]
pub(crate) mod fixture;
mod keeper;
mod samples;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use keeper::Keeper;

use crate::id::{DeviceKey, EpisodeId, TenantId};
use crate::pipeline::{Pipeline, to_the_end};
use crate::program::Ended;
use crate::projection::{self, Organization};
use crate::resource::Resource;
use crate::store::{Closing, Opening, Shown, Store, StoreError, Written};
use crate::time::Instant;

/// Opens and ends episodes, moves devices in and out of them.
#[derive(Debug, Clone)]
pub struct Episodes {
    store: Store,
    pipeline: Pipeline,
    /// Name of the organization that answers for them.
    organization: Arc<str>,
}

impl Episodes {
    /// Works on this store and pipeline.
    pub fn new(store: Store, pipeline: Pipeline, organization: &str) -> Self {
        Self { store, pipeline, organization: organization.into() }
    }

    /// Opens an episode; see [`Store::open_episode`].
    ///
    /// # Errors
    /// As there.
    pub async fn open(&self, tenant: &TenantId, opening: &Opening) -> Result<Written, StoreError> {
        let (this, tenant, opening) = (self.clone(), tenant.clone(), opening.clone());
        to_the_end(async move {
            let project = |shown: &Shown<'_>| this.resources(&tenant, shown);
            let written = again(|| this.store.open_episode(&tenant, &opening, &project)).await?;
            if written == Written::Created {
                this.reassociate(&tenant, &opening.devices).await;
            }
            Ok(written)
        })
        .await
    }

    /// Ends an episode; whether there is one of this id. One that has ended stays as it is.
    ///
    /// # Errors
    /// As [`Store::close_episode`].
    pub async fn close(&self, tenant: &TenantId, id: &EpisodeId, end: Ended) -> Result<bool, StoreError> {
        let (this, tenant, closing) = (self.clone(), tenant.clone(), Closing { id: id.clone(), end });
        to_the_end(async move {
            let project = |shown: &Shown<'_>| this.resources(&tenant, shown);
            let devices = again(|| this.store.close_episode(&tenant, &closing, &project)).await?;
            let Some(devices) = devices else { return Ok(false) };
            this.reassociate(&tenant, &devices).await;
            Ok(true)
        })
        .await
    }

    /// Puts a device into a running episode; see [`Store::attach_to_episode`].
    ///
    /// # Errors
    /// As there.
    pub async fn attach(
        &self,
        tenant: &TenantId,
        id: &EpisodeId,
        device: &DeviceKey,
        from: Option<Instant>,
    ) -> Result<Option<Written>, StoreError> {
        let (this, tenant, id, device) = (self.clone(), tenant.clone(), id.clone(), device.clone());
        to_the_end(async move {
            let written = again(|| this.store.attach_to_episode(&tenant, &id, &device, from)).await?;
            if written == Some(Written::Created) {
                this.reassociate(&tenant, &[device]).await;
            }
            Ok(written)
        })
        .await
    }

    /// Takes a device out of a running episode; see [`Store::detach_from_episode`].
    ///
    /// # Errors
    /// As there.
    pub async fn detach(
        &self,
        tenant: &TenantId,
        id: &EpisodeId,
        device: &DeviceKey,
        until: Instant,
    ) -> Result<Option<Written>, StoreError> {
        let (this, tenant, id, device) = (self.clone(), tenant.clone(), id.clone(), device.clone());
        to_the_end(async move {
            let written = again(|| this.store.detach_from_episode(&tenant, &id, &device, until)).await?;
            if written == Some(Written::Updated) {
                this.reassociate(&tenant, &[device]).await;
            }
            Ok(written)
        })
        .await
    }

    /// Has the pipeline take up devices whose associations are changed in the store.
    async fn reassociate(&self, tenant: &TenantId, devices: &[DeviceKey]) {
        for device in devices {
            self.pipeline.reassociate(tenant, device).await;
        }
    }

    /// What shows an episode, each resource after what it refers to.
    fn resources(&self, tenant: &TenantId, shown: &Shown<'_>) -> Vec<Resource> {
        let organization = Organization::of(tenant, &self.organization);
        let episode = shown.episode;
        let mut resources = vec![organization.resource()];
        resources.push(projection::episode_of_care(tenant, episode, shown.title, &organization));
        resources.extend(
            episode
                .encounter
                .as_ref()
                .map(|encounter| projection::encounter(tenant, encounter, &episode.patient, shown.of_encounter)),
        );
        resources
    }
}

/// Does something once more when another process was faster: what that one wrote is seen the second time.
async fn again<T, F: Future<Output = Result<T, StoreError>>>(what: impl Fn() -> F) -> Result<T, StoreError> {
    match what().await {
        Err(error) if error.is_contention() => what().await,
        result => result,
    }
}
