//! From noted changes to numbered events.

use std::collections::{BTreeMap, BTreeSet};

use super::{Subscriptions, report};
use crate::id::{ResourceId, TenantId};
use crate::store::{Definition, NewEvent, NotedChange, StoreError, Stored, Watch, WatchedSubscription};
use crate::time::Instant;

/// Changes in one round.
const AT_ONCE: i64 = 1000;

/// What is remembered between rounds.
#[derive(Debug, Default)]
pub(super) struct Matcher {
    watch: Watch,
    revision: i64,
    /// Until when this process is the one that does.
    until: Option<Instant>,
    /// Topics of the subscriptions of which an event is that a resource comes to match.
    entering: BTreeMap<(TenantId, ResourceId), String>,
}

impl Matcher {
    /// Whether there is nobody to match for, as far as it knows.
    pub(super) fn is_idle(&self) -> bool {
        self.watch.is_empty()
    }
}

/// By tenant and type: id and version.
type Wanted<'a> = BTreeMap<(&'a TenantId, &'a str), Vec<(&'a str, i64)>>;

/// By tenant, type, id and version.
type Versions = BTreeMap<(TenantId, String, String, i64), Stored>;

impl Subscriptions {
    /// Numbers the events of what was noted first; whether there was any.
    ///
    /// # Errors
    /// The database failed; what was noted still is.
    pub(super) async fn round(&self, matcher: &mut Matcher) -> Result<bool, StoreError> {
        let changes = self.store.noted_changes(AT_ONCE).await?;
        if changes.is_empty() {
            return Ok(false);
        }
        matcher.until = self.store.matches_until(matcher.until).await?;
        if matcher.until.is_none() {
            return Ok(false);
        }
        // Read after the changes, so whoever subscribed before one of them is known.
        let (defined, revision) = self.store.subscriptions_since(matcher.revision).await?;
        for subscription in defined {
            self.define(matcher, subscription).await?;
        }
        matcher.revision = revision;
        let versions = self.versions(&changes, 0).await?;
        let mut events = Vec::new();
        for change in &changes {
            let key = (change.tenant.clone(), change.kind.clone(), change.id.clone(), change.version);
            let Some(stored) = versions.get(&key) else { continue };
            let matched = match self.store.watching(&change.tenant, &matcher.watch, stored) {
                Err(StoreError::Damaged { what }) => {
                    report(&StoreError::Damaged { what }, "a resource cannot be matched");
                    continue;
                }
                matched => matched?,
            };
            events.extend(matched.subscriptions.into_iter().map(|subscription| NewEvent {
                subscription: (change.tenant.clone(), subscription),
                kind: change.kind.clone(),
                id: change.id.clone(),
                version: change.version,
            }));
        }
        self.keep_entering(matcher, &changes, &mut events).await?;
        let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
        match self.store.number_events(&numbers, &events).await {
            Ok(count) => self.telemetry.events_numbered(count.unwrap_or(0)),
            // Somebody else was faster.
            Err(error) if error.is_contention() => return Ok(true),
            Err(error) => return Err(error),
        }
        if !events.is_empty() {
            self.numbered.send_modify(|rounds| *rounds += 1);
            self.due.notify_one();
        }
        Ok(true)
    }

    /// Takes up what a subscription asks for now.
    async fn define(&self, matcher: &mut Matcher, subscription: WatchedSubscription) -> Result<(), StoreError> {
        let WatchedSubscription { tenant, id, focus, counts, definition, standing } = subscription;
        let subscriber = (tenant, id);
        matcher.entering.remove(&subscriber);
        let Some(definition) = definition.filter(|_| counts) else {
            matcher.watch.remove(&subscriber);
            return Ok(());
        };
        // Whoever lost the right to be told is not counted for; the courier turns it off.
        let bearer = self.watching.subscriber(&subscriber.0, &standing).await?;
        let wanted = bearer.and_then(|bearer| self.watching.wanted(&bearer, &focus, &definition).ok());
        let Some(wanted) = wanted else {
            matcher.watch.remove(&subscriber);
            return Ok(());
        };
        if let Definition { topic: Some(topic), .. } = &definition
            && self.watching.is_entering(topic)
        {
            matcher.entering.insert(subscriber.clone(), topic.clone());
        }
        matcher.watch.add(self.store.capability(), subscriber, &focus, wanted);
        Ok(())
    }

    async fn versions(&self, changes: &[NotedChange], back: i64) -> Result<Versions, StoreError> {
        let mut wanted: Wanted<'_> = BTreeMap::new();
        for change in changes {
            let of_kind = wanted.entry((&change.tenant, &change.kind)).or_default();
            of_kind.push((&change.id, change.version - back));
        }
        let mut versions = Versions::new();
        for ((tenant, kind), wanted) in wanted {
            for stored in self.store.versions(tenant, kind, &wanted).await? {
                let key = (tenant.clone(), stored.kind.clone(), stored.id.clone(), stored.version);
                versions.insert(key, stored);
            }
        }
        Ok(versions)
    }

    /// Leaves out events of topics of which a resource was one before.
    async fn keep_entering(
        &self,
        matcher: &Matcher,
        changes: &[NotedChange],
        events: &mut Vec<NewEvent>,
    ) -> Result<(), StoreError> {
        let is_entering = |event: &NewEvent| event.version > 1 && matcher.entering.contains_key(&event.subscription);
        let affected: BTreeSet<(&str, i64)> =
            events.iter().filter(|event| is_entering(event)).map(|event| (event.id.as_str(), event.version)).collect();
        if affected.is_empty() {
            return Ok(());
        }
        let affected: Vec<NotedChange> =
            changes.iter().filter(|change| affected.contains(&(change.id.as_str(), change.version))).cloned().collect();
        let before = self.versions(&affected, 1).await?;
        let mut kept = Vec::with_capacity(events.len());
        for event in events.drain(..) {
            let topic = matcher.entering.get(&event.subscription).filter(|_| event.version > 1);
            let key = (event.subscription.0.clone(), event.kind.clone(), event.id.clone(), event.version - 1);
            let was = match (topic, before.get(&key)) {
                (Some(topic), Some(before)) => match self.watching.topic(topic) {
                    Ok((filters, marks)) => {
                        self.store.is_of_topic(&event.subscription.0, (&filters, &marks), before)?
                    }
                    Err(_) => false,
                },
                _ => false,
            };
            if !was {
                kept.push(event);
            }
        }
        *events = kept;
        Ok(())
    }
}
