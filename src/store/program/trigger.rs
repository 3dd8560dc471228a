//! The outbox of exports: a row for each time an export is due, written in the transaction of what it tells of. Its key says
//! which time that is, so however often the same is done, or by how many, there is one row.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::{from_word, id, word};
use crate::id::{DeviceKey, EpisodeId, ExportName, TenantId};
use crate::program::{Export, Trigger};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError, StreamId};
use crate::time::{Instant, MICROS};

/// Names an export's time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TriggerKey {
    /// The episode.
    pub episode: EpisodeId,
    /// The export of its profile.
    pub export: ExportName,
    /// Which time.
    pub occurrence: String,
}

/// An export that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportTrigger {
    /// Its key.
    pub key: TriggerKey,
    /// What it is due on.
    pub trigger: Trigger,
    /// Where it goes.
    pub target: String,
    /// How far it is.
    pub state: TriggerState,
    /// Event time of what it tells of.
    pub event: Instant,
}

/// How far an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TriggerState {
    /// Not all that it tells of is in the store.
    Pending,
    /// It can be made.
    Ready,
    /// An operation was made of it.
    Taken,
}

/// An episode that has ended, and whose exports wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Tenant.
    pub tenant: TenantId,
    /// Episode.
    pub episode: EpisodeId,
    /// First moment after it.
    pub end: Instant,
    /// Devices that were in it.
    pub devices: Vec<DeviceKey>,
}

impl Store {
    /// Exports that are due, by key, after one of them: all, or those in a state.
    ///
    /// # Errors
    /// The database failed.
    pub async fn triggers(
        &self,
        tenant: &TenantId,
        state: Option<TriggerState>,
        after: Option<&TriggerKey>,
        count: i64,
    ) -> Result<Vec<ExportTrigger>, StoreError> {
        let mut sql = Sql::new(
            "SELECT t.episode, t.export, t.occurrence, x.kind, x.target, t.state, t.event_us FROM export_trigger t \
             JOIN episode_export x ON x.tenant = t.tenant AND x.episode = t.episode AND x.name = t.export \
             WHERE t.tenant = ",
        );
        sql.bind(tenant.as_str());
        if let Some(state) = state {
            sql.push(" AND t.state = ").bind(word(&state)?.as_str());
        }
        if let Some(after) = after {
            sql.push(" AND (t.episode, t.export, t.occurrence) > (").bind(after.episode.as_str()).push(", ");
            sql.bind(after.export.as_str()).push(", ").bind(after.occurrence.as_str()).push(")");
        }
        sql.push(" ORDER BY t.episode, t.export, t.occurrence").limit(count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// Episodes that have ended and whose exports wait for what their devices gave.
    ///
    /// # Errors
    /// The database failed.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT t.tenant, t.episode, e.ended_us, COALESCE(d.device, '') FROM export_trigger t \
             JOIN episode e ON e.tenant = t.tenant AND e.id = t.episode AND e.ended_us IS NOT NULL \
             LEFT JOIN episode_device d ON d.tenant = t.tenant AND d.episode = t.episode \
             WHERE t.state = 'pending' ORDER BY 1, 2, 4",
        )
        .fetch_all(&self.readers)
        .await?;
        let mut waiting: Vec<Waiting> = Vec::new();
        for row in rows {
            let tenant: TenantId = id(row.try_get(0)?, "tenant")?;
            let episode: EpisodeId = id(row.try_get(1)?, "episode id")?;
            let device: String = row.try_get(3)?;
            let device: Option<DeviceKey> = (!device.is_empty()).then(|| id(device, "device")).transpose()?;
            match waiting.last_mut() {
                Some(last) if last.tenant == tenant && last.episode == episode => last.devices.extend(device),
                _ => {
                    let (end, devices) = (Instant(row.try_get(2)?), device.into_iter().collect());
                    waiting.push(Waiting { tenant, episode, end, devices });
                }
            }
        }
        Ok(waiting)
    }

    /// Whether the pipeline is to be told once more that an episode has ended: it was last told before `long_ago`. Of
    /// several that ask at once one is told yes.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tell_again(
        &self,
        tenant: &TenantId,
        episode: &EpisodeId,
        long_ago: Instant,
    ) -> Result<bool, StoreError> {
        let told = sqlx::query("UPDATE episode SET told_us = $3 WHERE tenant = $1 AND id = $2 AND told_us < $4")
            .bind(tenant.as_str())
            .bind(episode.as_str())
            .bind(self.clock.now().0)
            .bind(long_ago.0)
            .execute(&self.writer)
            .await?;
        Ok(told.rows_affected() == 1)
    }

    /// All that an ended episode's devices gave is in the store: what waits for that is ready.
    ///
    /// # Errors
    /// The database failed.
    pub async fn release(&self, tenant: &TenantId, episode: &EpisodeId) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE export_trigger SET state = 'ready' WHERE tenant = $1 AND episode = $2 AND state = 'pending'",
        )
        .bind(tenant.as_str())
        .bind(episode.as_str())
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// Keeps what an episode exports.
pub(super) async fn keep_exports(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &EpisodeId,
    exports: &[Export],
) -> Result<(), StoreError> {
    for export in exports {
        sqlx::query(
            "INSERT INTO episode_export (tenant, episode, name, kind, interval_us, target) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(tenant.as_str())
        .bind(episode.as_str())
        .bind(export.name.as_str())
        .bind(export.trigger.name())
        .bind(export.interval_s.map(|s| s.cast_signed().saturating_mul(MICROS)))
        .bind(export.target.as_str())
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

/// Makes the exports due that an episode's start or end calls for. What its end calls for waits until all is stored.
pub(super) async fn announce(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &EpisodeId,
    trigger: Trigger,
    event: Instant,
) -> Result<(), StoreError> {
    let state = if trigger == Trigger::OnEpisodeEnd { TriggerState::Pending } else { TriggerState::Ready };
    sqlx::query(
        "INSERT INTO export_trigger (tenant, episode, export, occurrence, state, event_us) \
         SELECT tenant, episode, name, 'once', $4, $5 FROM episode_export \
         WHERE tenant = $1 AND episode = $2 AND kind = $3 \
         ON CONFLICT (tenant, episode, export, occurrence) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(episode.as_str())
    .bind(trigger.name())
    .bind(word(&state)?)
    .bind(event.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Makes the exports due that new or amended measurements of episodes call for, which a stream gave up to an
/// event and a position in the journal.
///
/// A commit is written once, so place in the journal and event time say which one it was; an amendment comes with a later
/// place. An interval is passed once, by whichever device comes first. A packet may name any episode; only what comes of the
/// episode's own devices counts.
pub(in crate::store) async fn fire<'a>(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episodes: impl IntoIterator<Item = &'a EpisodeId>,
    (stream, event, position): (StreamId, Instant, i64),
) -> Result<(), StoreError> {
    let occurrence = format!("{stream}-{}-{position}", event.0);
    for episode in episodes {
        sqlx::query(
            "INSERT INTO export_trigger (tenant, episode, export, occurrence, state, event_us) \
             SELECT x.tenant, x.episode, x.name, $4, 'ready', $3 FROM episode_export x \
             WHERE x.tenant = $1 AND x.episode = $2 AND x.kind = 'on_measurement' AND EXISTS (SELECT 1 FROM stream s \
             JOIN episode_device d ON d.tenant = $1 AND d.episode = $2 AND d.device = s.device WHERE s.id = $5) \
             ON CONFLICT (tenant, episode, export, occurrence) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(episode.as_str())
        .bind(event.0)
        .bind(occurrence.as_str())
        .bind(stream)
        .execute(&mut **tx)
        .await?;
        sqlx::query(
            "INSERT INTO export_trigger (tenant, episode, export, occurrence, state, event_us) \
             SELECT x.tenant, x.episode, x.name, CAST(($3 - e.started_us) / x.interval_us AS TEXT), 'ready', \
             e.started_us + ($3 - e.started_us) / x.interval_us * x.interval_us \
             FROM episode_export x JOIN episode e ON e.tenant = x.tenant AND e.id = x.episode \
             WHERE x.tenant = $1 AND x.episode = $2 AND x.kind = 'on_schedule' AND $3 - e.started_us >= x.interval_us \
             AND EXISTS (SELECT 1 FROM stream s \
             JOIN episode_device d ON d.tenant = $1 AND d.episode = $2 AND d.device = s.device WHERE s.id = $4) \
             ON CONFLICT (tenant, episode, export, occurrence) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(episode.as_str())
        .bind(event.0)
        .bind(stream)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

fn from_row(row: &AnyRow) -> Result<ExportTrigger, StoreError> {
    let key = TriggerKey {
        episode: id(row.try_get(0)?, "episode id")?,
        export: id(row.try_get(1)?, "export name")?,
        occurrence: row.try_get(2)?,
    };
    Ok(ExportTrigger {
        key,
        trigger: from_word(row.try_get(3)?, "trigger")?,
        target: row.try_get(4)?,
        state: from_word(row.try_get(5)?, "state of a trigger")?,
        event: Instant(row.try_get(6)?),
    })
}
