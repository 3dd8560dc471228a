//! How subscriptions fare, in numbers.

use sqlx::Row as _;

use super::SubscriptionStatus;
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Subscriptions of all tenants in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubscriptionCounts {
    /// How many have each status.
    pub by_status: Vec<(SubscriptionStatus, i64)>,
    /// Changes that are not matched yet.
    pub changes: i64,
    /// Events of active ones that are to be sent and have not arrived.
    pub events: i64,
    /// When the oldest of those was numbered.
    pub oldest: Option<Instant>,
}

impl Store {
    /// How subscriptions fare.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscription_counts(&self) -> Result<SubscriptionCounts, StoreError> {
        let changes = sqlx::query("SELECT COUNT(*) FROM resource_change").fetch_one(&self.readers).await?.try_get(0)?;
        let mut counts = SubscriptionCounts { changes, ..SubscriptionCounts::default() };
        let rows = sqlx::query(
            "SELECT status, COUNT(*), \
             CAST(SUM(CASE WHEN status = 'active' AND pushes = 1 THEN events - sent ELSE 0 END) AS BIGINT) \
             FROM subscription GROUP BY status",
        )
        .fetch_all(&self.readers)
        .await?;
        for status in SubscriptionStatus::ALL {
            let row = rows.iter().find(|row| row.try_get::<&str, _>(0).is_ok_and(|code| code == status.code()));
            let (count, events): (i64, i64) = match row {
                Some(row) => (row.try_get(1)?, row.try_get(2)?),
                None => (0, 0),
            };
            counts.by_status.push((status, count));
            counts.events += events;
        }
        let row = sqlx::query(
            "SELECT MIN(e.at_us) FROM subscription s JOIN subscription_event e \
             ON e.tenant = s.tenant AND e.subscription = s.id AND e.number = s.sent + 1 \
             WHERE s.status = 'active' AND s.pushes = 1 AND s.events > s.sent",
        )
        .fetch_one(&self.readers)
        .await?;
        counts.oldest = row.try_get::<Option<i64>, _>(0)?.map(Instant);
        Ok(counts)
    }
}
