//! Search in one resource type, page by page. <https://hl7.org/fhir/R4/search.html>
//!
//! A search is: pick the index that narrows most (`plan`), read one page of it in order, starting after the last resource
//! of the page before (`cursor`), fetch what the page refers to and what refers to the page (`include`). A page starts at
//! a place in the order and not at a count, so resources that arrive while somebody pages are neither repeated nor push
//! others out. What a page costs depends on the page.

mod cursor;
mod include;
mod plan;
#[cfg(test)]
mod tests;

use sqlx::Row as _;

pub use cursor::{Cursor, InvalidCursor};

use super::date::DateMatch;
use super::read::Stored;
use super::sql::Row;
use super::{Store, StoreError};
use crate::capability::Column;
use crate::id::TenantId;
use plan::Plan;

/// A search, its values checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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

/// One search parameter with its alternatives, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Logical id.
    Id(Vec<String>),
    /// `meta.lastUpdated`.
    Updated(Vec<DateMatch>),
    /// Reference the type's subject is, such as `Patient/x`.
    Subject(Vec<String>),
    /// The type's date.
    Date(Vec<DateMatch>),
    /// A parameter whose values are terms.
    Term {
        /// Its name.
        parameter: String,
        /// Codes or references.
        values: Vec<TermMatch>,
    },
}

/// One value of a token or reference parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TermMatch {
    /// The system it must be from, empty for none; `None` leaves it open.
    pub system: Option<String>,
    /// The code or reference.
    pub value: String,
}

impl TermMatch {
    /// A reference, or a code whose system is left open.
    pub fn of(value: String) -> Self {
        Self { system: None, value }
    }
}

/// A key of `_sort`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// What to sort by.
    pub column: Column,
    /// `-` before it.
    pub descending: bool,
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
    /// The database fails.
    pub async fn search(&self, tenant: &TenantId, search: &Search) -> Result<Page, StoreError> {
        let plan = Plan::of(&self.capability, tenant, search, self.clock.now());
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
        let rows: Vec<Row> = plan.page().query().fetch_all(&self.readers).await?;
        let mut page = Page::default();
        let mut last = None;
        for row in rows.iter().take(search.count) {
            // Two codings of one resource with the same code in different systems stand side by side in the index.
            let cursor = plan.cursor(row)?;
            if last.as_ref() != Some(&cursor) {
                page.matches.push(Stored::from_row(&search.kind, row)?);
            }
            last = Some(cursor);
        }
        page.next = last.filter(|_| rows.len() > search.count);
        Ok(page)
    }

    async fn count(&self, plan: &Plan<'_>) -> Result<u64, StoreError> {
        let row = plan.count().query().fetch_one(&self.readers).await?;
        let count: i64 = row.try_get(0)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
