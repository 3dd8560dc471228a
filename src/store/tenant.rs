//! Tenants, and whether they may hold real patients.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use super::{Store, StoreError};
use crate::id::TenantId;

/// What holds for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantFacts {
    /// It holds synthetic patients alone.
    pub synthetic: bool,
    /// A business associate agreement is in force for its data.
    pub baa: bool,
}

impl TenantFacts {
    /// From `synthetic, baa_us` at `column` and after it.
    pub(in crate::store) fn from_row(row: &AnyRow, column: usize) -> Result<Self, StoreError> {
        let baa = row.try_get::<Option<i64>, _>(column + 1)?;
        Ok(Self { synthetic: row.try_get::<i64, _>(column)? != 0, baa: baa.is_some() })
    }
}

impl Store {
    /// What holds for a tenant; nothing where there is no such tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Option<TenantFacts>, StoreError> {
        let sql = "SELECT synthetic, baa_us FROM tenant WHERE name = $1";
        let row = sqlx::query(sql).bind(tenant.as_str()).fetch_optional(&self.readers).await?;
        row.map(|row| TenantFacts::from_row(&row, 0)).transpose()
    }

    /// Records that a business associate agreement is in force for a tenant, or no longer is; whether there is such a tenant.
    ///
    /// # Errors
    /// The database failed.
    pub async fn set_baa(&self, tenant: &TenantId, in_force: bool) -> Result<bool, StoreError> {
        let sql = "UPDATE tenant SET baa_us = $1 WHERE name = $2";
        let query = sqlx::query(sql).bind(in_force.then_some(self.clock.now().0)).bind(tenant.as_str());
        Ok(query.execute(&self.writer).await?.rows_affected() > 0)
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
