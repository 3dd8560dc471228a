//! Subscriptions as they are kept beside their resources.

use serde::{Deserialize, Serialize};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::Definition;
use crate::id::{ResourceId, TenantId};
use crate::store::program::{from_word, id};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// `Subscription.status`. <https://hl7.org/fhir/R4/valueset-subscription-status.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SubscriptionStatus {
    /// The client wants it, the server has not tried it yet.
    Requested,
    /// Events are sent.
    Active,
    /// Events are numbered and not sent, until the client asks anew.
    Error,
    /// Nothing is done.
    Off,
}

impl SubscriptionStatus {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Active => "active",
            Self::Error => "error",
            Self::Off => "off",
        }
    }

    /// Every one.
    pub const ALL: [Self; 4] = [Self::Requested, Self::Active, Self::Error, Self::Off];

    /// That of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.code() == code)
    }
}

/// A subscription as a client defines it.
#[derive(Debug, Clone)]
pub struct NewSubscription {
    /// Logical id.
    pub id: ResourceId,
    /// Resource type it is about.
    pub focus: String,
    /// Requested or off.
    pub status: SubscriptionStatus,
    /// What it asks for.
    pub definition: Definition,
    /// By what right, serialized.
    pub standing: String,
    /// What notifications are signed with and the values of their headers, sealed.
    pub sealed: Option<String>,
    /// Who writes it, for the audit.
    pub by: String,
    /// What the audit says of it, which names no person.
    pub summary: String,
}

/// A subscription.
#[derive(Debug, Clone)]
pub struct SubscriptionRecord {
    /// Tenant.
    pub tenant: TenantId,
    /// Logical id.
    pub id: ResourceId,
    /// Resource type it is about.
    pub focus: String,
    /// How it is.
    pub status: SubscriptionStatus,
    /// What it asks for.
    pub definition: Definition,
    /// By what right, serialized.
    pub standing: String,
    /// What notifications are signed with and the values of their headers, sealed.
    pub sealed: Option<String>,
    /// Number of the last event.
    pub events: i64,
    /// Number of the last one that arrived.
    pub sent: i64,
    /// Attempts in a row that failed.
    pub attempts: i64,
    /// What was wrong with the last of them.
    pub problem: Option<String>,
    /// When something arrived last, or the status changed.
    pub contact: Instant,
}

/// What the matcher knows of a subscription.
#[derive(Debug, Clone)]
pub struct WatchedSubscription {
    /// Tenant.
    pub tenant: TenantId,
    /// Logical id.
    pub id: ResourceId,
    /// Resource type it is about.
    pub focus: String,
    /// Whether events are numbered.
    pub counts: bool,
    /// What it asks for; nothing where it is gone.
    pub definition: Option<Definition>,
    /// By what right, serialized.
    pub standing: String,
}

/// What a token binds a websocket to.
#[derive(Debug, Clone)]
pub struct Binding {
    /// Tenant.
    pub tenant: TenantId,
    /// Logical ids of subscriptions.
    pub subscriptions: Vec<ResourceId>,
}

const COLUMNS: &str = "SELECT tenant, id, focus, status, definition, standing, sealed, events, sent, attempts, problem, \
    contact_us FROM subscription WHERE status <> 'gone' AND tenant = ";

impl Store {
    /// A subscription.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscription(
        &self,
        tenant: &TenantId,
        subscription: &ResourceId,
    ) -> Result<Option<SubscriptionRecord>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id = ").bind(subscription.as_str());
        sql.query().fetch_optional(&self.readers).await?.as_ref().map(from_row).transpose()
    }

    /// Subscriptions of a tenant by their ids, after one of them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscriptions(
        &self,
        tenant: &TenantId,
        after: &str,
        count: i64,
    ) -> Result<Vec<SubscriptionRecord>, StoreError> {
        let mut sql = Sql::new(COLUMNS);
        sql.bind(tenant.as_str()).push(" AND id > ").bind(after).push(" ORDER BY id").limit(count);
        sql.query().fetch_all(&self.readers).await?.iter().map(from_row).collect()
    }

    /// The subscriptions that were defined, stopped or deleted after a revision, and the last revision.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscriptions_since(&self, revision: i64) -> Result<(Vec<WatchedSubscription>, i64), StoreError> {
        let now =
            sqlx::query("SELECT revision FROM subscription_revision").fetch_one(&self.readers).await?.try_get(0)?;
        if now == revision {
            return Ok((Vec::new(), now));
        }
        let mut sql = Sql::new("SELECT tenant, id, focus, counts, definition, standing FROM subscription ");
        sql.push("WHERE revision > ").bind(revision).push(" ORDER BY revision");
        let rows = sql.query().fetch_all(&self.readers).await?;
        let watched = rows.iter().map(|row| {
            let definition: String = row.try_get(4)?;
            Ok(WatchedSubscription {
                tenant: id(row.try_get(0)?, "tenant")?,
                id: id(row.try_get(1)?, "subscription")?,
                focus: row.try_get(2)?,
                counts: row.try_get::<i64, _>(3)? != 0,
                definition: serde_json::from_str(&definition).ok(),
                standing: row.try_get(5)?,
            })
        });
        // Some may be of later revisions: they come again, and are the same then.
        Ok((watched.collect::<Result<_, StoreError>>()?, now))
    }

    /// Keeps a token for websockets; those that are too old are forgotten.
    ///
    /// # Errors
    /// The database failed.
    pub async fn insert_binding(
        &self,
        token: &[u8; 32],
        binding: &Binding,
        expires: Instant,
    ) -> Result<(), StoreError> {
        let ids = serde_json::to_string(&binding.subscriptions).unwrap_or_default();
        sqlx::query("DELETE FROM subscription_binding WHERE expires_us < $1")
            .bind(self.clock.now().0)
            .execute(&self.writer)
            .await?;
        sqlx::query(
            "INSERT INTO subscription_binding (sha256, tenant, subscriptions, expires_us) VALUES ($1, $2, $3, $4)",
        )
        .bind(token.as_slice())
        .bind(binding.tenant.as_str())
        .bind(ids)
        .bind(expires.0)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// What a token binds to, unless it is too old.
    ///
    /// # Errors
    /// The database failed.
    pub async fn binding(&self, token: &[u8; 32]) -> Result<Option<Binding>, StoreError> {
        let sql = "SELECT tenant, subscriptions FROM subscription_binding WHERE sha256 = $1 AND expires_us > $2";
        let query = sqlx::query(sql).bind(token.as_slice()).bind(self.clock.now().0);
        let Some(row) = query.fetch_optional(&self.readers).await? else { return Ok(None) };
        let damaged = |_| StoreError::Damaged { what: "subscription binding" };
        let ids: String = row.try_get(1)?;
        let subscriptions = serde_json::from_str(&ids).map_err(damaged)?;
        Ok(Some(Binding { tenant: id(row.try_get(0)?, "tenant")?, subscriptions }))
    }
}

fn from_row(row: &AnyRow) -> Result<SubscriptionRecord, StoreError> {
    let definition: String = row.try_get(4)?;
    let damaged = |_| StoreError::Damaged { what: "subscription" };
    Ok(SubscriptionRecord {
        tenant: id(row.try_get(0)?, "tenant")?,
        id: id(row.try_get(1)?, "subscription")?,
        focus: row.try_get(2)?,
        status: from_word(row.try_get(3)?, "status of a subscription")?,
        definition: serde_json::from_str(&definition).map_err(damaged)?,
        standing: row.try_get(5)?,
        sealed: row.try_get(6)?,
        events: row.try_get(7)?,
        sent: row.try_get(8)?,
        attempts: row.try_get(9)?,
        problem: row.try_get(10)?,
        contact: Instant(row.try_get(11)?),
    })
}
