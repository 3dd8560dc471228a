//! A worker with a subscription in its hands: one attempt, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use super::Subscriptions;
use crate::auth::Bearer;
use crate::rest::notification::{NotificationType, Told};
use crate::rest::seal::{self, Opened};
use crate::store::{ChannelType, StoreError, SubscriptionRecord, SubscriptionStatus, TakenSubscription, while_held};
use crate::time::{Instant, MICROS};

/// How often it is said that a subscription is still worked on.
const KEEP: Duration = Duration::from_secs(3);
/// No transaction of ours lasts longer: requests are cut off by then, and what is idle in between as well.
const SETTLES_US: i64 = 60 * MICROS;

/// A subscription in a worker's hands, with what nobody but its endpoint is to know.
struct Held<'a> {
    taken: &'a TakenSubscription,
    secrets: Opened,
}

impl Subscriptions {
    /// Does what is due of a subscription.
    ///
    /// # Errors
    /// The database failed; the subscription is somebody's again when its time is over.
    pub(super) async fn work(&self, taken: &TakenSubscription) -> Result<(), StoreError> {
        let Some(record) = self.store.subscription(&taken.tenant, &taken.id).await? else { return Ok(()) };
        let secrets = match seal::open(&self.vault, &taken.tenant, &taken.id, record.sealed.as_deref()).await {
            Ok(secrets) => secrets,
            // No fault of the endpoint's. It is somebody's again when this worker's time is over.
            Err(error) => {
                let (tenant, error) = (&taken.tenant, &error as &dyn std::error::Error);
                tracing::error!(%tenant, subscription = %taken.id, error, "secrets cannot be opened; it is tried again");
                return Ok(());
            }
        };
        let held = Held { taken, secrets };
        let attended = while_held(KEEP, || self.store.keep_subscription(taken), self.attend(&held, &record)).await;
        match attended {
            // Somebody wrote the resource meanwhile: it is due again at once.
            Err(error) if error.is_contention() => {
                self.store.subscription_tried(taken, Ok(record.sent), Some(self.clock.now())).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Goes on as long as more waits than fits into a notification, and the right to be told is there.
    async fn attend(&self, held: &Held<'_>, record: &SubscriptionRecord) -> Result<(), StoreError> {
        let mut record = record.clone();
        while let Some(sent) = self.step(held, &record).await? {
            record = SubscriptionRecord { sent, attempts: 0, problem: None, ..record };
        }
        Ok(())
    }

    /// One attempt; the number of the last event that arrived where more waits and it is still in these hands.
    async fn step(&self, held: &Held<'_>, record: &SubscriptionRecord) -> Result<Option<i64>, StoreError> {
        let taken = held.taken;
        let turn = |status, problem| self.store.turn_subscription(taken, status, problem);
        if record.definition.end.is_some_and(|end| end <= self.clock.now()) {
            return turn(SubscriptionStatus::Off, None).await.map(|_| None);
        }
        let Some(bearer) = self.watching.subscriber(&record.tenant, &record.standing).await? else {
            let problem = "what it was asked for with has expired or was taken back";
            return turn(SubscriptionStatus::Off, Some(problem)).await.map(|_| None);
        };
        match record.status {
            SubscriptionStatus::Requested => self.begin(held, record).await.map(|()| None),
            SubscriptionStatus::Active => self.tell(held, record, &bearer).await,
            // It has been so for as long as events are kept.
            SubscriptionStatus::Error => turn(SubscriptionStatus::Off, record.problem.as_deref()).await.map(|_| None),
            SubscriptionStatus::Off => self.store.subscription_tried(taken, Ok(record.sent), None).await.map(|_| None),
        }
    }

    /// Makes it active once nothing that happens is missed and, for a topic, somebody is there.
    async fn begin(&self, held: &Held<'_>, record: &SubscriptionRecord) -> Result<(), StoreError> {
        let mut since = None;
        let begin = self.clock.now();
        while !self.store.is_settled(&mut since).await? && self.clock.now() < begin.plus(SETTLES_US) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let greets = record.definition.topic.is_some() && record.definition.channel.kind != ChannelType::Websocket;
        let greeted = if greets { self.send(held, record, NotificationType::Handshake, &[]).await } else { Ok(()) };
        let (status, problem) = match &greeted {
            Ok(()) => (SubscriptionStatus::Active, None),
            Err(problem) => (SubscriptionStatus::Error, Some(problem.as_str())),
        };
        self.store.turn_subscription(held.taken, status, problem).await.map(drop)
    }

    async fn tell(
        &self,
        held: &Held<'_>,
        record: &SubscriptionRecord,
        bearer: &Arc<Bearer>,
    ) -> Result<Option<i64>, StoreError> {
        let taken = held.taken;
        let channel = &record.definition.channel;
        if channel.kind == ChannelType::Websocket {
            // Whoever is bound is told by the websocket; here it is looked now and then whether it may still be so.
            return self
                .store
                .subscription_tried(taken, Ok(record.events), Some(self.later(record)))
                .await
                .map(|_| None);
        }
        let told = self.told(record, bearer, record.sent, channel.max_count).await?;
        let sent = told.last().map_or(record.sent, |told| told.event.number);
        let result = if !told.is_empty() {
            self.send(held, record, NotificationType::Event, &told).await
        } else if self.is_silent(record) {
            self.send(held, record, NotificationType::Heartbeat, &[]).await
        } else {
            // What was numbered and is too old to be kept cannot be told.
            let sent = if record.events > sent { record.events } else { sent };
            return self.store.subscription_tried(taken, Ok(sent), Some(self.next(record))).await.map(|_| None);
        };
        match result {
            Ok(()) if i64::try_from(told.len()) == Ok(channel.max_count) => {
                Ok(self.store.subscription_sent(taken, sent).await?.then_some(sent))
            }
            Ok(()) => {
                let due = self.later(record);
                self.store.subscription_tried(taken, Ok(sent), Some(due)).await.map(|_| None)
            }
            Err(problem) if record.attempts + 1 >= channel.attempts => {
                let (tenant, id) = (&record.tenant, &record.id);
                tracing::warn!(%tenant, subscription = %id, problem, "a subscriber is told nothing more");
                self.store.turn_subscription(taken, SubscriptionStatus::Error, Some(&problem)).await.map(|_| None)
            }
            Err(problem) => {
                let due = self.clock.now().plus(self.patience.wait(record.attempts + 1));
                self.store.subscription_tried(taken, Err(&problem), Some(due)).await.map(|_| None)
            }
        }
    }

    /// One attempt; what was wrong where it failed, without the address.
    async fn send(
        &self,
        held: &Held<'_>,
        record: &SubscriptionRecord,
        kind: NotificationType,
        told: &[Told],
    ) -> Result<(), String> {
        let channel = record.definition.channel.kind;
        let sent = match channel {
            ChannelType::RestHook => self.hook(&held.secrets, record, kind, told).await,
            ChannelType::Email => self.mail(record, kind, told).await,
            ChannelType::Websocket => return Ok(()),
        };
        self.telemetry.notified(channel.code(), sent.is_ok());
        sent
    }

    fn is_silent(&self, record: &SubscriptionRecord) -> bool {
        let period = record.definition.channel.heartbeat_s;
        period > 0 && record.contact.plus(period * MICROS) <= self.clock.now()
    }

    /// When it is to be looked at again after something was sent.
    fn later(&self, record: &SubscriptionRecord) -> Instant {
        after(record, self.clock.now())
    }

    /// The same where nothing was.
    fn next(&self, record: &SubscriptionRecord) -> Instant {
        after(record, record.contact).max(self.clock.now().plus(MICROS))
    }
}

/// When it is looked at again whether a subscriber was silent for too long, or may still be told.
fn after(record: &SubscriptionRecord, contact: Instant) -> Instant {
    /// An authorization that is over is noticed by then even where nothing happens.
    const LOOK_S: i64 = 60;
    let period = record.definition.channel.heartbeat_s;
    let due = contact.plus(if period > 0 { period.min(LOOK_S) } else { LOOK_S } * MICROS);
    record.definition.end.map_or(due, |end| end.min(due))
}
