//! Versions of resources, the newest first: of one, of a type, of several types.
//! <https://hl7.org/fhir/R4/http.html#history>
//!
//! What is current is in the tables of the types, what was is in `resource_history`, deletions among it. Both are read in
//! the order of the page and merged. A page starts at a place in that order, so versions that come meanwhile move none.

use super::date::Span;
use super::read::Stored;
use super::sql::Sql;
use super::table::Table;
use super::{Store, StoreError};
use crate::id::{ResourceId, TenantId};

/// Which versions to read.
#[derive(Debug, Clone, Default)]
pub struct Versions {
    /// Of these types.
    pub kinds: Vec<String>,
    /// Of this resource alone.
    pub id: Option<ResourceId>,
    /// Made at or after this, in microseconds since 1970.
    pub since_us: Option<i64>,
    /// The current ones at some moment of this span.
    pub at: Option<Span>,
    /// Where the page before ended.
    pub after: Option<Place>,
    /// Most of them.
    pub count: usize,
}

/// A version's place in the order: the newest first, then by type and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    updated_us: i64,
    version: i64,
    kind: String,
    id: String,
}

impl Place {
    /// As the text of a link.
    pub fn encode(&self) -> String {
        format!("{}.{}.{}.{}", self.updated_us, self.version, self.kind, self.id)
    }

    /// From the text of a link.
    pub fn decode(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let updated_us = parts.next()?.parse().ok()?;
        let version = parts.next()?.parse().ok()?;
        let kind = parts.next()?.to_owned();
        let id = ResourceId::new(parts.next()?).ok()?.into();
        Some(Self { updated_us, version, kind, id })
    }

    fn of(stored: &Stored) -> Self {
        let (kind, id) = (stored.kind.clone(), stored.id.clone());
        Self { updated_us: stored.updated.0, version: stored.version, kind, id }
    }
}

impl Store {
    /// A page of versions, and where the next one starts.
    ///
    /// # Errors
    /// The database fails.
    pub async fn history(
        &self,
        tenant: &TenantId,
        versions: &Versions,
    ) -> Result<(Vec<Stored>, Option<Place>), StoreError> {
        let mut found = Vec::new();
        for kind in &versions.kinds {
            for sql in [current(tenant, kind, versions), past(tenant, kind, versions)] {
                found.extend(self.stored(kind, sql).await?);
            }
        }
        found.sort_by(|a, b| {
            let newest = b.updated.cmp(&a.updated).then_with(|| a.kind.cmp(&b.kind));
            newest.then_with(|| a.id.cmp(&b.id)).then_with(|| b.version.cmp(&a.version))
        });
        // One that became history between the two statements is in both.
        found.dedup_by(|a, b| a.version == b.version && a.id == b.id && a.kind == b.kind);
        let more = found.len() > versions.count;
        found.truncate(versions.count);
        let next = found.last().filter(|_| more).map(Place::of);
        Ok((found, next))
    }
}

fn current(tenant: &TenantId, kind: &str, versions: &Versions) -> Sql {
    let table = Table::of(kind);
    let mut sql = Sql::new("SELECT v.id, v.version, v.updated_us, v.tail FROM ");
    sql.push(table.name).push(" v WHERE ");
    table.scope(&mut sql, "v", tenant);
    push_which(&mut sql, kind, versions);
    sql
}

fn past(tenant: &TenantId, kind: &str, versions: &Versions) -> Sql {
    let mut sql = Sql::new("SELECT v.id, v.version, v.updated_us, v.tail FROM resource_history v WHERE v.tenant = ");
    sql.bind(tenant.as_str()).push(" AND v.kind = ").bind(kind);
    if let Some(at) = versions.at {
        sql.push(" AND COALESCE(v.until_us, ").bind(i64::MAX).push(") > ").bind(at.from);
    }
    push_which(&mut sql, kind, versions);
    sql
}

fn push_which(sql: &mut Sql, kind: &str, versions: &Versions) {
    if let Some(id) = &versions.id {
        sql.push(" AND v.id = ").bind(id.as_str());
    }
    if let Some(since) = versions.since_us {
        sql.push(" AND v.updated_us >= ").bind(since);
    }
    if let Some(at) = versions.at {
        sql.push(" AND v.updated_us < ").bind(at.until);
    }
    if let Some(after) = &versions.after {
        sql.push(" AND v.updated_us <= ").bind(after.updated_us);
        match kind.cmp(after.kind.as_str()) {
            std::cmp::Ordering::Greater => {}
            std::cmp::Ordering::Less => {
                sql.push(" AND v.updated_us < ").bind(after.updated_us);
            }
            std::cmp::Ordering::Equal => {
                sql.push(" AND (v.updated_us < ").bind(after.updated_us).push(" OR v.id > ").bind(after.id.as_str());
                sql.push(" OR (v.id = ").bind(after.id.as_str());
                sql.push(" AND v.version < ").bind(after.version).push("))");
            }
        }
    }
    sql.push(" ORDER BY v.updated_us DESC, v.id, v.version DESC");
    sql.limit(i64::try_from(versions.count).unwrap_or(i64::MAX).saturating_add(1));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{observation, provenance, store, tenant};

    #[tokio::test]
    async fn pages_hold_every_version_once() {
        let (_directory, store) = store().await;
        let tenant = tenant("a");
        for rate in ["60", "61", "62"] {
            let resources = (0..5).map(|i| observation(&format!("o{i}"), "p", "2026-01-18T14:00:00.000Z", rate));
            store.put(&tenant, resources.collect()).await.unwrap();
        }
        store.put(&tenant, vec![provenance("v", "Observation/o1")]).await.unwrap();
        let kinds = vec!["Observation".to_owned(), "Provenance".to_owned()];
        let mut versions = Versions { kinds, count: 4, ..Versions::default() };
        let mut seen = Vec::new();
        loop {
            let (page, next) = store.history(&tenant, &versions).await.unwrap();
            assert!(page.len() <= 4);
            seen.extend(page.iter().map(|v| (v.reference(), v.version)));
            let Some(next) = next else { break };
            assert_eq!(Place::decode(&next.encode()).as_ref(), Some(&next));
            versions.after = Some(next);
        }
        let mut each = seen.clone();
        each.sort();
        each.dedup();
        assert_eq!((seen.len(), each.len()), (16, 16));
    }
}
