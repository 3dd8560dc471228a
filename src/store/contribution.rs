//! What streams of a patient have to offer to measurements that need several of them.

use std::collections::BTreeSet;

use sqlx::{Any, Row as _, Transaction};

use super::StoreError;
use super::dialect::Dialect;
use crate::id::{DeviceKey, EpisodeId, ResourceId, SignalCode, StreamName, TenantId};
use crate::time::{Interval, MICROS};

/// How long a contribution is kept, counted back from the newest of its patient and episode: longer than any buffer takes
/// to be flushed.
const KEPT_US: i64 = 14 * 86_400 * MICROS;

/// One patient's time that contributions share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// Patient.
    pub patient: ResourceId,
    /// Recording session, where packets name one.
    pub episode: Option<EpisodeId>,
    /// Window.
    pub window: Interval,
}

/// One stream's share in a window.
#[derive(Debug, Clone)]
pub struct Contribution {
    /// Where it meets the others.
    pub meeting: Meeting,
    /// What it is.
    pub signal: SignalCode,
    /// Device.
    pub device: DeviceKey,
    /// Stream.
    pub stream: StreamName,
    /// Serialized content.
    pub body: Vec<u8>,
}

/// Stores contributions; gives the meetings they are part of.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    dialect: Dialect,
    tenant: &TenantId,
    contributions: Vec<Contribution>,
) -> Result<BTreeSet<Meeting>, StoreError> {
    let mut meetings = BTreeSet::new();
    let patients: BTreeSet<ResourceId> = contributions.iter().map(|one| one.meeting.patient.clone()).collect();
    for (patient, lock) in patients.iter().filter_map(|patient| Some((patient, dialect.meeting()?))) {
        sqlx::query(lock).bind(format!("{tenant}/{patient}")).execute(&mut **tx).await?;
    }
    for one in contributions {
        sqlx::query(
            "INSERT INTO contribution (tenant, patient, episode, end_us, start_us, signal, device, stream, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (tenant, patient, episode, end_us, start_us, signal, device, stream) \
             DO UPDATE SET body = excluded.body",
        )
        .bind(tenant.as_str())
        .bind(one.meeting.patient.as_str())
        .bind(one.meeting.episode.as_ref().map_or("", EpisodeId::as_str))
        .bind(one.meeting.window.end.0)
        .bind(one.meeting.window.start.0)
        .bind(one.signal.as_str())
        .bind(one.device.as_str())
        .bind(one.stream.as_str())
        .bind(one.body)
        .execute(&mut **tx)
        .await?;
        meetings.insert(one.meeting);
    }
    for meeting in &meetings {
        sqlx::query("DELETE FROM contribution WHERE tenant = $1 AND patient = $2 AND episode = $3 AND end_us < $4")
            .bind(tenant.as_str())
            .bind(meeting.patient.as_str())
            .bind(meeting.episode.as_ref().map_or("", EpisodeId::as_str))
            .bind(meeting.window.end.0 - KEPT_US)
            .execute(&mut **tx)
            .await?;
    }
    Ok(meetings)
}

/// What there is for a meeting, in a fixed order.
pub(super) async fn present(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    meeting: &Meeting,
) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = sqlx::query(
        "SELECT body FROM contribution WHERE tenant = $1 AND patient = $2 AND episode = $3 AND end_us = $4 \
         AND start_us = $5 ORDER BY signal, device, stream",
    )
    .bind(tenant.as_str())
    .bind(meeting.patient.as_str())
    .bind(meeting.episode.as_ref().map_or("", EpisodeId::as_str))
    .bind(meeting.window.end.0)
    .bind(meeting.window.start.0)
    .fetch_all(&mut **tx)
    .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
