//! Tenants, and whether they may hold real patients.

use sqlx::{Any, Row as _, Transaction};

use super::{Store, StoreError};
use crate::id::TenantId;

impl Store {
    /// Whether a tenant holds synthetic patients alone; nothing where there is no such tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn is_synthetic(&self, tenant: &TenantId) -> Result<Option<bool>, StoreError> {
        let sql = "SELECT synthetic FROM tenant WHERE name = $1";
        let row = sqlx::query(sql).bind(tenant.as_str()).fetch_optional(&self.readers).await?;
        row.map(|row| Ok(row.try_get::<i64, _>(0)? != 0)).transpose()
    }

    /// Makes a tenant where there is none.
    ///
    /// # Errors
    /// There is one of the other kind, or the database failed.
    pub(in crate::store) async fn make_tenant(
        &self,
        tx: &mut Transaction<'_, Any>,
        tenant: &TenantId,
        synthetic: bool,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO tenant (name, synthetic, created_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING";
        let made = sqlx::query(sql).bind(tenant.as_str()).bind(i64::from(synthetic)).bind(self.clock.now().0);
        made.execute(&mut **tx).await?;
        let sql = "SELECT synthetic FROM tenant WHERE name = $1";
        let is: i64 = sqlx::query(sql).bind(tenant.as_str()).fetch_one(&mut **tx).await?.try_get(0)?;
        if (is != 0) == synthetic { Ok(()) } else { Err(StoreError::OtherKindOfTenant { synthetic: is != 0 }) }
    }
}
