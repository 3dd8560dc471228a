//! The indexes are made again when what they are made by has changed: another table of search parameters, another way to
//! index. What made them is remembered as a fingerprint in the database.
//!
//! It is one transaction: whoever starts at the same time waits for it, and one that is interrupted has not happened.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use sqlx::{Any, Row as _, Transaction};

use super::{Index, VERSION, insert};
use crate::capability::Capability;
use crate::id::TenantId;
use crate::store::resource::whole;
use crate::store::sql::Sql;
use crate::store::table::Table;
use crate::store::{Store, StoreError};

/// Resources per round.
const AT_ONCE: i64 = 500;

/// Tables of values, beside which resource tables they are.
const VALUES: [(&str, &[&str]); 5] = [
    ("_term", &["Observation", "Provenance", "DocumentReference", "Device", "Patient", "Organization", "Binary", ""]),
    ("_cohort", &["Observation", "Provenance", "DocumentReference", "Device", "Patient", "Organization", "Binary", ""]),
    ("_string", &["Observation", "DocumentReference", "Device", "Patient", "Organization", ""]),
    ("_moment", &["Observation", "Provenance", "DocumentReference", "Patient", ""]),
    ("_quantity", &["Observation", ""]),
];

/// A resource to be indexed again.
struct Known {
    row_id: i64,
    tenant: String,
    kind: String,
    tail: Vec<u8>,
}

impl Store {
    /// Makes the indexes again if they were made by anything else than what this process indexes by.
    pub(in crate::store) async fn keep_indexes(&self) -> Result<(), StoreError> {
        let wanted = fingerprint(&self.capability);
        if known(&self.readers).await?.as_deref() == Some(&wanted) {
            return Ok(());
        }
        let mut tx = self.begin_numbering().await?;
        // Somebody may have done it while this one waited.
        if known(&mut *tx).await?.as_deref() == Some(&wanted) {
            return Ok(());
        }
        let count = self.rebuild(&mut tx).await?;
        execute(&mut tx, Sql::new("DELETE FROM search_index")).await?;
        let mut keep = Sql::new("INSERT INTO search_index (fingerprint) VALUES (");
        keep.bind(wanted.as_str()).push(")");
        execute(&mut tx, keep).await?;
        tx.commit().await?;
        if count > 0 {
            tracing::info!(resources = count, "search indexes made again");
        }
        Ok(())
    }

    async fn rebuild(&self, tx: &mut Transaction<'_, Any>) -> Result<usize, StoreError> {
        self.bodies.load(&mut **tx).await?;
        for table in ["quantity_unit", "observation_series"] {
            execute(tx, Sql::new(&format!("DELETE FROM {table}"))).await?;
        }
        for (values, kinds) in VALUES {
            for kind in kinds {
                let mut sql = Sql::new("DELETE FROM ");
                sql.push(Table::of(kind).name).push(values);
                execute(tx, sql).await?;
            }
        }
        let mut count = 0;
        for (_, kinds) in VALUES.iter().take(1) {
            for kind in *kinds {
                let table = Table::of(kind);
                let mut last = i64::MIN;
                loop {
                    let round = next(tx, table, last).await?;
                    let Some(end) = round.last().map(|known| known.row_id) else { break };
                    count += round.len();
                    last = end;
                    self.index_again(tx, table, round).await?;
                }
            }
        }
        Ok(count)
    }

    async fn index_again(
        &self,
        tx: &mut Transaction<'_, Any>,
        table: Table<'_>,
        round: Vec<Known>,
    ) -> Result<(), StoreError> {
        let mut indexed: BTreeMap<(TenantId, String), Vec<(i64, Index)>> = BTreeMap::new();
        for Known { row_id, tenant, kind, tail } in round {
            let tenant = TenantId::new(&tenant).map_err(|_| StoreError::Damaged { what: "tenant" })?;
            let index = Index::of(&tenant, self.capability.resource(&kind), &whole(&kind, &self.bodies.decode(tail)?)?);
            let mut sql = Sql::new("UPDATE ");
            sql.push(table.name).push(" SET subject = ").bind(index.subject);
            sql.push(", date_us = ").bind(index.date.from).push(", span_us = ").bind(index.date.length());
            sql.push(", present = ").bind(index.present).push(", cohort = ").bind(index.cohort);
            sql.push(" WHERE row_id = ").bind(row_id);
            execute(tx, sql).await?;
            indexed.entry((tenant, kind)).or_default().push((row_id, index));
        }
        for ((tenant, kind), indexed) in indexed {
            insert(tx, &tenant, Table::of(&kind), &indexed).await?;
        }
        Ok(())
    }
}

async fn next(tx: &mut Transaction<'_, Any>, table: Table<'_>, after: i64) -> Result<Vec<Known>, StoreError> {
    let mut sql = Sql::new("SELECT row_id, tenant, tail");
    sql.push(if table.shared { ", kind" } else { "" }).push(" FROM ").push(table.name);
    sql.push(" WHERE row_id > ").bind(after).push(" ORDER BY row_id").limit(AT_ONCE);
    let rows = sql.query().fetch_all(&mut **tx).await?;
    let known = |row: &sqlx::any::AnyRow| {
        let kind = if table.shared { row.try_get(3)? } else { table.kind.to_owned() };
        Ok(Known { row_id: row.try_get(0)?, tenant: row.try_get(1)?, kind, tail: row.try_get(2)? })
    };
    rows.iter().map(known).collect()
}

async fn known(database: impl sqlx::Executor<'_, Database = Any>) -> Result<Option<String>, StoreError> {
    let row = sqlx::query("SELECT fingerprint FROM search_index").fetch_optional(database).await?;
    Ok(row.map(|row| row.try_get(0)).transpose()?)
}

async fn execute(tx: &mut Transaction<'_, Any>, sql: Sql) -> Result<(), StoreError> {
    sql.query().execute(&mut **tx).await?;
    Ok(())
}

/// Of everything that decides which values of a resource stand under what.
fn fingerprint(capability: &Capability) -> String {
    let mut digest = Sha256::new();
    digest.update(VERSION.to_be_bytes());
    for row in capability.resources() {
        digest.update(format!("{} {:?}", row.resource, row.parameters));
    }
    hex::encode(digest.finalize())
}

#[cfg(test)]
mod tests {
    use crate::store::fixture::{database, observation, open, resource, tenant};
    use crate::store::search::{Filter, How, Search, StringMatch, TermMatch};

    /// A database from before there were fingerprints, strings and quantities, and one whose indexes were made otherwise.
    #[tokio::test]
    async fn indexes_made_by_anything_else_are_made_again() {
        let directory = tempfile::TempDir::new().unwrap();
        let url = database(&directory).await;
        let resources = vec![
            observation("o1", "p1", "2026-01-18T14:00:00.000Z", "60"),
            resource("Patient", "p1", r#","name":[{"family":"Wave"}]"#),
            resource("Condition", "c1", r#","subject":{"reference":"Patient/p1"},"recordedDate":"2026-01-15""#),
        ];
        let store = open(&url).await;
        store.put(&tenant("a"), resources).await.unwrap();
        for table in
            ["observation_cohort", "patient_string", "observation_quantity", "quantity_unit", "other_resource_cohort"]
        {
            store.tamper(Box::leak(format!("DELETE FROM {table}").into_boxed_str())).await;
        }
        store.tamper("UPDATE observation SET present = 0, subject = 0, cohort = 0").await;
        store.tamper("UPDATE other_resource SET subject = 0").await;
        store.tamper("INSERT INTO observation_term (term, system, row_id) VALUES (1, 2, 3)").await;
        let name = Filter::String {
            parameter: "name".to_owned(),
            values: vec![StringMatch { how: How::Start, text: "wa".to_owned() }],
        };
        let code = Filter::Term { parameter: "code".to_owned(), values: vec![TermMatch::of("8867-4".to_owned())] };
        let about = Filter::Subject(vec!["Patient/p1".to_owned()]);
        let searches = [("Patient", name), ("Observation", code), ("Observation", about.clone()), ("Condition", about)];
        let count = async |store: &crate::store::Store, kind: &str, filter: &Filter| {
            let search = Search { kind: kind.to_owned(), filters: vec![filter.clone()], count: 9, ..Search::default() };
            store.search(&tenant("a"), &search).await.unwrap().matches.len()
        };
        // As long as the fingerprint says so they are taken to be right.
        store.close().await;
        let store = open(&url).await;
        for (kind, filter) in &searches {
            assert_eq!(count(&store, kind, filter).await, 0, "{filter:?}");
        }
        for statement in ["DELETE FROM search_index", "UPDATE search_index SET fingerprint = 'another'"] {
            store.tamper(statement).await;
            let again = open(&url).await;
            for (kind, filter) in &searches {
                assert_eq!(count(&again, kind, filter).await, 1, "{filter:?}");
            }
            again.close().await;
        }
        store.close().await;
    }
}
