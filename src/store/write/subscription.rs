//! Subscriptions, written with their resources.

use sqlx::Row as _;

use super::{Put, Writing};
use crate::fhir::{make, stored};
use crate::id::ResourceId;
use crate::store::resource::whole;
use crate::store::subscription::{ChannelType, Definition, EVENTS_KEPT_US, NewSubscription, SubscriptionStatus};
use crate::store::{Act, StoreError};

impl Writing {
    /// Writes what is to be done for a Subscription that is written. What was numbered stays so.
    ///
    /// # Errors
    /// The database fails, or a race was lost.
    pub async fn put_subscription(&mut self, new: &NewSubscription) -> Result<(), StoreError> {
        let revision = self.next_revision().await?;
        let sql = "SELECT 1 FROM subscription WHERE tenant = $1 AND id = $2 AND status <> 'gone'";
        let known = sqlx::query(sql).bind(self.tenant.as_str()).bind(new.id.as_str());
        let is_new = known.fetch_optional(&mut *self.tx).await?.is_none();
        let definition =
            serde_json::to_string(&new.definition).map_err(|_| StoreError::Damaged { what: "subscription" })?;
        let is_off = new.status == SubscriptionStatus::Off;
        sqlx::query(
            "INSERT INTO subscription (tenant, id, focus, status, counts, pushes, definition, standing, sealed, is_sealed, revision, \
             events, sent, attempts, contact_us, due_us, epoch, until_us) \
             VALUES ($1, $2, $3, $4, $5, $12, $6, $7, $8, 1, $9, 0, 0, 0, $10, $11, 0, 0) \
             ON CONFLICT (tenant, id) DO UPDATE SET focus = excluded.focus, status = excluded.status, \
             counts = excluded.counts, pushes = excluded.pushes, definition = excluded.definition, standing = excluded.standing, \
             secret = NULL, sealed = excluded.sealed, is_sealed = 1, revision = excluded.revision, attempts = 0, problem = NULL, contact_us = excluded.contact_us, \
             due_us = excluded.due_us, epoch = subscription.epoch + 1, until_us = 0",
        )
        .bind(self.tenant.as_str())
        .bind(new.id.as_str())
        .bind(new.focus.as_str())
        .bind(new.status.code())
        .bind(i64::from(!is_off))
        .bind(definition)
        .bind(new.standing.as_str())
        .bind(new.sealed.as_deref())
        .bind(revision)
        .bind(self.now)
        .bind((!is_off).then_some(self.now))
        .bind(i64::from(new.definition.channel.kind != ChannelType::Websocket))
        .execute(&mut *self.tx)
        .await?;
        let action = if is_new { "subscription-create" } else { "subscription-update" };
        self.record(&new.by, action, &new.id, &new.summary).await
    }

    /// What is kept of a Subscription that is there already: its definition, and what is sealed.
    ///
    /// # Errors
    /// The database fails, or secrets from before they were sealed are not sealed yet.
    pub async fn kept_subscription(
        &mut self,
        id: &ResourceId,
    ) -> Result<Option<(Definition, Option<String>)>, StoreError> {
        let sql =
            "SELECT definition, sealed, is_sealed FROM subscription WHERE tenant = $1 AND id = $2 AND status <> 'gone'";
        let query = sqlx::query(sql).bind(self.tenant.as_str()).bind(id.as_str());
        let Some(row) = query.fetch_optional(&mut *self.tx).await? else { return Ok(None) };
        if row.try_get::<i64, _>(2)? == 0 {
            return Err(StoreError::Busy);
        }
        let definition: String = row.try_get(0)?;
        let damaged = |_| StoreError::Damaged { what: "subscription" };
        Ok(Some((serde_json::from_str(&definition).map_err(damaged)?, row.try_get(1)?)))
    }

    /// Stops what was done for a Subscription that is deleted.
    ///
    /// # Errors
    /// The database fails, or a race was lost.
    pub async fn drop_subscription(&mut self, id: &ResourceId, by: &str) -> Result<(), StoreError> {
        let revision = self.next_revision().await?;
        sqlx::query(
            "UPDATE subscription SET status = 'gone', counts = 0, definition = '', secret = NULL, sealed = NULL, due_us = NULL, \
             epoch = epoch + 1, until_us = 0, revision = $3, contact_us = $4 WHERE tenant = $1 AND id = $2",
        )
        .bind(self.tenant.as_str())
        .bind(id.as_str())
        .bind(revision)
        .bind(self.now)
        .execute(&mut *self.tx)
        .await?;
        self.record(by, "subscription-delete", id, "").await
    }

    /// Turns the status of a subscription that has changed hands so often; whether it still has.
    pub(in crate::store) async fn turn_subscription(
        &mut self,
        id: &ResourceId,
        epoch: i64,
        status: SubscriptionStatus,
        problem: Option<&str>,
    ) -> Result<bool, StoreError> {
        // What is counted is as before, unless nothing is any longer.
        let revision = if status == SubscriptionStatus::Off { Some(self.next_revision().await?) } else { None };
        let due = match status {
            SubscriptionStatus::Requested | SubscriptionStatus::Active => Some(self.now),
            // Then it is turned off.
            SubscriptionStatus::Error => Some(self.now + EVENTS_KEPT_US),
            SubscriptionStatus::Off => None,
        };
        let turned = sqlx::query(
            "UPDATE subscription SET status = $4, counts = CASE WHEN $5 = 1 THEN 0 ELSE counts END, problem = $6, \
             attempts = 0, contact_us = $7, due_us = $8, holder = NULL, until_us = 0, \
             revision = COALESCE($9, revision) WHERE tenant = $1 AND id = $2 AND epoch = $3",
        )
        .bind(self.tenant.as_str())
        .bind(id.as_str())
        .bind(epoch)
        .bind(status.code())
        .bind(i64::from(status == SubscriptionStatus::Off))
        .bind(problem.map(|problem| problem.replace('\0', "\u{fffd}")))
        .bind(self.now)
        .bind(due)
        .bind(revision)
        .execute(&mut *self.tx)
        .await?;
        if turned.rows_affected() == 0 {
            return Ok(false);
        }
        let head = self.heads("Subscription", &[id.as_str()]).await?.into_iter().flatten().next();
        let Some(head) = head.filter(|head| !head.is_deletion()) else { return Ok(false) };
        let mut element = whole("Subscription", &head.current.tail)?;
        element.shift_remove("error");
        element.extend(make::element([
            ("status", make::text(status.code())),
            ("error", problem.filter(|problem| !problem.is_empty()).and_then(make::text)),
        ]));
        let tail = stored::tail(element.clone())?;
        let put = Put { kind: "Subscription".to_owned(), id: id.clone(), tail, element, head: Some(head) };
        self.put(vec![put]).await?;
        let action = match status {
            SubscriptionStatus::Error => "subscription-error",
            SubscriptionStatus::Off => "subscription-off",
            SubscriptionStatus::Requested | SubscriptionStatus::Active => return Ok(true),
        };
        self.record("server", action, id, problem.unwrap_or("it has ended")).await?;
        Ok(true)
    }

    /// Puts on record what is done to a subscription, in the transaction that does it.
    async fn record(&mut self, who: &str, action: &str, id: &ResourceId, what: &str) -> Result<(), StoreError> {
        if let Some(lock) = self.store.dialect.numbering() {
            sqlx::query(lock).execute(&mut *self.tx).await?;
        }
        let detail = format!("Subscription/{id} {what}");
        let tenant = Some(&self.tenant);
        let act = Act { who, action, tenant, device: None, period: None, detail: detail.trim_end() };
        self.store.record(&mut self.tx, act).await.map(drop)
    }

    /// The number of a change to what is subscribed to; the only one at a time, so that they are seen in their order.
    async fn next_revision(&mut self) -> Result<i64, StoreError> {
        let sql = "UPDATE subscription_revision SET revision = revision + 1 RETURNING revision";
        Ok(sqlx::query(sql).fetch_one(&mut *self.tx).await?.try_get(0)?)
    }
}
