//! Profile versions: written once, numbered without gaps.

use sqlx::{Any, Row as _, Transaction};

use super::episode_row::find;
use super::{Refusal, Written, id};
use crate::id::{EpisodeId, ProfileId, ProgramId, SignalCode, TenantId};
use crate::program::{Pinned, Source, Spec};
use crate::store::{Store, StoreError};

impl Store {
    /// Puts the next version of a profile, or the same content as one that is there.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] program, [`Refusal::Fixed`], [`Refusal::NotNext`], or the database failed.
    pub async fn put_profile(
        &self,
        tenant: &TenantId,
        program: &ProgramId,
        profile: &Pinned,
        spec: &Spec,
    ) -> Result<Written, StoreError> {
        if self.program(tenant, program).await?.is_none() {
            return Err(Refusal::Unknown { element: "program" }.into());
        }
        let mut tx = self.begin_numbering().await?;
        if let Some(there) = spec_in(&mut tx, tenant, program, profile).await? {
            return if there == *spec {
                Ok(Written::Unchanged)
            } else {
                Err(Refusal::Fixed { element: "spec" }.into())
            };
        }
        let row = sqlx::query(
            "SELECT COALESCE(MAX(version), 0) + 1 FROM profile WHERE tenant = $1 AND program = $2 AND id = $3",
        )
        .bind(tenant.as_str())
        .bind(program.as_str())
        .bind(profile.id.as_str())
        .fetch_one(&mut *tx)
        .await?;
        let next = version(row.try_get(0)?)?;
        if next != profile.version {
            return Err(Refusal::NotNext { next }.into());
        }
        sqlx::query("INSERT INTO profile (tenant, program, id, version, spec) VALUES ($1, $2, $3, $4, $5)")
            .bind(tenant.as_str())
            .bind(program.as_str())
            .bind(profile.id.as_str())
            .bind(i64::from(profile.version))
            .bind(serde_json::to_string(spec).map_err(|_| StoreError::Damaged { what: "spec" })?)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Written::Created)
    }

    /// What a profile version says.
    ///
    /// # Errors
    /// The database failed.
    pub async fn profile(
        &self,
        tenant: &TenantId,
        program: &ProgramId,
        profile: &Pinned,
    ) -> Result<Option<Spec>, StoreError> {
        let mut tx = self.readers.begin().await?;
        spec_in(&mut tx, tenant, program, profile).await
    }

    /// Versions of a program's profiles, by profile and version, after one of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn profiles(
        &self,
        tenant: &TenantId,
        program: &ProgramId,
        after: Option<&Pinned>,
        count: i64,
    ) -> Result<Vec<Pinned>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, version FROM profile WHERE tenant = $1 AND program = $2 \
             AND (id > $3 OR (id = $3 AND version > $4)) ORDER BY id, version LIMIT $5 + 0",
        )
        .bind(tenant.as_str())
        .bind(program.as_str())
        .bind(after.map_or("", |profile| profile.id.as_str()))
        .bind(after.map_or(0, |profile| i64::from(profile.version)))
        .bind(count)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| pinned(row.try_get(0)?, row.try_get(1)?)).collect()
    }
}

/// What a profile version says, as a transaction sees it.
pub(super) async fn spec_in(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    program: &ProgramId,
    profile: &Pinned,
) -> Result<Option<Spec>, StoreError> {
    let row = sqlx::query("SELECT spec FROM profile WHERE tenant = $1 AND program = $2 AND id = $3 AND version = $4")
        .bind(tenant.as_str())
        .bind(program.as_str())
        .bind(profile.id.as_str())
        .bind(i64::from(profile.version))
        .fetch_optional(&mut **tx)
        .await?;
    let Some(row) = row else { return Ok(None) };
    serde_json::from_str(&row.try_get::<String, _>(0)?).map(Some).map_err(|_| StoreError::Damaged { what: "spec" })
}

/// Whose values of a signal count most in an episode, by its profile; nobody's where that says nothing.
pub(in crate::store) async fn sources_of(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    episode: &EpisodeId,
    signal: &SignalCode,
) -> Result<Vec<Source>, StoreError> {
    let Some(episode) = find(tx, tenant, episode).await? else { return Ok(Vec::new()) };
    let spec = spec_in(tx, tenant, &episode.program, &episode.profile).await?;
    let expected = spec.and_then(|spec| spec.signals.into_iter().find(|expected| expected.signal == *signal));
    Ok(expected.map(|expected| expected.sources).unwrap_or_default())
}

/// From the columns of a profile version.
pub(super) fn pinned(profile: String, number: i64) -> Result<Pinned, StoreError> {
    let profile: ProfileId = id(profile, "profile id")?;
    Ok(Pinned { id: profile, version: version(number)? })
}

fn version(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|_| StoreError::Damaged { what: "profile version" })
}
