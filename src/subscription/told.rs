//! What a subscriber is told of: events with the resources they may see.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Subscriptions;
use crate::auth::Bearer;
use crate::rest::notification::Told;
use crate::store::{StoreError, Stored, SubscriptionRecord};

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
        let mut found: BTreeMap<(String, i64), Stored> = BTreeMap::new();
        for stored in self.store.versions(&record.tenant, &record.focus, &wanted).await? {
            let sees = self.watching.sees(bearer, &stored).unwrap_or(false);
            if sees && !stored.is_deletion() {
                found.insert((stored.id.clone(), stored.version), stored);
            }
        }
        let told = events.into_iter().map(|event| {
            let resource = found.get(&(event.id.clone(), event.version)).cloned();
            let resource = resource.filter(|stored| stored.kind == event.kind);
            Told { event, resource }
        });
        Ok(told.collect())
    }
}
