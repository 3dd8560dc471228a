//! What a subscriber is told of: events with the resources they may see.

use std::sync::Arc;

use super::Subscriptions;
use crate::auth::Bearer;
use crate::rest::notification::Told;
use crate::store::{StoreError, SubscriptionRecord};

impl Subscriptions {
    /// The events after a number, up to `count` of them, each with its resource where whoever subscribed may see it.
    pub(super) async fn told(
        &self,
        record: &SubscriptionRecord,
        bearer: &Arc<Bearer>,
        after: i64,
        count: i64,
    ) -> Result<Vec<Told>, StoreError> {
        let range = (after + 1, i64::MAX);
        let events = self.store.subscription_events(&record.tenant, &record.id, range, count).await?;
        let wanted: Vec<(&str, i64)> = events.iter().map(|event| (event.id.as_str(), event.version)).collect();
        let mut seen = self.store.versions(&record.tenant, &record.focus, &wanted).await?;
        seen.retain(|stored| !stored.is_deletion() && self.watching.sees(bearer, stored).unwrap_or(false));
        Ok(Told::pair(events, seen))
    }
}
