//! Devices a tenant knows, and their models.

use sqlx::{Any, Row as _, Transaction};

use super::association::note_change;
use super::{Store, StoreError};
use crate::id::{DeviceKey, TenantId};
use crate::time::Instant;

impl Store {
    /// Makes a device known, or changes its model (a row in `registry/device`). Returns whether it was known. How packets
    /// are read depends on the model, so a change of it is one about all of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn know_device(
        &self,
        tenant: &TenantId,
        device: &DeviceKey,
        model: Option<&str>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin_numbering().await?;
        let before = known(&mut tx, tenant, device).await?;
        if before.as_ref().is_some_and(|before| before.as_deref() == model) {
            return Ok(true);
        }
        sqlx::query(
            "INSERT INTO device_link (tenant, device, model) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant, device) DO UPDATE SET model = excluded.model",
        )
        .bind(tenant.as_str())
        .bind(device.as_str())
        .bind(model)
        .execute(&mut *tx)
        .await?;
        if before.is_some() {
            note_change(&mut tx, tenant, device, Some(Instant::MIN)).await?;
        }
        tx.commit().await?;
        Ok(before.is_some())
    }

    /// The model of a device: none where the device is unknown, nothing inside where its model is.
    ///
    /// # Errors
    /// The database failed.
    pub async fn known_device(
        &self,
        tenant: &TenantId,
        device: &DeviceKey,
    ) -> Result<Option<Option<String>>, StoreError> {
        let mut tx = self.readers.begin().await?;
        known(&mut tx, tenant, device).await
    }
}

/// The model of a device as [`Store::known_device`] tells it.
pub(super) async fn known(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    device: &DeviceKey,
) -> Result<Option<Option<String>>, StoreError> {
    let row = sqlx::query("SELECT model FROM device_link WHERE tenant = $1 AND device = $2")
        .bind(tenant.as_str())
        .bind(device.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

/// Makes a device known whose model is not, unless it is known.
pub(super) async fn mention(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    device: &DeviceKey,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO device_link (tenant, device) VALUES ($1, $2) ON CONFLICT (tenant, device) DO NOTHING")
        .bind(tenant.as_str())
        .bind(device.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
