//! The ways a tenant's alerts are sent, beside the log.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Severity;
use crate::id::{ChannelId, TenantId};
use crate::secret::Secret;
use crate::store::program::{from_word, id, word};
use crate::store::sql::Sql;
use crate::store::{Page, Store, StoreError, Written};

/// What kind of way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// A POST to a URL.
    Webhook,
    /// A mail to an address.
    Email,
}

/// A way alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its id, the tenant's choice.
    pub id: ChannelId,
    /// What kind.
    pub kind: ChannelKind,
    /// An e-mail address, or the origin of a webhook's URL.
    pub address: String,
    /// Alerts below this are not sent.
    pub least: Severity,
    /// Whether a webhook's messages are signed.
    pub is_signed: bool,
    /// Of a webhook its URL, and what its messages are signed with.
    pub sealed: Option<Vec<u8>>,
}

/// A webhook of before there was a vault.
#[derive(Debug, Clone)]
pub struct Unsealed {
    /// Tenant.
    pub tenant: TenantId,
    /// The channel; its address is the whole URL.
    pub channel: Channel,
    /// What its messages are signed with.
    pub secret: Option<Secret>,
}

const COLUMNS: &str = "SELECT id, kind, address, least, is_signed, sealed FROM alert_channel WHERE tenant = ";

impl Store {
    /// Makes a way or changes one. What is on its way already goes to where it is now.
    ///
    /// # Errors
    /// The database failed.
    pub async fn put_channel(&self, tenant: &TenantId, channel: &Channel) -> Result<Written, StoreError> {
        let mut tx = self.begin().await?;
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id = ").bind(channel.id.as_str());
        let before = sql.query().fetch_optional(&mut *tx).await?.as_ref().map(from_row).transpose()?;
        if before.as_ref() == Some(channel) {
            return Ok(Written::Unchanged);
        }
        sqlx::query(
            "INSERT INTO alert_channel (tenant, id, kind, address, least, is_signed, sealed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) \
             ON CONFLICT (tenant, id) DO UPDATE SET kind = excluded.kind, address = excluded.address, \
             least = excluded.least, secret = NULL, is_signed = excluded.is_signed, sealed = excluded.sealed",
        )
        .bind(tenant.as_str())
        .bind(channel.id.as_str())
        .bind(word(&channel.kind)?)
        .bind(channel.address.as_str())
        .bind(channel.least as i64)
        .bind(i64::from(channel.is_signed))
        .bind(channel.sealed.as_deref())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(if before.is_some() { Written::Updated } else { Written::Created })
    }

    /// A way.
    ///
    /// # Errors
    /// The database failed.
    pub async fn channel(&self, tenant: &TenantId, channel: &ChannelId) -> Result<Option<Channel>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id = ").bind(channel.as_str());
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// Ways by their ids.
    ///
    /// # Errors
    /// The database failed.
    pub async fn channels(&self, tenant: &TenantId, page: Page<'_>) -> Result<Vec<Channel>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id > ").bind(page.after).push(" ORDER BY id").limit(page.count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// Webhooks that are not sealed yet.
    ///
    /// # Errors
    /// The database failed.
    pub async fn unsealed_channels(&self) -> Result<Vec<Unsealed>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, address, least, is_signed, sealed, tenant, secret FROM alert_channel \
             WHERE kind = 'webhook' AND sealed IS NULL ORDER BY tenant, id",
        )
        .fetch_all(&self.readers)
        .await?;
        let unsealed = |row: &AnyRow| {
            let secret = row.try_get::<Option<String>, _>(7)?.map(Secret::new);
            Ok(Unsealed { tenant: id(row.try_get(6)?, "tenant")?, channel: from_row(row)?, secret })
        };
        rows.iter().map(unsealed).collect()
    }

    /// Takes a way away, with what was to be sent by it; whether there was one.
    ///
    /// # Errors
    /// The database failed.
    pub async fn delete_channel(&self, tenant: &TenantId, channel: &ChannelId) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let deleted = sqlx::query("DELETE FROM alert_channel WHERE tenant = $1 AND id = $2")
            .bind(tenant.as_str())
            .bind(channel.as_str())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM alert_dispatch WHERE tenant = $1 AND channel = $2 AND state = 'pending'")
            .bind(tenant.as_str())
            .bind(channel.as_str())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(deleted.rows_affected() > 0)
    }
}

fn from_row(row: &AnyRow) -> Result<Channel, StoreError> {
    Ok(Channel {
        id: id(row.try_get(0)?, "alert channel")?,
        kind: from_word(row.try_get(1)?, "kind of alert channel")?,
        address: row.try_get(2)?,
        least: Severity::of(row.try_get(3)?)?,
        is_signed: row.try_get::<i64, _>(4)? == 1,
        sealed: row.try_get(5)?,
    })
}
