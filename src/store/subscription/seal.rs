//! What of subscriptions nobody but their endpoints is to know, from before it was sealed.

use serde::Deserialize;
use sqlx::Row as _;

use super::Definition;
use crate::fhir::content::Object;
use crate::fhir::stored;
use crate::id::{ResourceId, TenantId};
use crate::secret::Secret;
use crate::store::program::id;
use crate::store::sql::{Row, Sql};
use crate::store::table::Table;
use crate::store::{Store, StoreError};

const KIND: &str = "Subscription";

/// A subscription of before its secrets were sealed.
#[derive(Debug, Clone)]
pub struct UnsealedSubscription {
    /// Tenant.
    pub tenant: TenantId,
    /// Logical id.
    pub id: ResourceId,
    /// What notifications are signed with.
    pub secret: Option<Secret>,
    /// Names and values of their headers.
    pub headers: Vec<(String, Secret)>,
    definition: Definition,
}

/// What a definition was then.
#[derive(Deserialize)]
struct Before {
    channel: Headers,
}

#[derive(Deserialize)]
struct Headers {
    #[serde(default)]
    headers: Vec<(String, Secret)>,
}

impl Store {
    /// Subscriptions that are not sealed yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unsealed_subscriptions(&self) -> Result<Vec<UnsealedSubscription>, StoreError> {
        let sql = "SELECT tenant, id, definition, secret FROM subscription WHERE is_sealed = 0 AND status <> 'gone'";
        let rows = sqlx::query(sql).fetch_all(&self.readers).await?;
        let unsealed = |row: &Row| {
            let definition: String = row.try_get(2)?;
            let damaged = |_| StoreError::Damaged { what: "subscription" };
            Ok(UnsealedSubscription {
                tenant: id(row.try_get(0)?, "tenant")?,
                id: id(row.try_get(1)?, "subscription")?,
                secret: row.try_get::<Option<String>, _>(3)?.map(Secret::new),
                headers: serde_json::from_str::<Before>(&definition).map_err(damaged)?.channel.headers,
                definition: serde_json::from_str(&definition).map_err(damaged)?,
            })
        };
        rows.iter().map(unsealed).collect()
    }

    /// Keeps what is sealed in the place of what was not, unless the subscription was written meanwhile.
    ///
    /// # Errors
    /// The database failed.
    pub async fn seal_subscription(
        &self,
        unsealed: &UnsealedSubscription,
        sealed: Option<&str>,
    ) -> Result<(), StoreError> {
        let definition =
            serde_json::to_string(&unsealed.definition).map_err(|_| StoreError::Damaged { what: "subscription" })?;
        let mut tx = self.begin_erasing().await?;
        sqlx::query(
            "UPDATE subscription SET definition = $3, sealed = $4, is_sealed = 1, secret = NULL \
             WHERE tenant = $1 AND id = $2 AND is_sealed = 0",
        )
        .bind(unsealed.tenant.as_str())
        .bind(unsealed.id.as_str())
        .bind(definition)
        .bind(sealed)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Masks secrets in every version of every Subscription, as they were stored before that was done when they are written;
    /// once for a database. Versions keep their numbers and times.
    ///
    /// # Errors
    /// The database failed; nothing is masked then.
    pub async fn mask_subscriptions(&self, mask: impl Fn(&mut Object)) -> Result<(), StoreError> {
        const MASKED: &str = "SELECT is_masked FROM subscription_revision";
        if sqlx::query(MASKED).fetch_one(&self.readers).await?.try_get::<i64, _>(0)? == 1 {
            return Ok(());
        }
        let table = Table::of(KIND);
        let (mut tx, mut count) = (self.begin_erasing().await?, 0);
        // Of two processes that start, one does it.
        sqlx::query("UPDATE subscription_revision SET is_masked = 1").execute(&mut *tx).await?;
        for name in [table.name, "resource_history"] {
            let mut sql = Sql::new("SELECT tenant, id, version, tail FROM ");
            sql.push(name).push(" WHERE kind = ").bind(KIND);
            let rows: Vec<Row> = sql.query().fetch_all(&mut *tx).await?;
            self.bodies.learn(&rows, 3, &mut *tx).await?;
            for row in rows {
                let (tenant, id, version): (String, String, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
                let tail = self.bodies.decode(row.try_get(3)?)?;
                let Some(masked) = masked(&id, &tail, &mask)? else { continue };
                let mut sql = Sql::new("UPDATE ");
                sql.push(name).push(" SET tail = ").bind(self.bodies.encode(table.name, &masked));
                sql.push(" WHERE tenant = ").bind(tenant.as_str()).push(" AND kind = ").bind(KIND);
                sql.push(" AND id = ").bind(id.as_str()).push(" AND version = ").bind(version);
                sql.query().execute(&mut *tx).await?;
                count += 1;
            }
        }
        tx.commit().await?;
        if count > 0 {
            tracing::info!(versions = count, "secrets of subscriptions masked");
            self.erase_deleted().await?;
        }
        Ok(())
    }
}

/// The tail of a version with its secrets masked; nothing where it shows none.
fn masked(id: &str, tail: &[u8], mask: impl Fn(&mut Object)) -> Result<Option<Vec<u8>>, StoreError> {
    if tail.is_empty() {
        return Ok(None);
    }
    let whole = stored::without_version(KIND, id, tail);
    let mut resource: Object = serde_json::from_slice(&whole).map_err(|_| StoreError::Damaged { what: "resource" })?;
    mask(&mut resource);
    Ok(Some(stored::tail_of(&resource)).filter(|masked| masked != tail))
}
