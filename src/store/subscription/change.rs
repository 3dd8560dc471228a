//! From noted changes to numbered events.

use std::collections::BTreeMap;

use sqlx::Row as _;

use crate::id::{ResourceId, TenantId};
use crate::store::read::Stored;
use crate::store::sql::{Sql, Value, pieces, rows_at_once};
use crate::store::table::Table;
use crate::store::{Store, StoreError};
use crate::time::{Instant, MICROS};

/// A process that matches has it to itself for so long, if it says nothing more. That is for economy: were there two, of
/// the same changes one could number the events and the other could not.
const HELD_US: i64 = 3 * MICROS;

/// Versions in one look-up.
const VERSIONS: usize = 64;

/// A change that was noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedChange {
    /// In the order they were noted.
    pub number: i64,
    /// Tenant.
    pub tenant: TenantId,
    /// Resource type.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// The version that was written.
    pub version: i64,
}

/// An event without its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whose.
    pub subscription: (TenantId, ResourceId),
    /// Resource type.
    pub kind: String,
    /// Logical id.
    pub id: String,
    /// The version that was written.
    pub version: i64,
}

impl Store {
    /// Until when this process is the one that matches, if it is; `before` is what this said the last time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn matches_until(&self, before: Option<Instant>) -> Result<Option<Instant>, StoreError> {
        let now = self.clock.now().0;
        if !self.is_shared() {
            return Ok(Some(Instant::MAX));
        }
        if before.is_some_and(|until| until.0 > now + HELD_US / 2) {
            return Ok(before);
        }
        let sql = "UPDATE subscription_matcher SET holder = $1, until_us = $2 WHERE holder = $1 OR until_us <= $3";
        let query = sqlx::query(sql).bind(&*self.process).bind(now + HELD_US).bind(now);
        let is_held = query.execute(&self.writer).await?.rows_affected() == 1;
        Ok(is_held.then_some(Instant(now + HELD_US)))
    }

    /// The changes that were noted first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn noted_changes(&self, count: i64) -> Result<Vec<NotedChange>, StoreError> {
        let mut sql = Sql::new("SELECT number, tenant, kind, id, version FROM resource_change ORDER BY number");
        sql.limit(count);
        let rows = sql.query().fetch_all(&self.readers).await?;
        let change = |row: &sqlx::any::AnyRow| {
            Ok(NotedChange {
                number: row.try_get(0)?,
                tenant: crate::store::program::id(row.try_get(1)?, "tenant")?,
                kind: row.try_get(2)?,
                id: row.try_get(3)?,
                version: row.try_get(4)?,
            })
        };
        rows.iter().map(change).collect()
    }

    /// These versions of resources of a type, each once and in no order; what was erased is not among them.
    ///
    /// # Errors
    /// The database failed.
    pub async fn versions(
        &self,
        tenant: &TenantId,
        kind: &str,
        wanted: &[(&str, i64)],
    ) -> Result<Vec<Stored>, StoreError> {
        let table = Table::of(kind);
        let mut found = Vec::with_capacity(wanted.len());
        for piece in wanted.chunks(VERSIONS) {
            let ids: Vec<&str> = piece.iter().map(|(id, _)| *id).collect();
            let current = self.read_all(tenant, kind, &ids).await?;
            let is_wanted = |one: &Stored| piece.contains(&(one.id.as_str(), one.version));
            let is_past =
                |(id, version): &(&str, i64)| !current.iter().any(|one| one.id == *id && one.version == *version);
            let past: Vec<(&str, i64)> = piece.iter().copied().filter(is_past).collect();
            found.extend(current.iter().filter(|one| is_wanted(one)).cloned());
            if past.is_empty() {
                continue;
            }
            // By the whole key: a resource may have had any number of versions.
            let mut sql = Sql::default();
            let (tenant, of_kind) = (sql.hold(tenant.as_str()), sql.hold(table.kind));
            sql.bind_each(past, |sql, (id, version)| {
                sql.push("SELECT id, version, updated_us, tail FROM resource_history WHERE tenant = ").again(tenant);
                sql.push(" AND kind = ")
                    .again(of_kind)
                    .push(" AND id = ")
                    .bind(id)
                    .push(" AND version = ")
                    .bind(version);
            });
            found.extend(self.stored(kind, sql).await?);
        }
        found.sort_unstable_by(|a, b| (&a.id, a.version).cmp(&(&b.id, b.version)));
        found.dedup_by(|a, b| a.id == b.id && a.version == b.version);
        Ok(found)
    }

    /// Numbers events and takes the changes away they come of; how many there were, nothing where somebody else has done so.
    ///
    /// # Errors
    /// The database failed.
    pub async fn number_events(&self, changes: &[i64], events: &[NewEvent]) -> Result<Option<usize>, StoreError> {
        let mut tx = self.begin().await?;
        let now = self.clock.now().0;
        let mut taken = 0;
        for piece in pieces(changes, rows_at_once(&tx) * 4) {
            let mut sql = Sql::new("DELETE FROM resource_change WHERE number");
            sql.bind_in(piece.iter().copied().map(Value::Int).collect());
            taken += sql.query().execute(&mut *tx).await?.rows_affected();
        }
        if taken != changes.len() as u64 {
            return Ok(None);
        }
        // Everybody takes them in the same order, so nobody waits for somebody who waits for them.
        let mut by_subscription: BTreeMap<&(TenantId, ResourceId), Vec<&NewEvent>> = BTreeMap::new();
        for event in events {
            by_subscription.entry(&event.subscription).or_default().push(event);
        }
        let mut rows = Vec::with_capacity(events.len());
        for ((tenant, subscription), events) in by_subscription {
            let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
            let row = sqlx::query(
                "UPDATE subscription SET events = events + $3, due_us = CASE WHEN status = 'active' AND pushes = 1 AND attempts = 0 \
                 THEN $4 ELSE due_us END WHERE tenant = $1 AND id = $2 AND counts = 1 RETURNING events",
            )
            .bind(tenant.as_str())
            .bind(subscription.as_str())
            .bind(count)
            .bind(now)
            .fetch_optional(&mut *tx)
            .await?;
            // It was stopped meanwhile.
            let Some(row) = row else { continue };
            let first = row.try_get::<i64, _>(0)? - count + 1;
            rows.extend((first..).zip(events).map(|(number, event)| {
                let texts = [tenant.as_str(), subscription.as_str(), &event.kind, &event.id].map(Value::from);
                texts.into_iter().chain([number, event.version, now].map(Value::Int)).collect::<Vec<Value>>()
            }));
        }
        for piece in pieces(&rows, rows_at_once(&tx)) {
            let mut sql = Sql::new("INSERT INTO subscription_event ");
            sql.push("(tenant, subscription, kind, id, number, version, at_us) VALUES ");
            sql.bind_rows(&[], piece.iter().cloned());
            sql.query().execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Some(rows.len()))
    }
}
