//! What the database makes of a search, for operators.

use sqlx::Row as _;

use super::plan::Plan;
use super::{Search, Store, StoreError};
use crate::id::TenantId;
use crate::store::sql::Sql;

/// A statement and the database's plan of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// The text, `$n` where values stand.
    pub sql: String,
    /// The plan, a line each; what is inside of something stands two blanks further in.
    pub plan: Vec<String>,
}

impl Store {
    /// What reading a page of a search takes. What chains and value sets come to is asked of the database.
    ///
    /// # Errors
    /// A chain leads over too much, or the database fails.
    pub async fn explain(&self, tenant: &TenantId, search: &Search) -> Result<Explained, StoreError> {
        let conditions = self.resolve(tenant, &search.kind, &search.filters).await?;
        let cohorts = self.cohorts(&search.kind, &conditions, &self.readers).await?;
        let page = Plan::of(tenant, search, (&conditions, cohorts.as_deref()), self.clock.now()).page();
        let sql = page.text().to_owned();
        Ok(Explained { sql, plan: self.plan(page).await? })
    }

    /// The database's plan of a statement.
    pub(in crate::store) async fn plan(&self, sql: Sql) -> Result<Vec<String>, StoreError> {
        let mut explain = Sql::new(if self.is_shared() { "EXPLAIN " } else { "EXPLAIN QUERY PLAN " });
        explain.append(sql);
        let rows = explain.query().fetch_all(&self.readers).await?;
        if self.is_shared() {
            return Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?);
        }
        // id, parent, nothing, text: what is inside comes after what it is in.
        let mut depths: Vec<(i64, usize)> = vec![(0, 0)];
        let mut lines = Vec::with_capacity(rows.len());
        for row in &rows {
            let (id, parent, text): (i64, i64, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(3)?);
            let depth = depths.iter().rev().find(|(of, _)| *of == parent).map_or(0, |(_, depth)| *depth);
            depths.push((id, depth + 1));
            lines.push("  ".repeat(depth) + &text);
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fixture::{observation, store, tenant};
    use crate::store::search::Filter;

    #[tokio::test]
    async fn a_plan_names_the_index_it_uses() {
        let (_directory, store) = store().await;
        store.put(&tenant("a"), vec![observation("o1", "p1", "2026-01-18T14:00:00Z", "60")]).await.unwrap();
        let filters = vec![Filter::Subject(vec!["Patient/p1".to_owned()])];
        let search = Search { kind: "Observation".to_owned(), filters, count: 5, ..Search::default() };
        let explained = store.explain(&tenant("a"), &search).await.unwrap();
        assert!(explained.sql.starts_with("SELECT") && !explained.sql.contains("p1"), "{}", explained.sql);
        assert!(explained.plan.iter().any(|line| line.contains("observation_subject")), "{:#?}", explained.plan);
    }
}
