//! Episodes: opened and ended in one transaction with all that goes with it.

use sqlx::{Any, Row as _, Transaction};

use super::episode_row::find;
use super::profile::spec_in;
use super::trigger::{announce, keep_exports};
use super::{Refusal, Written, enrolment, id, word};
use crate::id::{DeviceKey, EnrolmentId, EpisodeId, TenantId};
use crate::program::{BusinessIdentifier, Ended, EnrolmentStatus, Episode, ExternalEncounter, Spec, Trigger};
use crate::resource::Resource;
use crate::store::association::{attach, detach};
use crate::store::device_link::mention;
use crate::store::resource::upsert;
use crate::store::{EpisodeDevice, Store, StoreError};
use crate::time::{Instant, MICROS};

/// An episode to be opened.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its id.
    pub id: EpisodeId,
    /// The enrolment it is opened on.
    pub enrolment: EnrolmentId,
    /// First moment in it.
    pub start: Instant,
    /// Devices in it from the start.
    pub devices: Vec<DeviceKey>,
    /// The Encounter an EHR sees it in.
    pub encounter: Option<ExternalEncounter>,
    /// What an EHR calls its own EpisodeOfCare for it.
    pub episode_of_care: Option<BusinessIdentifier>,
    /// The request as a text: who sends the same once more means the same episode.
    pub request: String,
}

/// The end of an episode.
#[derive(Debug, Clone)]
pub struct Closing {
    /// The episode.
    pub id: EpisodeId,
    /// Its end.
    pub end: Ended,
}

/// An episode as its resources show it.
#[derive(Debug)]
pub struct Shown<'a> {
    /// The episode.
    pub episode: &'a Episode,
    /// What its program is called.
    pub title: &'a str,
    /// The episodes of its Encounter, itself among them.
    pub of_encounter: &'a [EpisodeId],
}

/// The resources that show an episode.
pub type Project<'a> = &'a (dyn Fn(&Shown<'_>) -> Vec<Resource> + Sync);

impl Store {
    /// Opens an episode with its devices, or finds that the same was done before.
    ///
    /// # Errors
    /// [`Refusal`], a device that is in another episode, or the database failed.
    pub async fn open_episode(
        &self,
        tenant: &TenantId,
        opening: &Opening,
        project: Project<'_>,
    ) -> Result<Written, StoreError> {
        let mut tx = self.begin_numbering().await?;
        if is_open_already(&mut tx, tenant, opening).await? {
            return Ok(Written::Unchanged);
        }
        let enrolment = enrolment::locked(&mut tx, tenant, &opening.enrolment).await?;
        let Some((enrolment, _)) = enrolment else { return Err(Refusal::Unknown { element: "enrolment" }.into()) };
        if enrolment.status == EnrolmentStatus::Withdrawn {
            return Err(Refusal::Withdrawn(enrolment.id).into());
        }
        let episode = Episode {
            id: opening.id.clone(),
            enrolment: enrolment.id,
            program: enrolment.program,
            profile: enrolment.profile,
            patient: enrolment.patient,
            start: opening.start,
            end: None,
            encounter: opening.encounter.clone(),
            episode_of_care: opening.episode_of_care.clone(),
        };
        let spec = spec_in(&mut tx, tenant, &episode.program, &episode.profile).await?;
        let spec = spec.ok_or(StoreError::Damaged { what: "profile" })?;
        if !insert(&mut tx, tenant, &episode, &opening.request, &spec, self.clock.now()).await? {
            // Somebody else was opening it just now.
            is_open_already(&mut tx, tenant, opening).await?;
            return Ok(Written::Unchanged);
        }
        keep_exports(&mut tx, tenant, &episode.id, &spec.exports).await?;
        announce(&mut tx, tenant, &episode.id, Trigger::OnEpisodeStart, episode.start).await?;
        for device in &opening.devices {
            mention(&mut tx, tenant, device).await?;
            attach(&mut tx, tenant, &share(&episode, device, opening.start)).await?;
        }
        self.show(&mut tx, tenant, &episode, project).await?;
        tx.commit().await?;
        Ok(Written::Created)
    }

    /// Ends an episode for all its devices; gives those that were in it. None of this id: nothing.
    ///
    /// # Errors
    /// [`Refusal::Time`], or the database failed.
    pub async fn close_episode(
        &self,
        tenant: &TenantId,
        closing: &Closing,
        project: Project<'_>,
    ) -> Result<Option<Vec<DeviceKey>>, StoreError> {
        let mut tx = self.begin_numbering().await?;
        let ended = sqlx::query(
            "UPDATE episode SET ended_us = $3, ended_by = $4, told_us = $5 \
             WHERE tenant = $1 AND id = $2 AND ended_us IS NULL",
        )
        .bind(tenant.as_str())
        .bind(closing.id.as_str())
        .bind(closing.end.at.0)
        .bind(word(&closing.end.by)?)
        .bind(self.clock.now().0)
        .execute(&mut *tx)
        .await?;
        let Some(episode) = find(&mut tx, tenant, &closing.id).await? else { return Ok(None) };
        if ended.rows_affected() == 0 {
            return Ok(Some(Vec::new())); // somebody was faster
        }
        if closing.end.at <= episode.start {
            return Err(Refusal::Time { element: "at", problem: "must be after the episode's start" }.into());
        }
        let devices = detach(&mut tx, tenant, &episode.id, None, closing.end.at).await?;
        announce(&mut tx, tenant, &episode.id, Trigger::OnEpisodeEnd, closing.end.at).await?;
        self.show(&mut tx, tenant, &episode, project).await?;
        tx.commit().await?;
        Ok(Some(devices))
    }

    /// Stores the resources that show an episode.
    async fn show(
        &self,
        tx: &mut Transaction<'_, Any>,
        tenant: &TenantId,
        episode: &Episode,
        project: Project<'_>,
    ) -> Result<(), StoreError> {
        let row = sqlx::query("SELECT title FROM program WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(episode.program.as_str())
            .fetch_one(&mut **tx)
            .await?;
        let of_encounter = sharing_encounter(tx, tenant, episode).await?;
        let shown = Shown { episode, title: &row.try_get::<String, _>(0)?, of_encounter: &of_encounter };
        upsert(tx, self, tenant, self.drafts(tenant, project(&shown))?, self.clock.now()).await?;
        Ok(())
    }
}

/// A device's share in an episode from a time on.
pub(super) fn share(episode: &Episode, device: &DeviceKey, from: Instant) -> EpisodeDevice {
    let (episode, patient) = (episode.id.clone(), episode.patient.clone());
    EpisodeDevice { episode, device: device.clone(), patient, from, until: None }
}

/// Whether an episode was opened with the same request.
async fn is_open_already(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    opening: &Opening,
) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT request FROM episode WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_str())
        .bind(opening.id.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    match row {
        None => Ok(false),
        Some(row) if row.try_get::<String, _>(0)? == opening.request => Ok(true),
        Some(_) => Err(Refusal::Fixed { element: "content" }.into()),
    }
}

/// Whether there was none.
async fn insert(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &Episode,
    request: &str,
    spec: &Spec,
    now: Instant,
) -> Result<bool, StoreError> {
    let encounter = episode.encounter.as_ref();
    let care = episode.episode_of_care.as_ref();
    let class = encounter.map(|e| word(&e.class)).transpose()?;
    let micros = |seconds: Option<u64>| seconds.map(|s| s.cast_signed().saturating_mul(MICROS));
    let inserted = sqlx::query(
        "INSERT INTO episode (tenant, id, enrolment, program, profile, profile_version, patient, request, started_us, \
         opened_us, encounter_system, encounter_value, encounter_class, care_system, care_value, max_duration_us, \
         inactivity_us, sample_count, counted_position, counted_samples) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 0, 0) \
         ON CONFLICT (tenant, id) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(episode.id.as_str())
    .bind(episode.enrolment.as_str())
    .bind(episode.program.as_str())
    .bind(episode.profile.id.as_str())
    .bind(i64::from(episode.profile.version))
    .bind(episode.patient.as_str())
    .bind(request)
    .bind(episode.start.0)
    .bind(now.0)
    .bind(encounter.map(|e| e.identifier.system.as_str()))
    .bind(encounter.map(|e| e.identifier.value.as_str()))
    .bind(class)
    .bind(care.map(|c| c.system.as_str()))
    .bind(care.map(|c| c.value.as_str()))
    .bind(micros(spec.end_conditions.max_duration_s))
    .bind(micros(spec.end_conditions.inactivity_s))
    .bind(spec.end_conditions.sample_count.map(u64::cast_signed))
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// The episodes an EHR sees in the same Encounter, which all say the same of it.
async fn sharing_encounter(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &Episode,
) -> Result<Vec<EpisodeId>, StoreError> {
    let Some(encounter) = &episode.encounter else { return Ok(Vec::new()) };
    let rows = sqlx::query(
        "SELECT id, patient, encounter_class FROM episode \
         WHERE tenant = $1 AND encounter_system = $2 AND encounter_value = $3 ORDER BY id",
    )
    .bind(tenant.as_str())
    .bind(encounter.identifier.system.as_str())
    .bind(encounter.identifier.value.as_str())
    .fetch_all(&mut **tx)
    .await?;
    let class = word(&encounter.class)?;
    let mut sharing = Vec::new();
    for row in rows {
        if row.try_get::<String, _>(1)? != episode.patient.as_str() || row.try_get::<String, _>(2)? != class {
            return Err(Refusal::OtherEncounter.into());
        }
        sharing.push(id(row.try_get(0)?, "episode id")?);
    }
    Ok(sharing)
}
