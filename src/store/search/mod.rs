//! Search in one resource type, page by page. <https://hl7.org/fhir/R4/search.html>
//!
//! A search is: turn its filters into conditions on columns (`resolve`), see which cohorts have the common values among them
//! (`cohort`), pick the index that narrows most (`plan`), read one
//! page of it in order (`order`), starting after the last resource of the page before (`cursor`), fetch what the page refers
//! to and what refers to the page (`include`). A page starts at a place in the order and not at a count, so resources that
//! arrive while somebody pages are neither repeated nor push others out. What a page costs depends on the page.

mod cohort;
mod condition;
mod cursor;
mod explain;
mod filter;
mod include;
mod matching;
mod measure;
mod order;
mod plan;
mod resolve;
mod span;
#[cfg(test)]
mod tests;
mod units;

use sqlx::Row as _;

pub use cursor::{Cursor, InvalidCursor};
pub use explain::Explained;
pub use filter::{Filter, How, QuantityMatch, StringMatch, TermMatch, UnitMatch};
pub(in crate::store) use units::holds;

use super::read::Stored;
use super::sql::{Row, Sql};
use super::{Store, StoreError};
use crate::capability::Column;
use crate::id::TenantId;
use plan::Plan;

/// Most values in one statement; SQLite has up to 32,766.
const MOST_VALUES: usize = 30_000;

/// A search, its values checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// `resourceType`.
    pub kind: String,
    /// All of them must hold.
    pub filters: Vec<Filter>,
    /// First key first; empty leaves the order to the store (newest first where an index gives that).
    pub sort: Vec<Sort>,
    /// Most matches on a page.
    pub count: usize,
    /// Where the page before ended.
    pub after: Option<Cursor>,
    /// Whether to count all matches.
    pub total: bool,
    /// References of the matches to follow.
    pub includes: Vec<Include>,
    /// References to the matches to follow back.
    pub revincludes: Vec<Include>,
}

/// A key of `_sort`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by.
    pub key: SortKey,
    /// `-` before it.
    pub descending: bool,
}

/// What resources can be sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortKey {
    /// A column.
    Column(Column),
    /// The first of the texts of a parameter.
    String(String),
    /// The first of the dates of a parameter.
    Moment(String),
}

/// A value of `_include` or `_revinclude`: `Observation:device`, `Provenance:target:Observation`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Type that holds the reference.
    pub kind: String,
    /// Its search parameter.
    pub parameter: String,
    /// Type the reference must lead to, where given.
    pub target: Option<String>,
    /// Whether to follow it from what came along as well (`:iterate`).
    pub iterate: bool,
}

/// One page of what was found.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// What matches, in order.
    pub matches: Vec<Stored>,
    /// What came along.
    pub included: Vec<Stored>,
    /// Where the next page starts; none on the last.
    pub next: Option<Cursor>,
    /// How many match in all: where asked for, or where this page holds them all.
    pub total: Option<u64>,
}

impl Store {
    /// One page of a search.
    ///
    /// # Errors
    /// A chain leads over too much, the page would bring too much along, or the database fails.
    pub async fn search(&self, tenant: &TenantId, search: &Search) -> Result<Page, StoreError> {
        let conditions = self.resolve(tenant, &search.kind, &search.filters).await?;
        let cohorts = self.cohorts(&search.kind, &conditions, &self.readers).await?;
        let plan = Plan::of(tenant, search, (&conditions, cohorts.as_deref()), self.clock.now());
        let mut page = if search.count == 0 { Page::default() } else { self.page(&plan, search).await? };
        let complete = search.count > 0 && search.after.is_none() && page.next.is_none();
        page.total = match (complete, search.total) {
            (true, _) => u64::try_from(page.matches.len()).ok(),
            (false, true) => Some(self.count(&plan).await?),
            (false, false) => None,
        };
        page.included = self.included(tenant, search, &page.matches).await?;
        Ok(page)
    }

    async fn page(&self, plan: &Plan<'_>, search: &Search) -> Result<Page, StoreError> {
        let rows = self.rows(plan.page()).await?;
        let shown = rows.get(..search.count).unwrap_or(&rows);
        let matches = self.unpacked(&search.kind, shown).await?;
        let last = shown.last().filter(|_| rows.len() > search.count);
        Ok(Page { matches, next: last.map(|row| plan.cursor(row)).transpose()?, ..Page::default() })
    }

    /// The rows of a statement, unless it asks for more values than a statement may have.
    async fn rows(&self, sql: Sql) -> Result<Vec<Row>, StoreError> {
        if sql.values() > MOST_VALUES {
            return Err(StoreError::TooBroad { parameter: "query".to_owned(), most: MOST_VALUES });
        }
        Ok(sql.query().fetch_all(&self.readers).await?)
    }

    async fn count(&self, plan: &Plan<'_>) -> Result<u64, StoreError> {
        let rows = self.rows(plan.count()).await?;
        let count: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
