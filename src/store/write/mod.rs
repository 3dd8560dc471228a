//! What clients write: several resources in one transaction, read and written a set at a time.
//!
//! Nothing here takes a lock of its own. A logical id is in one row, and a version of it in one row of history, both by a
//! unique index; who loses a race by them sees [`StoreError::is_contention`], starts anew and finds what the winner wrote.
//! A resource that is created under a condition has an id computed from the condition ([`Condition::id`]), so that of
//! all who create it at the same time one does.

mod condition;
mod id;
mod subscription;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sqlx::{Any, Transaction};
use tokio::sync::OwnedSemaphorePermit;

pub use condition::{Condition, Found, Known};
pub use id::new_id;

use super::index::{self, Index};
use super::read::Stored;
use super::resource::{self, Current, Origin, Prepared};
use super::sql::Sql;
use super::table::Table;
use super::{Store, StoreError};
use crate::fhir::Element;
use crate::id::{ResourceId, TenantId};
use crate::time::Instant;

/// A transaction in which a client's resources are written. Dropped, it leaves no trace.
#[derive(Debug)]
pub struct Writing {
    store: Store,
    tenant: TenantId,
    tx: Transaction<'static, Any>,
    /// `meta.lastUpdated` of what is written, in whole milliseconds.
    now: i64,
    _turn: OwnedSemaphorePermit,
}

/// What is stored under an id: the current version, or its deletion.
#[derive(Debug, Clone)]
pub struct Head {
    id: String,
    current: Current,
}

impl Head {
    /// `meta.versionId`.
    pub fn version(&self) -> i64 {
        self.current.version
    }

    /// Who made it.
    pub fn origin(&self) -> Origin {
        self.current.origin
    }

    /// Whether it was deleted.
    pub fn is_deletion(&self) -> bool {
        self.current.is_gone()
    }

    /// The version itself.
    pub fn stored(&self, kind: &str) -> Stored {
        let Current { version, updated_us, tail, .. } = self.current.clone();
        Stored::new(kind, self.id.clone(), version, updated_us, tail)
    }
}

/// A resource to be written.
#[derive(Debug)]
pub struct Put {
    /// `resourceType`.
    pub kind: String,
    /// Logical id.
    pub id: ResourceId,
    /// What is stored of it, see [`crate::fhir::stored`].
    pub tail: Vec<u8>,
    /// What is searched in it.
    pub element: Element,
    /// What is stored under its id, as [`Writing::heads`] gave it.
    pub head: Option<Head>,
}

/// What became of a [`Put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// There was none with its id.
    Created,
    /// It is a new version.
    Updated,
    /// It was stored just so.
    Unchanged,
}

impl Store {
    /// Starts writing for a client. Whoever comes when others write waits for a turn.
    ///
    /// # Errors
    /// Too many are waiting, or the database fails.
    pub async fn writing(&self, tenant: &TenantId) -> Result<Writing, StoreError> {
        let _waiting = self.waiting.clone().try_acquire_owned().map_err(|_| StoreError::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| StoreError::Busy)?;
        let tx = self.begin_with(self.dialect.begin_of_client()).await?;
        let Instant(now) = self.clock.now();
        let now = now.div_euclid(1000) * 1000;
        Ok(Writing { store: self.clone(), tenant: tenant.clone(), tx, now, _turn: turn })
    }
}

impl Writing {
    /// When what is written is written.
    pub fn now(&self) -> Instant {
        Instant(self.now)
    }

    /// What is stored under each of these ids.
    ///
    /// # Errors
    /// The database fails.
    pub async fn heads(&mut self, kind: &str, ids: &[&str]) -> Result<Vec<Option<Head>>, StoreError> {
        let current = resource::current(&mut self.tx, &self.store.bodies, &self.tenant, Table::of(kind), ids).await?;
        let head = |id: &&str| current.get(*id).map(|current| Head { id: (*id).to_owned(), current: current.clone() });
        Ok(ids.iter().map(head).collect())
    }

    /// Writes resources, no two with the same type and id; gives what is stored now, in their order.
    ///
    /// # Errors
    /// The database fails, or a race was lost.
    pub async fn put(&mut self, puts: Vec<Put>) -> Result<Vec<(Effect, Stored)>, StoreError> {
        let count = puts.len();
        let mut kinds: BTreeMap<String, Vec<(usize, Prepared, Option<Head>)>> = BTreeMap::new();
        for (place, Put { kind, id, tail, element, head }) in puts.into_iter().enumerate() {
            let index = Index::of(&self.tenant, self.store.capability.resource(&kind), &element);
            let version = head.as_ref().map_or(0, Head::version) + 1;
            let prepared = Prepared { id: id.into(), version, targets: Vec::new(), tail, index };
            kinds.entry(kind).or_default().push((place, prepared, head));
        }
        let mut done = Vec::with_capacity(count);
        for (kind, mut prepared) in kinds {
            // Everybody writes in the same order, so nobody waits for somebody who waits for them.
            prepared.sort_unstable_by(|a, b| a.1.id.cmp(&b.1.id));
            self.put_kind(&kind, prepared, &mut done).await?;
        }
        done.sort_unstable_by_key(|(place, ..)| *place);
        Ok(done.into_iter().map(|(_, effect, stored)| (effect, stored)).collect())
    }

    async fn put_kind(
        &mut self,
        kind: &str,
        prepared: Vec<(usize, Prepared, Option<Head>)>,
        done: &mut Vec<(usize, Effect, Stored)>,
    ) -> Result<(), StoreError> {
        let (table, store) = (Table::of(kind), self.store.clone());
        let (mut new, mut places, mut terms) = (Vec::new(), Vec::new(), Vec::new());
        for (place, one, head) in prepared {
            match head {
                Some(head) if head.current.tail == one.tail => {
                    done.push((place, Effect::Unchanged, head.stored(kind)));
                }
                Some(head) if !head.is_deletion() => {
                    let (tx, tenant) = (&mut self.tx, &self.tenant);
                    resource::replace(tx, tenant, &store, table, &head.current, &one, Origin::Client, self.now).await?;
                    terms.push((head.current.row_id, one.index));
                    done.push((place, Effect::Updated, Stored::new(kind, one.id, one.version, self.now, one.tail)));
                }
                deleted => {
                    if deleted.is_some() {
                        resource::revive(&mut self.tx, &self.tenant, kind, &one.id, self.now).await?;
                    }
                    places.push(place);
                    new.push(one);
                }
            }
        }
        let (tx, tenant) = (&mut self.tx, &self.tenant);
        terms.extend(resource::insert(tx, &store.bodies, tenant, table, &new, Origin::Client, self.now).await?);
        index::insert(&mut self.tx, &self.tenant, table, &terms).await?;
        done.extend(
            new.into_iter().zip(places).map(|(one, place)| {
                (place, Effect::Created, Stored::new(kind, one.id, one.version, self.now, one.tail))
            }),
        );
        Ok(())
    }

    /// Deletes a resource: it is no longer found or read, its history stays. Gives the deletion.
    ///
    /// # Errors
    /// The database fails, or a race was lost.
    pub async fn delete(&mut self, kind: &str, head: &Head) -> Result<Stored, StoreError> {
        let (table, row) = (Table::of(kind), self.store.capability.resource(kind));
        let version = head.version() + 1;
        resource::keep(&mut self.tx, table, &head.current, self.now).await?;
        resource::forget_terms(&mut self.tx, &self.tenant, table, row, &head.current).await?;
        let mut sql = Sql::new("INSERT INTO resource_history");
        sql.push(" (tenant, kind, id, version, updated_us, tail, origin) VALUES (").bind_list([
            self.tenant.as_str().into(),
            kind.into(),
            head.id.as_str().into(),
            version.into(),
            self.now.into(),
            Vec::new().into(),
            Origin::Client.number().into(),
        ]);
        sql.push(")");
        sql.query().execute(&mut *self.tx).await?;
        let mut sql = Sql::new("DELETE FROM ");
        sql.push(table.name).push(" WHERE row_id = ").bind(head.current.row_id);
        sql.query().execute(&mut *self.tx).await?;
        Ok(Stored::new(kind, head.id.clone(), version, self.now, Vec::new()))
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// The database fails; nothing is stored then.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.store.finish(self.tx).await
    }
}
