//! What people do about operations that failed: send them again, or say why nobody needs them.

use sqlx::Row as _;

use super::Key;
use crate::id::{ConnectionId, HeldId, ResourceId, TenantId};
use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};

impl Store {
    /// Sends what of a failed operation did not arrive, refused or not; whether there was such an operation.
    ///
    /// # Errors
    /// The database failed.
    pub async fn redrive(&self, tenant: &TenantId, number: i64) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "UPDATE operation SET state = 'pending', attempts = 0, refused = 0, finished_us = NULL, error = NULL \
             WHERE tenant = $1 AND number = $2 AND state = 'failed' AND discarded IS NULL RETURNING export, patient",
        )
        .bind(tenant.as_str())
        .bind(number)
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(false) };
        sqlx::query("UPDATE operation_item SET refused = 0, entry = NULL WHERE operation = $1")
            .bind(number)
            .execute(&mut *tx)
            .await?;
        let (export, patient): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        super::lane::wake(&mut tx, tenant, &export, &patient, self.clock.now().0).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Sends what was refused once more, and the rest of its operations with it; whether anything was.
    ///
    /// # Errors
    /// The database failed.
    pub async fn redrive_held(&self, tenant: &TenantId, held: &HeldId) -> Result<bool, StoreError> {
        let rows = sqlx::query(
            "SELECT DISTINCT o.number FROM operation_item i JOIN operation o ON o.number = i.operation \
             WHERE i.held = $2 AND o.tenant = $1 AND o.state = 'failed' AND o.discarded IS NULL",
        )
        .bind(tenant.as_str())
        .bind(held.as_str())
        .fetch_all(&self.readers)
        .await?;
        let mut any = false;
        for row in rows {
            any |= self.redrive(tenant, row.try_get(0)?).await?;
        }
        Ok(any)
    }

    /// Says why nobody needs a failed operation; whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn discard(&self, tenant: &TenantId, number: i64, reason: &str) -> Result<bool, StoreError> {
        let discarded = sqlx::query(
            "UPDATE operation SET discarded = $3 \
             WHERE tenant = $1 AND number = $2 AND state = 'failed' AND discarded IS NULL",
        )
        .bind(tenant.as_str())
        .bind(number)
        .bind(reason)
        .execute(&self.writer)
        .await?;
        Ok(discarded.rows_affected() == 1)
    }

    /// Makes an operation that mends what a receiver lost or changed, and forgets that it has it; its number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn make_repair(
        &self,
        (tenant, export, patient): (&TenantId, &ConnectionId, &ResourceId),
        destination: &str,
        (missing, differing): (&[Key], &[Key]),
    ) -> Result<i64, StoreError> {
        let now = self.clock.now().0;
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "INSERT INTO operation (tenant, export, patient, episode, name, occurrence, state, attempts, created_us, sent, \
             refused) VALUES ($1, $2, $3, 'repair', 'repair', $4, 'pending', 0, $5, 0, 0) RETURNING number",
        )
        .bind(tenant.as_str())
        .bind(export.as_str())
        .bind(patient.as_str())
        .bind(now.to_string())
        .bind(now)
        .fetch_one(&mut *tx)
        .await?;
        let number: i64 = row.try_get(0)?;
        let items: Vec<&Key> = missing.iter().chain(differing).collect();
        for (ordinal, (kind, id)) in items.iter().enumerate() {
            let mut sql = Sql::new("INSERT INTO operation_item (operation, refused, ordinal, kind, id) VALUES (");
            let row = [number, 0, ordinal.cast_signed() as i64].map(Value::Int).into_iter();
            sql.bind_list(row.chain([Value::from(kind.as_str()), Value::from(id.as_str())])).push(")");
            sql.query().execute(&mut *tx).await?;
        }
        for key in missing {
            of(Sql::new("DELETE FROM delivered"), tenant, destination, key).query().execute(&mut *tx).await?;
        }
        for key in differing {
            // What is there is written over, by the id it has there.
            let mut sql = Sql::new("UPDATE delivered SET digest = ");
            sql.bind(vec![0; 32]);
            of(sql, tenant, destination, key).query().execute(&mut *tx).await?;
        }
        super::lane::wake(&mut tx, tenant, export.as_str(), patient.as_str(), now).await?;
        tx.commit().await?;
        Ok(number)
    }
}

fn of(mut sql: Sql, tenant: &TenantId, destination: &str, (kind, id): &Key) -> Sql {
    sql.push(" WHERE tenant = ").bind(tenant.as_str()).push(" AND destination = ").bind(destination);
    sql.push(" AND kind = ").bind(kind.as_str()).push(" AND id = ").bind(id.as_str());
    sql
}
