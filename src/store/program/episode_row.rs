//! Episodes as they are read.

use std::collections::BTreeMap;

use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, Row as _, Transaction};

use super::profile::pinned;
use super::{Page, from_word, id};
use crate::id::{DeviceKey, EpisodeId, ResourceId, TenantId};
use crate::program::{BusinessIdentifier, Ended, EndedBy, Episode, ExternalEncounter};
use crate::store::sql::Sql;
use crate::store::{EpisodeDevice, Store, StoreError};
use crate::time::Instant;

const COLUMNS: &str = "e.id, e.enrolment, e.program, e.profile, e.profile_version, e.patient, e.started_us, e.ended_us, \
    e.ended_by, e.encounter_system, e.encounter_value, e.encounter_class, e.care_system, e.care_value";

/// Devices that are or were in an episode, in the order of their names and times.
pub type EpisodeDevices = Vec<EpisodeDevice>;

impl Store {
    /// An episode and its devices.
    ///
    /// # Errors
    /// The database failed.
    pub async fn episode(
        &self,
        tenant: &TenantId,
        id: &EpisodeId,
    ) -> Result<Option<(Episode, EpisodeDevices)>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let Some(episode) = find(&mut connection, tenant, id).await? else { return Ok(None) };
        Ok(Some((episode, devices_in(&mut connection, tenant, id).await?)))
    }

    /// Episodes by id: all, or those that are running or are not.
    ///
    /// # Errors
    /// The database failed.
    pub async fn episodes(
        &self,
        tenant: &TenantId,
        running: Option<bool>,
        page: Page<'_>,
    ) -> Result<Vec<Episode>, StoreError> {
        let mut sql = Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM episode e WHERE e.tenant = ").bind(tenant.as_str());
        sql.push(" AND e.id > ").bind(page.after);
        match running {
            Some(true) => sql.push(" AND e.ended_us IS NULL"),
            Some(false) => sql.push(" AND e.ended_us IS NOT NULL"),
            None => &mut sql,
        };
        sql.push(" ORDER BY e.id").limit(page.count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }
}

/// An episode, as a connection sees it.
pub(super) async fn find(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    id: &EpisodeId,
) -> Result<Option<Episode>, StoreError> {
    let mut sql = Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM episode e WHERE e.tenant = ").bind(tenant.as_str());
    sql.push(" AND e.id = ").bind(id.as_str());
    sql.query().fetch_optional(connection).await?.as_ref().map(from_row).transpose()
}

/// The devices of an episode, as a connection sees them.
pub(super) async fn devices_in(
    connection: &mut AnyConnection,
    tenant: &TenantId,
    episode: &EpisodeId,
) -> Result<EpisodeDevices, StoreError> {
    let rows = sqlx::query(
        "SELECT device, patient, from_us, until_us FROM episode_device WHERE tenant = $1 AND episode = $2 \
         ORDER BY device, from_us",
    )
    .bind(tenant.as_str())
    .bind(episode.as_str())
    .fetch_all(connection)
    .await?;
    let share = |row: &AnyRow| {
        let (device, patient): (DeviceKey, ResourceId) =
            (id(row.try_get(0)?, "device")?, id(row.try_get(1)?, "patient id")?);
        let (from, until) = (Instant(row.try_get(2)?), row.try_get::<Option<i64>, _>(3)?.map(Instant));
        Ok(EpisodeDevice { episode: episode.clone(), device, patient, from, until })
    };
    rows.iter().map(share).collect()
}

/// What EHRs call the Encounters they see a device's episodes in. That is fixed when an episode is opened.
pub(in crate::store) async fn encounters(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    device: &DeviceKey,
) -> Result<BTreeMap<EpisodeId, BusinessIdentifier>, StoreError> {
    let rows = sqlx::query(
        "SELECT DISTINCT e.id, e.encounter_system, e.encounter_value FROM episode_device d \
         JOIN episode e ON e.tenant = d.tenant AND e.id = d.episode \
         WHERE d.tenant = $1 AND d.device = $2 AND e.encounter_system IS NOT NULL",
    )
    .bind(tenant.as_str())
    .bind(device.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let encounter = |row: &AnyRow| {
        let identifier = BusinessIdentifier { system: row.try_get(1)?, value: row.try_get(2)? };
        Ok((id(row.try_get(0)?, "episode id")?, identifier))
    };
    rows.iter().map(encounter).collect()
}

/// From [`COLUMNS`].
fn from_row(row: &AnyRow) -> Result<Episode, StoreError> {
    let identifier = |system: usize, value: usize| -> Result<Option<BusinessIdentifier>, StoreError> {
        let (system, value): (Option<String>, Option<String>) = (row.try_get(system)?, row.try_get(value)?);
        Ok(system.zip(value).map(|(system, value)| BusinessIdentifier { system, value }))
    };
    let class: Option<String> = row.try_get(11)?;
    let class = class.map(|class| from_word(class, "encounter class")).transpose()?;
    let (at, by): (Option<i64>, Option<String>) = (row.try_get(7)?, row.try_get(8)?);
    let by: Option<EndedBy> = by.map(|by| from_word(by, "end of an episode")).transpose()?;
    Ok(Episode {
        id: id(row.try_get(0)?, "episode id")?,
        enrolment: id(row.try_get(1)?, "enrolment id")?,
        program: id(row.try_get(2)?, "program id")?,
        profile: pinned(row.try_get(3)?, row.try_get(4)?)?,
        patient: id(row.try_get(5)?, "patient id")?,
        start: Instant(row.try_get(6)?),
        end: at.zip(by).map(|(at, by)| Ended { at: Instant(at), by }),
        encounter: identifier(9, 10)?.zip(class).map(|(identifier, class)| ExternalEncounter { identifier, class }),
        episode_of_care: identifier(12, 13)?,
    })
}
