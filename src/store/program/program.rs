//! Programs.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Page, Refusal, Written, id};
use crate::id::{ProgramId, TenantId};
use crate::program::Program;
use crate::store::{Store, StoreError};

impl Store {
    /// Puts a program; gives its revision. One that is there changes only for who knows its revision.
    ///
    /// # Errors
    /// [`Refusal::Unconditional`], [`Refusal::Stale`], or the database failed.
    pub async fn put_program(
        &self,
        tenant: &TenantId,
        program: &Program,
        known: Option<i64>,
    ) -> Result<(Written, i64), StoreError> {
        let mut tx = self.begin().await?;
        let inserted = sqlx::query(
            "INSERT INTO program (tenant, id, revision, title, description) VALUES ($1, $2, 1, $3, $4) \
             ON CONFLICT (tenant, id) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(program.id.as_str())
        .bind(program.title.as_str())
        .bind(program.description.as_deref())
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() == 1 {
            tx.commit().await?;
            return Ok((Written::Created, 1));
        }
        let row = sqlx::query("SELECT id, title, description, revision FROM program WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(program.id.as_str())
            .fetch_one(&mut *tx)
            .await?;
        let (current, revision) = from_row(&row)?;
        if current == *program {
            return Ok((Written::Unchanged, revision));
        }
        let changed = sqlx::query(
            "UPDATE program SET title = $3, description = $4, revision = revision + 1 \
             WHERE tenant = $1 AND id = $2 AND revision = $5",
        )
        .bind(tenant.as_str())
        .bind(program.id.as_str())
        .bind(program.title.as_str())
        .bind(program.description.as_deref())
        .bind(known.ok_or(Refusal::Unconditional)?)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Refusal::Stale { revision }.into());
        }
        tx.commit().await?;
        Ok((Written::Updated, revision + 1))
    }

    /// A program and its revision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn program(&self, tenant: &TenantId, id: &ProgramId) -> Result<Option<(Program, i64)>, StoreError> {
        let row = sqlx::query("SELECT id, title, description, revision FROM program WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(id.as_str())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// Programs by id.
    ///
    /// # Errors
    /// The database failed.
    pub async fn programs(&self, tenant: &TenantId, page: Page<'_>) -> Result<Vec<Program>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, title, description, revision FROM program WHERE tenant = $1 AND id > $2 ORDER BY id LIMIT $3 + 0",
        )
        .bind(tenant.as_str())
        .bind(page.after)
        .bind(page.count)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(|row| Ok(from_row(row)?.0)).collect()
    }
}

/// From `id, title, description, revision`.
fn from_row(row: &AnyRow) -> Result<(Program, i64), StoreError> {
    let program =
        Program { id: id(row.try_get(0)?, "program id")?, title: row.try_get(1)?, description: row.try_get(2)? };
    Ok((program, row.try_get(3)?))
}
