//! Devices a tenant knows, and on whom they are.

use sqlx::Row;

use super::{Store, StoreError};
use crate::id::{DeviceKey, ResourceId, TenantId};

/// A known device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceLink {
    /// The device.
    pub device: DeviceKey,
    /// Row in `registry/device`.
    pub model: Option<String>,
    /// Logical id of the Patient it is on.
    pub patient: Option<ResourceId>,
}

impl Store {
    /// Makes a device known, or changes what is known about it.
    ///
    /// # Errors
    /// The database failed.
    pub async fn link_device(&self, tenant: &TenantId, link: &DeviceLink) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO device_link (tenant, device, model, patient) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, device) DO UPDATE SET model = excluded.model, patient = excluded.patient",
        )
        .bind(tenant.as_str())
        .bind(link.device.as_str())
        .bind(link.model.as_deref())
        .bind(link.patient.as_ref().map(ResourceId::as_str))
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// What is known about a device.
    ///
    /// # Errors
    /// The database failed.
    pub async fn device_link(&self, tenant: &TenantId, device: &DeviceKey) -> Result<Option<DeviceLink>, StoreError> {
        let row = sqlx::query("SELECT model, patient FROM device_link WHERE tenant = $1 AND device = $2")
            .bind(tenant.as_str())
            .bind(device.as_str())
            .fetch_optional(&self.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let patient = row.try_get::<Option<String>, _>(1)?.map(ResourceId::new).transpose();
        Ok(Some(DeviceLink {
            device: device.clone(),
            model: row.try_get(0)?,
            patient: patient.map_err(|_| StoreError::Damaged { what: "patient id" })?,
        }))
    }
}
