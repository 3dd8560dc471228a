//! Resources in: upserts with versions. The tail decides what is a change.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Any, Row as _, Transaction};

use super::body::Bodies;
use super::draft::Draft;
use super::index::{self, Index};
use super::judge::{self, Invalid};
use super::retract;
use super::sql::{Sql, Value, pieces, rows_at_once};
use super::table::Table;
use super::write::Put;
use super::{Store, StoreError};
use crate::capability::ResourceRow;
use crate::fhir::{Element, json, stored};
use crate::id::TenantId;
use crate::projection::revised;
use crate::resource::Resource;
use crate::time::Instant;

/// Ids per look-up.
const IDS: usize = 64;

/// What became of the resources handed to the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upserted {
    /// New, as version 1.
    pub created: usize,
    /// Stored as a new version.
    pub updated: usize,
    /// Already stored just so: nothing written.
    pub unchanged: usize,
    /// Not valid: held back.
    pub held: usize,
}

/// Who made a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This server, from what devices sent. Clients may read it.
    Derived,
    /// A client, or the server for clients to go on from.
    Client,
}

impl Origin {
    /// As the column `origin` holds it.
    pub(in crate::store) fn number(self) -> i64 {
        i64::from(self == Self::Client)
    }

    pub(in crate::store) fn of(number: i64) -> Self {
        if number == 0 { Self::Derived } else { Self::Client }
    }
}

/// A resource ready to be written.
#[derive(Debug, Clone)]
pub(in crate::store) struct Prepared {
    pub(in crate::store) id: String,
    /// The version it is when it is new: 1, or one more than that of the deletion it comes after.
    pub(in crate::store) version: i64,
    /// What a Provenance is about.
    pub(in crate::store) targets: Vec<String>,
    pub(in crate::store) tail: Vec<u8>,
    pub(in crate::store) index: Index,
}

/// What is stored under an id now.
#[derive(Debug, Clone)]
pub(in crate::store) struct Current {
    pub(in crate::store) row_id: i64,
    pub(in crate::store) version: i64,
    pub(in crate::store) updated_us: i64,
    pub(in crate::store) origin: Origin,
    /// Empty when it was deleted.
    pub(in crate::store) tail: Vec<u8>,
}

impl Current {
    /// Whether it was deleted.
    pub(in crate::store) fn is_gone(&self) -> bool {
        self.tail.is_empty()
    }
}

impl Store {
    /// Stores resources in a transaction of their own. Of two with the same type and id, the later one counts.
    ///
    /// # Errors
    /// One cannot be written as FHIR, or the database fails; nothing is stored then.
    pub async fn put(&self, tenant: &TenantId, resources: Vec<Resource>) -> Result<Upserted, StoreError> {
        let drafts = self.drafts(tenant, resources)?;
        // Where others write too, one of them may have been faster; what it wrote is seen the second time.
        let again = self.is_shared().then(|| drafts.clone());
        match (self.put_once(tenant, drafts).await, again) {
            (Err(error), Some(drafts)) if error.is_contention() => self.put_once(tenant, drafts).await,
            (result, _) => result,
        }
    }

    async fn put_once(&self, tenant: &TenantId, drafts: Vec<Draft>) -> Result<Upserted, StoreError> {
        let mut tx = self.begin().await?;
        let Stored { upserted, .. } = upsert(&mut tx, self, tenant, drafts, self.clock.now()).await?;
        self.finish(tx).await?;
        Ok(upserted)
    }

    /// Makes resources durable that were written, and tells who waits for that.
    pub(in crate::store) async fn finish(&self, tx: Transaction<'_, Any>) -> Result<(), StoreError> {
        tx.commit().await?;
        self.written.notify_one();
        self.tend_bodies();
        Ok(())
    }

    /// Stores what clients know more about and may change, unless there is or was a resource with its id.
    ///
    /// # Errors
    /// It cannot be written as FHIR, or the database fails.
    pub async fn put_if_absent(&self, tenant: &TenantId, resource: Resource) -> Result<(), StoreError> {
        if self.read(tenant, &resource.kind, &resource.id).await?.is_some() {
            return Ok(());
        }
        match self.put_placeholder(tenant, &resource).await {
            Err(error) if error.is_contention() => self.put_placeholder(tenant, &resource).await,
            result => result,
        }
    }

    async fn put_placeholder(&self, tenant: &TenantId, resource: &Resource) -> Result<(), StoreError> {
        let mut writing = self.writing(tenant).await?;
        if writing.heads(&resource.kind, &[resource.id.as_str()]).await?.iter().all(Option::is_none) {
            let Resource { kind, id, element } = resource.clone();
            let tail = stored::tail(element.clone())?;
            writing.put(vec![Put { kind, id, tail, element, head: None }]).await?;
            writing.commit().await?;
        }
        Ok(())
    }
}

/// What came of resources.
#[derive(Debug, Default)]
pub(in crate::store) struct Stored {
    /// How many were what.
    pub(in crate::store) upserted: Upserted,
    /// References of what was created or updated.
    pub(in crate::store) written: BTreeSet<String>,
    /// What was stored before and is not said any more.
    dropped: Vec<String>,
    /// What is not stored.
    pub(in crate::store) invalid: Vec<Invalid>,
}

/// Stores resources as part of `tx`, and takes back what they say no longer: see [`super::retract`].
pub(in crate::store) async fn upsert(
    tx: &mut Transaction<'_, Any>,
    store: &Store,
    tenant: &TenantId,
    drafts: Vec<Draft>,
    now: Instant,
) -> Result<Stored, StoreError> {
    let said: BTreeSet<String> = drafts.iter().map(Draft::reference).collect();
    let mut stored = upsert_as_they_are(tx, store, tenant, drafts, now).await?;
    let dropped = std::mem::take(&mut stored.dropped);
    if !dropped.is_empty() {
        let retracted = retract::retracted(tx, &store.bodies, tenant, dropped, &said).await?;
        let drafts = store.drafts(tenant, retracted)?;
        stored.upserted.updated += upsert_as_they_are(tx, store, tenant, drafts, now).await?.upserted.updated;
    }
    Ok(stored)
}

/// Same tail as stored: nothing happens. Different: one version more, the old one to history. Not valid: held back.
pub(in crate::store) async fn upsert_as_they_are(
    tx: &mut Transaction<'_, Any>,
    store: &Store,
    tenant: &TenantId,
    drafts: Vec<Draft>,
    moment: Instant,
) -> Result<Stored, StoreError> {
    let now = moment.0.div_euclid(1000) * 1000; // meta.lastUpdated has milliseconds
    let mut stored = Stored::default();
    if drafts.is_empty() {
        return Ok(stored);
    }
    let mends = judge::holds(tx).await?;
    let mut kinds: BTreeMap<String, Vec<Draft>> = BTreeMap::new();
    let mut mended: Vec<String> = Vec::new();
    for draft in drafts {
        if mends {
            mended.push(draft.reference());
        }
        kinds.entry(draft.kind.clone()).or_default().push(draft);
    }
    for (kind, drafts) in kinds {
        upsert_kind(tx, tenant, store, &kind, last_of_each(drafts), now, &mut stored).await?;
    }
    stored.upserted.held = stored.invalid.len();
    judge::hold(tx, tenant, &stored.invalid, moment).await?;
    mended.retain(|reference| stored.invalid.iter().all(|invalid| invalid.reference != *reference));
    judge::mend(tx, tenant, &mended, moment).await?;
    Ok(stored)
}

/// The last of those with the same id, in the order of the first.
fn last_of_each(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<Draft> = Vec::with_capacity(drafts.len());
    for one in drafts {
        if let Some(earlier) = places.get(&one.prepared.id).and_then(|&place| kept.get_mut(place)) {
            *earlier = one;
        } else {
            places.insert(one.prepared.id.clone(), kept.len());
            kept.push(one);
        }
    }
    kept
}

async fn upsert_kind(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    store: &Store,
    kind: &str,
    drafts: Vec<Draft>,
    now: i64,
    stored: &mut Stored,
) -> Result<(), StoreError> {
    let table = Table::of(kind);
    let ids: Vec<&str> = drafts.iter().map(|draft| draft.prepared.id.as_str()).collect();
    let current = current(tx, &store.bodies, tenant, table, &ids).await?;
    let mut new = Vec::new();
    let mut terms = Vec::new();
    for draft in drafts {
        let current = current.get(&draft.prepared.id);
        let before = current.filter(|current| current.origin == Origin::Derived && !current.is_gone());
        let revised = match before {
            None => Some(draft),
            Some(before) if before.tail == draft.prepared.tail => None,
            Some(before) => revision(tenant, store, before, draft)?,
        };
        let Some(Draft { prepared: one, issues, packets, .. }) = revised else {
            stored.upserted.unchanged += 1;
            continue;
        };
        let reference = format!("{kind}/{}", one.id);
        if let Some(issues) = issues {
            let content = stored::without_version(kind, &one.id, &one.tail);
            stored.invalid.push(Invalid { reference, content, issues, packets });
            continue;
        }
        stored.written.insert(reference);
        match current {
            None => new.push(one),
            Some(current) if current.is_gone() => {
                revive(tx, tenant, table.kind, &one.id, now).await?;
                new.push(Prepared { version: current.version + 1, ..one });
            }
            // Where somebody took the id before it was computed, what was computed counts, theirs is its history.
            Some(current) => {
                stored.upserted.updated += 1;
                if before.is_some() && !one.targets.is_empty() {
                    stored.dropped.extend(retract::dropped(&whole(table.kind, &current.tail)?, &one.targets));
                }
                replace(tx, tenant, store, table, current, &one, Origin::Derived, now).await?;
                terms.push((current.row_id, one.index));
            }
        }
    }
    stored.upserted.created += new.len();
    terms.extend(insert(tx, &store.bodies, tenant, table, &new, Origin::Derived, now).await?);
    index::insert(tx, tenant, table, &terms).await
}

/// A resource that was computed again, with what makes it a revision of what is stored; none where it is the same.
fn revision(tenant: &TenantId, store: &Store, current: &Current, draft: Draft) -> Result<Option<Draft>, StoreError> {
    let (packets, one) = (draft.packets, draft.into_resource()?);
    let before = whole(&one.kind, &current.tail)?;
    let Some(element) = revised(&one.kind, &before, &one.element) else { return Ok(None) };
    Ok(Some(Draft { packets, ..store.draft(tenant, Resource { element, ..one })? }))
}

/// A stored resource as an element, its head left at zero.
pub(in crate::store) fn whole(kind: &str, tail: &[u8]) -> Result<Element, StoreError> {
    let mut bytes = Vec::with_capacity(tail.len() + 128);
    stored::write(&mut bytes, kind, "0", 0, "1970-01-01T00:00:00.000Z", tail);
    json::parse(&bytes).map_err(|_| StoreError::Damaged { what: "resource" })
}

/// The derived resource `kind/id`, if there is one now; a client's is not ours to go on from.
pub(in crate::store) async fn derived(
    tx: &mut Transaction<'_, Any>,
    bodies: &Bodies,
    tenant: &TenantId,
    kind: &str,
    id: &str,
) -> Result<Option<Element>, StoreError> {
    let table = Table::of(kind);
    let mut sql = Sql::new("SELECT r.tail FROM ");
    sql.push(table.name).push(" r WHERE ");
    table.scope(&mut sql, "r", tenant);
    sql.push(" AND r.origin = ").bind(Origin::Derived.number()).push(" AND r.id = ").bind(id);
    let rows = sql.query().fetch_all(&mut **tx).await?;
    bodies.learn(&rows, 0, &mut **tx).await?;
    rows.first().map(|row| whole(kind, &bodies.decode(row.try_get(0)?)?)).transpose()
}

/// What is stored under each of these ids, deletions among them.
pub(in crate::store) async fn current(
    tx: &mut Transaction<'_, Any>,
    bodies: &Bodies,
    tenant: &TenantId,
    table: Table<'_>,
    ids: &[&str],
) -> Result<BTreeMap<String, Current>, StoreError> {
    let mut found = BTreeMap::new();
    for piece in ids.chunks(IDS) {
        let ids: Vec<Value> = piece.iter().map(|&id| Value::from(id)).collect();
        let mut sql = Sql::default();
        let (tenant, kind) = (sql.hold(tenant.as_str()), sql.hold(table.kind));
        sql.bind_each(ids.clone(), |sql, id| {
            sql.push("SELECT r.id, r.row_id, r.version, r.tail, r.origin, r.updated_us FROM ").push(table.name);
            sql.push(" r WHERE r.tenant = ").again(tenant).push(" AND r.id = ").bind(id);
            if table.shared {
                sql.push(" AND r.kind = ").again(kind);
            }
        });
        sql.push(" UNION ALL ").bind_each(ids, |sql, id| {
            sql.push(
                "SELECT h.id, 0, h.version, h.tail, h.origin, h.updated_us FROM resource_history h WHERE h.tenant = ",
            );
            sql.again(tenant).push(" AND h.kind = ").again(kind).push(" AND h.id = ").bind(id);
            sql.push(" AND h.until_us IS NULL");
        });
        let rows = sql.query().fetch_all(&mut **tx).await?;
        bodies.learn(&rows, 3, &mut **tx).await?;
        for row in rows {
            let current = Current {
                row_id: row.try_get(1)?,
                version: row.try_get(2)?,
                tail: bodies.decode(row.try_get(3)?)?,
                origin: Origin::of(row.try_get(4)?),
                updated_us: row.try_get(5)?,
            };
            found.insert(row.try_get(0)?, current);
        }
    }
    Ok(found)
}

/// Writes new resources; gives their rows with what is to be found in them.
pub(in crate::store) async fn insert(
    tx: &mut Transaction<'_, Any>,
    bodies: &Bodies,
    tenant: &TenantId,
    table: Table<'_>,
    prepared: &[Prepared],
    origin: Origin,
    now: i64,
) -> Result<Vec<(i64, Index)>, StoreError> {
    let mut indexed = Vec::with_capacity(prepared.len());
    for piece in pieces(prepared, rows_at_once(tx)) {
        let mut sql = Sql::new("INSERT INTO ");
        sql.push(table.name).push(if table.shared { " (kind, tenant, " } else { " (tenant, " });
        sql.push("updated_us, origin, version, id, subject, date_us, span_us, present, cohort, tail) VALUES ");
        let mut shared = if table.shared { vec![Value::from(table.kind)] } else { Vec::new() };
        shared.extend([tenant.as_str().into(), now.into(), origin.number().into()]);
        sql.bind_rows(
            &shared,
            piece.iter().map(|one| {
                let Index { subject, date, present, cohort, .. } = one.index;
                let index = [subject, date.from, date.length(), present, cohort].map(Value::Int);
                let id = [Value::Int(one.version), Value::from(one.id.as_str())];
                id.into_iter().chain(index).chain([Value::from(bodies.encode(table.name, &one.tail))]).collect()
            }),
        );
        sql.push(" RETURNING id, row_id");
        let mut row_ids = BTreeMap::new();
        for row in sql.query().fetch_all(&mut **tx).await? {
            row_ids.insert(row.try_get::<String, _>(0)?, row.try_get::<i64, _>(1)?);
        }
        indexed.extend(piece.iter().filter_map(|one| row_ids.get(&one.id).map(|&row_id| (row_id, one.index.clone()))));
    }
    Ok(indexed)
}

/// Puts one version in the place of another, which goes to history.
#[expect(clippy::too_many_arguments, reason = "what a row is made of")]
pub(in crate::store) async fn replace(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    store: &Store,
    table: Table<'_>,
    current: &Current,
    one: &Prepared,
    origin: Origin,
    now: i64,
) -> Result<(), StoreError> {
    keep(tx, table, current, now).await?;
    forget_terms(tx, tenant, table, store.capability.resource(table.kind), current).await?;
    let mut update = Sql::new("UPDATE ");
    update.push(table.name).push(" SET version = ").bind(current.version + 1);
    update.push(", updated_us = ").bind(now);
    update.push(", origin = ").bind(origin.number());
    update.push(", subject = ").bind(one.index.subject);
    update.push(", date_us = ").bind(one.index.date.from);
    update.push(", span_us = ").bind(one.index.date.length());
    update.push(", present = ").bind(one.index.present);
    update.push(", cohort = ").bind(one.index.cohort);
    update.push(", tail = ").bind(store.bodies.encode(table.name, &one.tail));
    update.push(" WHERE row_id = ").bind(current.row_id);
    update.query().execute(&mut **tx).await?;
    Ok(())
}

/// Writes the current version to history. Of two that do so at the same time the history's key lets one through.
pub(in crate::store) async fn keep(
    tx: &mut Transaction<'_, Any>,
    table: Table<'_>,
    current: &Current,
    now: i64,
) -> Result<(), StoreError> {
    let mut keep =
        Sql::new("INSERT INTO resource_history (tenant, kind, id, version, updated_us, tail, origin, until_us)");
    keep.push(" SELECT tenant, ").bind(table.kind).push(", id, ").bind(current.version);
    keep.push(", updated_us, tail, origin, ").bind(now).push(" FROM ").push(table.name);
    keep.push(" WHERE row_id = ").bind(current.row_id);
    keep.query().execute(&mut **tx).await?;
    Ok(())
}

/// Takes a resource's current version out of what is searched.
pub(in crate::store) async fn forget_terms(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    table: Table<'_>,
    row: Option<&ResourceRow>,
    current: &Current,
) -> Result<(), StoreError> {
    let before = Index::of(tenant, row, &whole(table.kind, &current.tail)?);
    index::forget(tx, table, current.row_id, &before).await
}

/// Ends a deletion: what was deleted is about to be written again.
pub(in crate::store) async fn revive(
    tx: &mut Transaction<'_, Any>,
    tenant: &TenantId,
    kind: &str,
    id: &str,
    now: i64,
) -> Result<(), StoreError> {
    let mut sql = Sql::new("UPDATE resource_history SET until_us = ");
    sql.bind(now).push(" WHERE tenant = ").bind(tenant.as_str()).push(" AND kind = ").bind(kind);
    sql.push(" AND id = ").bind(id).push(" AND until_us IS NULL");
    sql.query().execute(&mut **tx).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Versions;
    use crate::store::fixture::{observation, store, tenant};

    #[tokio::test]
    async fn the_same_content_makes_no_new_version() {
        let (_directory, store) = store().await;
        let tenant = tenant("a");
        let first = store.put(&tenant, vec![observation("o1", "p1", "2026-01-18T14:00:00.000Z", "60")]).await.unwrap();
        assert_eq!(first, Upserted { created: 1, ..Upserted::default() });
        let again = store.put(&tenant, vec![observation("o1", "p1", "2026-01-18T14:00:00.000Z", "60")]).await.unwrap();
        assert_eq!(again, Upserted { unchanged: 1, ..Upserted::default() });
        let changed =
            store.put(&tenant, vec![observation("o1", "p2", "2026-01-18T15:00:00.000Z", "61")]).await.unwrap();
        assert_eq!(changed, Upserted { updated: 1, ..Upserted::default() });

        let id = crate::id::ResourceId::new("o1").unwrap();
        assert_eq!(store.read(&tenant, "Observation", &id).await.unwrap().unwrap().version, 2);
        assert_eq!(store.vread(&tenant, "Observation", &id, 1).await.unwrap().unwrap().version, 1);
        assert!(store.vread(&tenant, "Observation", &id, 3).await.unwrap().is_none());
        let all =
            Versions { kinds: vec!["Observation".to_owned()], id: Some(id.clone()), count: 9, ..Versions::default() };
        let versions: Vec<i64> = store.history(&tenant, &all).await.unwrap().0.iter().map(|v| v.version).collect();
        assert_eq!(versions, [2, 1]);
        assert!(store.read(&super::super::fixture::tenant("b"), "Observation", &id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_a_provenance_names_no_longer_was_an_error() {
        let (_directory, store) = store().await;
        let tenant = tenant("a");
        let provenance = |targets: &[&str]| {
            let targets: Vec<_> = targets.iter().map(|t| serde_json::json!({"reference": t})).collect();
            let body = serde_json::json!({"resourceType": "Provenance", "id": "w1", "target": targets});
            let element = json::parse(body.to_string().as_bytes()).unwrap();
            Resource { kind: "Provenance".to_owned(), id: crate::id::ResourceId::new("w1").unwrap(), element }
        };
        let observation = |id| observation(id, "p1", "2026-01-18T14:00:00.000Z", "60");
        let first = vec![observation("o1"), observation("o2"), provenance(&["Observation/o1", "Observation/o2"])];
        store.put(&tenant, first).await.unwrap();
        store.put(&tenant, vec![observation("o1"), provenance(&["Observation/o1"])]).await.unwrap();
        let status = |id: &'static str| {
            let (store, tenant) = (store.clone(), tenant.clone());
            async move {
                let id = crate::id::ResourceId::new(id).unwrap();
                let stored = store.read(&tenant, "Observation", &id).await.unwrap().unwrap();
                let json: serde_json::Value = serde_json::from_slice(&stored.json()).unwrap();
                (stored.version, json["status"].as_str().unwrap().to_owned())
            }
        };
        assert_eq!(status("o1").await, (1, "final".to_owned()));
        assert_eq!(status("o2").await, (2, "entered-in-error".to_owned()));
        // It is found again: it counts again.
        let again = vec![observation("o2"), provenance(&["Observation/o1", "Observation/o2"])];
        store.put(&tenant, again).await.unwrap();
        assert_eq!(status("o2").await, (3, "final".to_owned()));
    }

    #[test]
    fn the_last_of_two_counts() {
        let draft = |id: &str, tail: u8| {
            let index = Index::of(&tenant("a"), None, &crate::fhir::Element::default());
            let prepared = Prepared { id: id.to_owned(), version: 1, targets: Vec::new(), tail: vec![tail], index };
            Draft { kind: "Device".to_owned(), prepared, issues: None, packets: None }
        };
        let kept = last_of_each(vec![draft("a", 1), draft("b", 2), draft("a", 3)]);
        let kept: Vec<_> = kept.iter().map(|d| (d.prepared.id.as_str(), d.prepared.tail[0])).collect();
        assert_eq!(kept, [("a", 3), ("b", 2)]);
    }
}
