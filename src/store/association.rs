//! Whose a device's packets are, over time: who wore it, and which episode it was part of.
//!
//! Every change that makes a difference gets a revision with the first instant it makes one about, in the same
//! transaction: that is what tells the pipeline how far the device's streams have to go back, however often it is stopped
//! meanwhile.

use std::collections::BTreeMap;

use sqlx::{Any, Row as _, Transaction};

use super::device_link::known;
use super::program::encounters;
use super::sql::Row;
use super::{Store, StoreError};
use crate::id::{DeviceKey, EpisodeId, ResourceId, TenantId};
use crate::program::BusinessIdentifier;
use crate::session::association::{Span, Wearer, account, first_difference};
use crate::time::Instant;

/// What is known about a device, as the pipeline needs it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Associations {
    /// Row in `registry/device`.
    pub model: Option<String>,
    /// Whose its packets are, in order and without overlap.
    pub spans: Vec<Span>,
    /// What EHRs call the Encounters they see its episodes in.
    pub encounters: BTreeMap<EpisodeId, BusinessIdentifier>,
    /// How often that has changed; 0 means that it was never with anybody.
    pub revision: i64,
}

/// A device's time in an episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpisodeDevice {
    /// Episode.
    pub episode: EpisodeId,
    /// Device.
    pub device: DeviceKey,
    /// The episode's patient.
    pub patient: ResourceId,
    /// First instant.
    pub from: Instant,
    /// First instant after; `None` while it lasts.
    pub until: Option<Instant>,
}

impl Store {
    /// What is known about a device's whereabouts.
    ///
    /// # Errors
    /// The database failed.
    pub async fn associations(&self, tenant: &TenantId, device: &DeviceKey) -> Result<Associations, StoreError> {
        // One transaction: spans and revision have to be of the same moment.
        let mut tx = self.readers.begin().await?;
        let (worn, episodes) = (worn(&mut tx, tenant, device).await?, in_episodes(&mut tx, tenant, device).await?);
        let model = known(&mut tx, tenant, device).await?.flatten();
        let revision = revision(&mut tx, tenant, device).await?;
        let encounters = encounters(&mut tx, tenant, device).await?;
        Ok(Associations { model, spans: account(&worn, &episodes), encounters, revision })
    }

    /// The devices that are or were part of an episode.
    ///
    /// # Errors
    /// The database failed.
    pub async fn devices_of(&self, tenant: &TenantId, episode: &EpisodeId) -> Result<Vec<DeviceKey>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT device FROM episode_device WHERE tenant = $1 AND episode = $2 ORDER BY device",
        )
        .bind(tenant.as_str())
        .bind(episode.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| DeviceKey::new(row.try_get::<String, _>(0)?).map_err(damaged)).collect()
    }

    /// Who wore a device when, episodes left aside.
    ///
    /// # Errors
    /// The database failed.
    pub async fn worn(&self, tenant: &TenantId, device: &DeviceKey) -> Result<Vec<Span>, StoreError> {
        let mut tx = self.readers.begin().await?;
        worn(&mut tx, tenant, device).await
    }

    /// Sets who wore a device when, as a whole: spans in order that do not overlap, none with an episode. Returns whether
    /// that changed whose any packet is.
    ///
    /// # Errors
    /// The database failed; nothing has changed.
    pub async fn set_worn(&self, tenant: &TenantId, device: &DeviceKey, spans: &[Span]) -> Result<bool, StoreError> {
        let mut tx = self.begin_numbering().await?;
        let before = worn(&mut tx, tenant, device).await?;
        let episodes = in_episodes(&mut tx, tenant, device).await?;
        sqlx::query("DELETE FROM wear WHERE tenant = $1 AND device = $2")
            .bind(tenant.as_str())
            .bind(device.as_str())
            .execute(&mut *tx)
            .await?;
        for span in spans {
            sqlx::query("INSERT INTO wear (tenant, device, from_us, until_us, patient) VALUES ($1, $2, $3, $4, $5)")
                .bind(tenant.as_str())
                .bind(device.as_str())
                .bind(span.from.0)
                .bind(span.until.map(|t| t.0))
                .bind(span.wearer.patient.as_str())
                .execute(&mut *tx)
                .await?;
        }
        let changed = first_difference(&account(&before, &episodes), &account(spans, &episodes));
        note_change(&mut tx, tenant, device, changed).await?;
        tx.commit().await?;
        Ok(changed.is_some())
    }

    /// Makes a device part of an episode for a time.
    ///
    /// # Errors
    /// [`StoreError::InAnotherEpisode`] when it is part of one already at some instant of it, or the database failed;
    /// nothing has changed.
    pub async fn attach(&self, tenant: &TenantId, part: &EpisodeDevice) -> Result<(), StoreError> {
        let mut tx = self.begin_numbering().await?;
        attach(&mut tx, tenant, part).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends the time of an episode's devices in it, of one or of all; those that joined later than `until` were never part
    /// of it. Returns the devices it made a difference to.
    ///
    /// # Errors
    /// The database failed; nothing has changed.
    pub async fn detach(
        &self,
        tenant: &TenantId,
        episode: &EpisodeId,
        device: Option<&DeviceKey>,
        until: Instant,
    ) -> Result<Vec<DeviceKey>, StoreError> {
        let mut tx = self.begin_numbering().await?;
        let changed = detach(&mut tx, tenant, episode, device, until).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

/// [`Store::attach`] as part of `tx`, which numbers.
pub(super) async fn attach(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    part: &EpisodeDevice,
) -> Result<(), StoreError> {
    let worn = worn(tx, tenant, &part.device).await?;
    let before = in_episodes(tx, tenant, &part.device).await?;
    let wearer = Wearer { patient: part.patient.clone(), episode: Some(part.episode.clone()) };
    let new = Span { from: part.from, until: part.until, wearer };
    if before.contains(&new) {
        return Ok(());
    }
    if let Some(other) = before.iter().find(|span| !span.is_apart_from(&new)) {
        let episode = other.wearer.episode.clone().ok_or(StoreError::Damaged { what: "episode" })?;
        return Err(StoreError::InAnotherEpisode { device: part.device.clone(), episode });
    }
    sqlx::query(
        "INSERT INTO episode_device (tenant, episode, device, patient, from_us, until_us) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(tenant.as_str())
    .bind(part.episode.as_str())
    .bind(part.device.as_str())
    .bind(part.patient.as_str())
    .bind(part.from.0)
    .bind(part.until.map(|t| t.0))
    .execute(&mut **tx)
    .await?;
    let after = in_episodes(tx, tenant, &part.device).await?;
    let changed = first_difference(&account(&worn, &before), &account(&worn, &after));
    note_change(tx, tenant, &part.device, changed).await
}

/// [`Store::detach`] as part of `tx`, which numbers.
pub(super) async fn detach(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &EpisodeId,
    device: Option<&DeviceKey>,
    until: Instant,
) -> Result<Vec<DeviceKey>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT device FROM episode_device WHERE tenant = $1 AND episode = $2 AND until_us IS NULL \
             ORDER BY device",
    )
    .bind(tenant.as_str())
    .bind(episode.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let mut changed = Vec::new();
    for row in rows {
        let found = DeviceKey::new(row.try_get::<String, _>(0)?).map_err(damaged)?;
        if device.is_some_and(|device| *device != found) {
            continue;
        }
        let (worn, before) = (worn(tx, tenant, &found).await?, in_episodes(tx, tenant, &found).await?);
        for statement in [
            "DELETE FROM episode_device WHERE tenant = $1 AND episode = $2 AND device = $3 AND until_us IS NULL \
                 AND from_us >= $4",
            "UPDATE episode_device SET until_us = $4 WHERE tenant = $1 AND episode = $2 AND device = $3 \
                 AND until_us IS NULL",
        ] {
            sqlx::query(statement)
                .bind(tenant.as_str())
                .bind(episode.as_str())
                .bind(found.as_str())
                .bind(until.0)
                .execute(&mut **tx)
                .await?;
        }
        let after = in_episodes(tx, tenant, &found).await?;
        let difference = first_difference(&account(&worn, &before), &account(&worn, &after));
        note_change(tx, tenant, &found, difference).await?;
        changed.push(found);
    }
    Ok(changed)
}

async fn worn(tx: &mut Transaction<'_, Any>, tenant: &TenantId, device: &DeviceKey) -> Result<Vec<Span>, StoreError> {
    let rows = sqlx::query(
        "SELECT from_us, until_us, patient, NULL FROM wear WHERE tenant = $1 AND device = $2 ORDER BY from_us",
    )
    .bind(tenant.as_str())
    .bind(device.as_str())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| span(row, None)).collect()
}

async fn in_episodes(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    device: &DeviceKey,
) -> Result<Vec<Span>, StoreError> {
    let rows = sqlx::query(
        "SELECT from_us, until_us, patient, episode FROM episode_device WHERE tenant = $1 AND device = $2 \
         ORDER BY from_us",
    )
    .bind(tenant.as_str())
    .bind(device.as_str())
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| span(row, Some(row.try_get(3)?))).collect()
}

fn span(row: &Row, episode: Option<String>) -> Result<Span, StoreError> {
    let patient = ResourceId::new(row.try_get::<String, _>(2)?).map_err(damaged)?;
    let episode = episode.map(EpisodeId::new).transpose().map_err(damaged)?;
    Ok(Span {
        from: Instant(row.try_get(0)?),
        until: row.try_get::<Option<i64>, _>(1)?.map(Instant),
        wearer: Wearer { patient, episode },
    })
}

fn damaged(_: crate::id::InvalidId) -> StoreError {
    StoreError::Damaged { what: "association" }
}

async fn revision(tx: &mut Transaction<'_, Any>, tenant: &TenantId, device: &DeviceKey) -> Result<i64, StoreError> {
    let row =
        sqlx::query("SELECT COALESCE(MAX(revision), 0) FROM association_change WHERE tenant = $1 AND device = $2")
            .bind(tenant.as_str())
            .bind(device.as_str())
            .fetch_one(&mut **tx)
            .await?;
    Ok(row.try_get(0)?)
}

/// Notes that what is said about a device differs from `from` on, if it does.
pub(super) async fn note_change(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    device: &DeviceKey,
    from: Option<Instant>,
) -> Result<(), StoreError> {
    let Some(from) = from else { return Ok(()) };
    let next = revision(tx, tenant, device).await? + 1;
    sqlx::query("INSERT INTO association_change (tenant, device, revision, from_us) VALUES ($1, $2, $3, $4)")
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(next)
        .bind(from.0)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
