//! Enrolments: patients in programs.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::profile::{pinned, spec_in};
use super::{Page, Refusal, Written, from_word, id, word};
use crate::id::{EnrolmentId, TenantId};
use crate::program::{Enrolment, EnrolmentStatus};
use crate::store::{Store, StoreError};

const COLUMNS: &str = "id, program, profile, profile_version, patient, status, revision";

impl Store {
    /// Puts an enrolment; gives its revision. Its program and patient never change; its profile and status do for who
    /// knows its revision.
    ///
    /// # Errors
    /// [`Refusal::Unknown`] profile, [`Refusal::Fixed`], [`Refusal::Unconditional`], [`Refusal::Stale`],
    /// [`Refusal::Running`] for a withdrawal, or the database failed.
    pub async fn put_enrolment(
        &self,
        tenant: &TenantId,
        enrolment: &Enrolment,
        known: Option<i64>,
    ) -> Result<(Written, i64), StoreError> {
        let mut tx = self.begin().await?;
        if spec_in(&mut tx, tenant, &enrolment.program, &enrolment.profile).await?.is_none() {
            return Err(Refusal::Unknown { element: "profile" }.into());
        }
        if insert(&mut tx, tenant, enrolment).await? {
            tx.commit().await?;
            return Ok((Written::Created, 1));
        }
        let (current, revision) = locked(&mut tx, tenant, &enrolment.id).await?.ok_or(Refusal::Unconditional)?;
        if current == *enrolment {
            return Ok((Written::Unchanged, revision));
        }
        if current.program != enrolment.program {
            return Err(Refusal::Fixed { element: "program" }.into());
        }
        if current.patient != enrolment.patient {
            return Err(Refusal::Fixed { element: "patient" }.into());
        }
        if known.ok_or(Refusal::Unconditional)? != revision {
            return Err(Refusal::Stale { revision }.into());
        }
        if enrolment.status == EnrolmentStatus::Withdrawn {
            refuse_while_running(&mut tx, tenant, &enrolment.id).await?;
        }
        sqlx::query(
            "UPDATE enrolment SET profile = $3, profile_version = $4, status = $5, revision = revision + 1 \
             WHERE tenant = $1 AND id = $2",
        )
        .bind(tenant.as_str())
        .bind(enrolment.id.as_str())
        .bind(enrolment.profile.id.as_str())
        .bind(i64::from(enrolment.profile.version))
        .bind(word(&enrolment.status)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok((Written::Updated, revision + 1))
    }

    /// An enrolment and its revision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrolment(&self, tenant: &TenantId, id: &EnrolmentId) -> Result<Option<(Enrolment, i64)>, StoreError> {
        find(&mut *self.readers.acquire().await?, tenant, id).await
    }

    /// Enrolments by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn enrolments(&self, tenant: &TenantId, page: Page<'_>) -> Result<Vec<Enrolment>, StoreError> {
        let mut sql = crate::store::sql::Sql::new("SELECT ");
        sql.push(COLUMNS).push(" FROM enrolment WHERE tenant = ").bind(tenant.as_str());
        sql.push(" AND id > ").bind(page.after).push(" ORDER BY id").limit(page.count);
        let rows = sql.query().fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(from_row(row)?.0)).collect()
    }
}

/// Whether there was none.
async fn insert(tx: &mut Transaction<'_, Any>, tenant: &TenantId, enrolment: &Enrolment) -> Result<bool, StoreError> {
    let inserted = sqlx::query(
        "INSERT INTO enrolment (tenant, id, revision, program, profile, profile_version, patient, status) \
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7) ON CONFLICT (tenant, id) DO NOTHING",
    )
    .bind(tenant.as_str())
    .bind(enrolment.id.as_str())
    .bind(enrolment.program.as_str())
    .bind(enrolment.profile.id.as_str())
    .bind(i64::from(enrolment.profile.version))
    .bind(enrolment.patient.as_str())
    .bind(word(&enrolment.status)?)
    .execute(&mut **tx)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

/// An enrolment that stays as it is until the end of the transaction.
pub(super) async fn locked(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    id: &EnrolmentId,
) -> Result<Option<(Enrolment, i64)>, StoreError> {
    // An update that changes nothing locks its row in both dialects.
    sqlx::query("UPDATE enrolment SET revision = revision WHERE tenant = $1 AND id = $2")
        .bind(tenant.as_str())
        .bind(id.as_str())
        .execute(&mut **tx)
        .await?;
    find(tx, tenant, id).await
}

async fn find(
    connection: &mut sqlx::AnyConnection,
    tenant: &TenantId,
    id: &EnrolmentId,
) -> Result<Option<(Enrolment, i64)>, StoreError> {
    let mut sql = crate::store::sql::Sql::new("SELECT ");
    sql.push(COLUMNS).push(" FROM enrolment WHERE tenant = ").bind(tenant.as_str());
    sql.push(" AND id = ").bind(id.as_str());
    sql.query().fetch_optional(connection).await?.as_ref().map(from_row).transpose()
}

async fn refuse_while_running(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    enrolment: &EnrolmentId,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT id FROM episode WHERE tenant = $1 AND enrolment = $2 AND ended_us IS NULL ORDER BY id LIMIT 1",
    )
    .bind(tenant.as_str())
    .bind(enrolment.as_str())
    .fetch_optional(&mut **tx)
    .await?;
    match row {
        Some(row) => Err(Refusal::Running(id(row.try_get(0)?, "episode id")?).into()),
        None => Ok(()),
    }
}

/// From [`COLUMNS`].
fn from_row(row: &AnyRow) -> Result<(Enrolment, i64), StoreError> {
    let enrolment = Enrolment {
        id: id(row.try_get(0)?, "enrolment id")?,
        program: id(row.try_get(1)?, "program id")?,
        profile: pinned(row.try_get(2)?, row.try_get(3)?)?,
        patient: id(row.try_get(4)?, "patient id")?,
        status: from_word(row.try_get(5)?, "enrolment status")?,
    };
    Ok((enrolment, row.try_get(6)?))
}
