//! The log of events.

use sqlx::Row as _;

use crate::id::{ResourceId, TenantId};
use crate::store::sql::Sql;
use crate::store::{Store, StoreError};
use crate::time::{Instant, MICROS};

/// How long events are kept; a subscription that has been in error for so long is turned off.
pub const EVENTS_KEPT_US: i64 = 7 * 86_400 * MICROS;

/// An event of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionEvent {
    /// From 1, without a gap.
    pub number: i64,
    /// Resource type.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// The version that was written.
    pub version: i64,
    /// When it was numbered.
    pub at: Instant,
}

impl Store {
    /// Events of a subscription from one number to another, both included, in order.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscription_events(
        &self,
        tenant: &TenantId,
        subscription: &ResourceId,
        (from, to): (i64, i64),
        count: i64,
    ) -> Result<Vec<SubscriptionEvent>, StoreError> {
        let mut sql = Sql::new("SELECT number, kind, id, version, at_us FROM subscription_event WHERE tenant = ");
        sql.bind(tenant.as_str()).push(" AND subscription = ").bind(subscription.as_str());
        sql.push(" AND number >= ").bind(from).push(" AND number <= ").bind(to);
        sql.push(" ORDER BY number").limit(count);
        let rows = sql.query().fetch_all(&self.readers).await?;
        let event = |row: &sqlx::any::AnyRow| {
            Ok(SubscriptionEvent {
                number: row.try_get(0)?,
                kind: row.try_get(1)?,
                id: row.try_get(2)?,
                version: row.try_get(3)?,
                at: Instant(row.try_get(4)?),
            })
        };
        rows.iter().map(event).collect()
    }

    /// Forgets what is older than a moment: events, and which subscriptions are gone.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_events(&self, before: Instant) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM subscription_event WHERE at_us < $1",
            "DELETE FROM subscription WHERE status = 'gone' AND contact_us < $1",
        ] {
            sqlx::query(sql).bind(before.0).execute(&self.writer).await?;
        }
        Ok(())
    }
}
