//! What the streams of a device say about the device itself.

use sqlx::{Any, Row as _, Transaction};

use super::StoreError;
use super::dialect::Dialect;
use crate::id::{DeviceKey, StreamName, TenantId};

/// What one stream says about its device now.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Device.
    pub device: DeviceKey,
    /// Stream.
    pub stream: StreamName,
    /// Serialized content.
    pub body: Vec<u8>,
}

/// Stores a statement in place of the stream's earlier one; gives those of all streams of the device, in a fixed order.
pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    dialect: Dialect,
    tenant: &TenantId,
    statement: &Statement,
) -> Result<Vec<Vec<u8>>, StoreError> {
    if let Some(lock) = dialect.meeting() {
        sqlx::query(lock).bind(format!("{tenant}/{}", statement.device)).execute(&mut **tx).await?;
    }
    sqlx::query(
        "INSERT INTO device_statement (tenant, device, stream, body) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, device, stream) DO UPDATE SET body = excluded.body",
    )
    .bind(tenant.as_str())
    .bind(statement.device.as_str())
    .bind(statement.stream.as_str())
    .bind(statement.body.as_slice())
    .execute(&mut **tx)
    .await?;
    let rows = sqlx::query("SELECT body FROM device_statement WHERE tenant = $1 AND device = $2 ORDER BY stream")
        .bind(tenant.as_str())
        .bind(statement.device.as_str())
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
