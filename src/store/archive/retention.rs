//! How long a tenant's packets are kept, and what must not be deleted.

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::{Act, tenant};
use crate::id::{DeviceKey, TenantId};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// How long a tenant's packets are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionRule {
    /// Whose.
    pub tenant: TenantId,
    /// Days after the end of the month they came in.
    pub days: i64,
}

/// What must not be deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalHold {
    /// Whose data.
    pub tenant: TenantId,
    /// Of which device; `None`: all.
    pub device: Option<DeviceKey>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Instant,
}

impl Store {
    /// Every rule.
    ///
    /// # Errors
    /// The database failed.
    pub async fn retention_rules(&self) -> Result<Vec<RetentionRule>, StoreError> {
        let rows =
            sqlx::query("SELECT tenant, days FROM retention_rule ORDER BY tenant").fetch_all(&self.readers).await?;
        rows.iter().map(|row| Ok(RetentionRule { tenant: tenant(row, 0)?, days: row.try_get(1)? })).collect()
    }

    /// Sets a tenant's rule; `None` takes it away.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_retention(&self, tenant: &TenantId, days: Option<i64>, act: Act<'_>) -> Result<(), StoreError> {
        let mut tx = self.begin_numbering().await?;
        sqlx::query("DELETE FROM retention_rule WHERE tenant = $1").bind(tenant.as_str()).execute(&mut *tx).await?;
        if let Some(days) = days {
            sqlx::query("INSERT INTO retention_rule (tenant, days) VALUES ($1, $2)")
                .bind(tenant.as_str())
                .bind(days)
                .execute(&mut *tx)
                .await?;
        }
        self.record(&mut tx, act).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every hold.
    ///
    /// # Errors
    /// The database failed.
    pub async fn legal_holds(&self) -> Result<Vec<LegalHold>, StoreError> {
        let rows = sqlx::query("SELECT tenant, device, reason, since_us FROM legal_hold ORDER BY tenant, device")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(hold).collect()
    }

    /// Puts a tenant or a device under hold, or takes the hold away (`reason` is `None`); whether that changed anything.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_legal_hold(
        &self,
        tenant: &TenantId,
        device: Option<&DeviceKey>,
        reason: Option<&str>,
        act: Act<'_>,
    ) -> Result<bool, StoreError> {
        let device = device.map_or("", DeviceKey::as_str);
        let mut tx = self.begin_numbering().await?;
        let query = match reason {
            Some(reason) => sqlx::query(
                "INSERT INTO legal_hold (tenant, device, reason, since_us) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            )
            .bind(tenant.as_str())
            .bind(device)
            .bind(reason)
            .bind(self.clock.now().0),
            None => sqlx::query("DELETE FROM legal_hold WHERE tenant = $1 AND device = $2")
                .bind(tenant.as_str())
                .bind(device),
        };
        let changed = query.execute(&mut *tx).await?.rows_affected() > 0;
        if changed {
            self.record(&mut tx, act).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }
}

pub(super) fn hold(row: &AnyRow) -> Result<LegalHold, StoreError> {
    let device = row.try_get::<String, _>(1)?;
    let device = (!device.is_empty()).then(|| DeviceKey::new(device)).transpose();
    Ok(LegalHold {
        tenant: tenant(row, 0)?,
        device: device.map_err(|_| StoreError::Damaged { what: "device" })?,
        reason: row.try_get(2)?,
        since: Instant(row.try_get(3)?),
    })
}
