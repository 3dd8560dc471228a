//! Wrapped data keys, and which master key they are wrapped by.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Act, tenant};
use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// A data key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveKey {
    /// Its id.
    pub id: String,
    /// Whose blocks it seals.
    pub tenant: TenantId,
    /// Of packets that came in this month, `2026-01`.
    pub period: String,
    /// Which of the month, from 1 on.
    pub generation: i64,
    /// Id of the master key.
    pub master: String,
    /// The wrapped key; `None` once destroyed.
    pub wrapped: Option<Vec<u8>>,
    /// When it was destroyed.
    pub destroyed: Option<Instant>,
    /// Whether the copy in the archive is as this.
    pub copied: bool,
}

const COLUMNS: &str = "SELECT id, tenant, period, generation, master, wrapped, destroyed_us, copied FROM archive_key";

impl Store {
    /// Every data key there ever was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_keys(&self) -> Result<Vec<ArchiveKey>, StoreError> {
        let sql = format!("{COLUMNS} ORDER BY tenant, period, generation");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.readers).await?.iter().map(key).collect()
    }

    /// Those whose copies in the archive are not as they should be.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_keys_to_copy(&self) -> Result<Vec<ArchiveKey>, StoreError> {
        let sql = format!("{COLUMNS} WHERE copied = 0 ORDER BY tenant, period, generation");
        sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.readers).await?.iter().map(key).collect()
    }

    /// A data key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_key(&self, id: &str) -> Result<Option<ArchiveKey>, StoreError> {
        let sql = format!("{COLUMNS} WHERE id = $1");
        let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&self.readers).await?;
        row.as_ref().map(key).transpose()
    }

    /// The newest data key of a tenant and month.
    ///
    /// # Errors
    /// The database failed.
    pub async fn newest_archive_key(&self, tenant: &TenantId, period: &str) -> Result<Option<ArchiveKey>, StoreError> {
        let sql = format!("{COLUMNS} WHERE tenant = $1 AND period = $2 ORDER BY generation DESC LIMIT 1");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(period);
        query.fetch_optional(&self.readers).await?.as_ref().map(key).transpose()
    }

    /// Keeps a new data key; whether its generation was free.
    ///
    /// # Errors
    /// The database failed, or the master key that wrapped it is not the current one.
    pub async fn insert_archive_key(&self, key: &ArchiveKey) -> Result<bool, StoreError> {
        let inserted = sqlx::query(
            "INSERT INTO archive_key (id, tenant, period, generation, master, wrapped, created_us, copied) \
             SELECT $1, $2, $3, $4, id, $6, $7, 0 FROM archive_master WHERE id = $5 AND retired_us IS NULL \
             ON CONFLICT (tenant, period, generation) DO NOTHING",
        )
        .bind(key.id.as_str())
        .bind(key.tenant.as_str())
        .bind(key.period.as_str())
        .bind(key.generation)
        .bind(key.master.as_str())
        .bind(key.wrapped.as_deref())
        .bind(self.clock.now().0)
        .execute(&self.writer)
        .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// The copy of a key in the archive is now as this says: of these bytes, or gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_key_copied(&self, key: &ArchiveKey) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE archive_key SET copied = 1 WHERE id = $1 AND (wrapped = $2 OR (wrapped IS NULL AND $2 IS NULL))",
        )
        .bind(key.id.as_str())
        .bind(key.wrapped.as_deref())
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// The id of the current master key.
    ///
    /// # Errors
    /// The database failed.
    pub async fn archive_master(&self) -> Result<Option<String>, StoreError> {
        let row =
            sqlx::query("SELECT id FROM archive_master WHERE retired_us IS NULL").fetch_optional(&self.readers).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Makes a master key the current one of an archive that has none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn adopt_archive_master(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO archive_master (id, since_us) SELECT $1, $2 \
             WHERE NOT EXISTS (SELECT 1 FROM archive_master WHERE retired_us IS NULL)",
        )
        .bind(id)
        .bind(self.clock.now().0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Puts every data key, wrapped anew, in place of what it was, all or none; the old master key is retired.
    ///
    /// # Errors
    /// The database failed.
    pub async fn rewrap_archive_keys(&self, master: &str, keys: &[ArchiveKey], act: Act<'_>) -> Result<(), StoreError> {
        let now = self.clock.now().0;
        let mut tx = self.begin_numbering().await?;
        sqlx::query("UPDATE archive_master SET retired_us = $1 WHERE retired_us IS NULL")
            .bind(now)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO archive_master (id, since_us) VALUES ($1, $2) \
             ON CONFLICT (id) DO UPDATE SET since_us = excluded.since_us, retired_us = NULL",
        )
        .bind(master)
        .bind(now)
        .execute(&mut *tx)
        .await?;
        for key in keys {
            sqlx::query(
                "UPDATE archive_key SET master = $1, wrapped = $2, copied = 0 WHERE id = $3 AND wrapped IS NOT NULL",
            )
            .bind(master)
            .bind(key.wrapped.as_deref())
            .bind(key.id.as_str())
            .execute(&mut *tx)
            .await?;
        }
        let missed = sqlx::query("SELECT COUNT(*) FROM archive_key WHERE master <> $1 AND wrapped IS NOT NULL")
            .bind(master)
            .fetch_one(&mut *tx)
            .await?;
        if missed.try_get::<i64, _>(0)? > 0 {
            return Err(StoreError::Damaged { what: "set of data keys: one was made meanwhile, do it again, it" });
        }
        self.record(&mut tx, act).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn key(row: &AnyRow) -> Result<ArchiveKey, StoreError> {
    Ok(ArchiveKey {
        id: row.try_get(0)?,
        tenant: tenant(row, 1)?,
        period: row.try_get(2)?,
        generation: row.try_get(3)?,
        master: row.try_get(4)?,
        wrapped: row.try_get(5)?,
        destroyed: row.try_get::<Option<i64>, _>(6)?.map(Instant),
        copied: row.try_get::<i64, _>(7)? == 1,
    })
}
