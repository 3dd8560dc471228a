//! From conditions to SQL: which index leads, which conditions are left, and the order.
//!
//! Three shapes. Where a token or reference parameter is given (and no id), its terms lead: `<table>_term` is read along
//! its key and joined to the resources by row. Where only a string, quantity or further date narrows, the rows that have
//! its values lead. Otherwise the resource table leads and the database picks one of its indexes. In all shapes a join is
//! written `CROSS JOIN` with the leading table first, which SQLite takes as the order to join in; PostgreSQL finds it by what
//! it knows of the tables. Conditions on further parameters are `EXISTS` probes by key.

use sqlx::Row as _;

use super::condition::{Condition, Scope, Term, Terms, groups};
use super::cursor::Cursor;
use super::order::{Key, order};
use super::{Search, Sort};
use crate::id::TenantId;
use crate::store::StoreError;
use crate::store::sql::{Row, Sql, Value};
use crate::store::table::Table;
use crate::time::Instant;

/// How a search will be run.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    scope: Scope<'a>,
    conditions: &'a [Condition],
    lead: Lead<'a>,
    /// The one subject searched for, if it is one.
    subject: Option<i64>,
    order: Vec<Key>,
    count: usize,
    after: Option<&'a Cursor>,
}

/// What is read first, with its place among the conditions.
#[derive(Debug, Clone, Copy)]
enum Lead<'a> {
    /// The resource table, along one of its indexes.
    Resources,
    Terms(usize, &'a Terms),
    /// The rows that have a value.
    Values(usize, &'a Condition),
}

impl<'a> Plan<'a> {
    /// For what `search` asks of resources, its filters being `conditions`.
    pub(super) fn of(tenant: &'a TenantId, search: &'a Search, conditions: &'a [Condition], now: Instant) -> Self {
        let mut plan = Self::all(tenant, &search.kind, conditions, &search.sort, now);
        plan.count = search.count;
        plan.after = search.after.as_ref();
        plan
    }

    /// For all resources for which `conditions` hold.
    pub(super) fn all(
        tenant: &'a TenantId,
        kind: &'a str,
        conditions: &'a [Condition],
        sort: &[Sort],
        now: Instant,
    ) -> Self {
        let table = Table::of(kind);
        let subject = single_subject(conditions);
        let lead = lead(conditions, !sort.is_empty(), subject.is_some());
        let scope = Scope { table, tenant, now, terms_lead: matches!(lead, Lead::Terms(..)) };
        let order = order(&scope, sort, subject.is_some());
        Self { scope, conditions, lead, subject, order, count: 0, after: None }
    }

    /// The statement that reads one page and one row more.
    pub(super) fn page(&self) -> Sql {
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail");
        for key in &self.order {
            sql.push(", ").push(&key.column);
        }
        self.push_from_where(&mut sql, self.after);
        sql.push(" ORDER BY ");
        for (i, key) in self.order.iter().enumerate() {
            sql.push(if i == 0 { "" } else { ", " }).push(&key.column);
            sql.push(if key.descending { " DESC" } else { "" });
        }
        sql.push(" LIMIT ").bind(limit(self.count));
        sql
    }

    /// The statement that counts.
    pub(super) fn count(&self) -> Sql {
        let repeats = match self.lead {
            Lead::Terms(_, terms) => terms.values.iter().any(|value| value.repeats()),
            Lead::Resources | Lead::Values(..) => false,
        };
        if let Lead::Terms(_, Terms { values, .. }) = self.lead
            && let [value] = values.as_slice()
            && self.terms_suffice()
        {
            let mut sql = Sql::new(if repeats { "SELECT COUNT(DISTINCT k.row_id)" } else { "SELECT COUNT(*)" });
            sql.push(" FROM ").push(self.scope.table.name).push("_term k WHERE ");
            self.push_term(&mut sql, "k", *value);
            return sql;
        }
        let mut sql = Sql::new(if repeats { "SELECT COUNT(DISTINCT r.row_id)" } else { "SELECT COUNT(*)" });
        self.push_from_where(&mut sql, None);
        sql
    }

    /// The statement that reads the ids of all, up to `most` and one more, in no order.
    pub(super) fn ids(&self, most: usize) -> Sql {
        let mut sql = Sql::new("SELECT DISTINCT r.id");
        self.push_from_where(&mut sql, None);
        sql.push(" LIMIT ").bind(limit(most));
        sql
    }

    /// The statement that reads resources whole, up to `most` and one more, in no order: all of them, or one per subject.
    pub(super) fn whole(&self, per_subject: bool, most: usize) -> Sql {
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail FROM ");
        sql.push(self.scope.table.name).push(" r WHERE r.row_id IN (SELECT ");
        sql.push(if per_subject { "MIN(r.row_id)" } else { "r.row_id" });
        self.push_from_where(&mut sql, None);
        if per_subject {
            sql.push(" GROUP BY ").push(&self.scope.leading("subject"));
        }
        sql.push(" LIMIT ").bind(limit(most)).push(")");
        sql
    }

    /// Whether the leading terms alone say what matches: the search has them and at most one subject.
    fn terms_suffice(&self) -> bool {
        self.conditions.len() == 1 + usize::from(self.subject.is_some())
    }

    /// Where a row of [`Plan::page`] stands in the order.
    pub(super) fn cursor(&self, row: &Row) -> Result<Cursor, StoreError> {
        let at = self.order.iter().enumerate().map(|(i, key)| {
            let place = i + 4;
            Ok(if key.text { Value::Text(row.try_get(place)?) } else { Value::Int(row.try_get(place)?) })
        });
        Ok(Cursor { at: at.collect::<Result<_, StoreError>>()? })
    }

    fn push_from_where(&self, sql: &mut Sql, after: Option<&Cursor>) {
        sql.push(" FROM ");
        let mut done = None;
        match self.lead {
            Lead::Resources => {
                sql.push(self.scope.table.name).push(" r WHERE ");
                self.scope.table.scope(sql, "r", self.scope.tenant);
            }
            Lead::Terms(place, terms) => {
                done = Some(place);
                self.push_lead(sql, &terms.values);
                sql.push(" k CROSS JOIN ").push(self.scope.table.name).push(" r WHERE r.row_id = k.row_id");
                if let [one] = terms.values.as_slice() {
                    sql.push(" AND ");
                    self.push_term(sql, "k", *one);
                }
            }
            Lead::Values(place, condition) => {
                done = Some(place);
                sql.push("(SELECT DISTINCT v.row_id FROM ");
                self.scope.push_values(sql, condition);
                sql.push(") k CROSS JOIN ").push(self.scope.table.name).push(" r WHERE r.row_id = k.row_id AND ");
                self.scope.table.scope(sql, "r", self.scope.tenant);
            }
        }
        for (place, condition) in self.conditions.iter().enumerate() {
            if done != Some(place) {
                sql.push(" AND (");
                self.scope.push(sql, condition);
                sql.push(")");
            }
        }
        if let Some(after) = after {
            self.push_after(sql, after);
        }
    }

    /// The leading terms: the table itself for one value, for several the rows of any of them.
    fn push_lead(&self, sql: &mut Sql, values: &[Term]) {
        if values.len() == 1 {
            sql.push(self.scope.table.name).push("_term");
            return;
        }
        sql.push("(");
        for (i, group) in groups(values).iter().enumerate() {
            sql.push(if i == 0 { "SELECT DISTINCT" } else { " UNION SELECT" });
            sql.push(" t.subject, t.date_us, t.row_id FROM ").push(self.scope.table.name).push("_term t WHERE ");
            self.scope.push_terms(sql, "t", group);
            self.push_subject(sql, "t");
        }
        sql.push(")");
    }

    fn push_term(&self, sql: &mut Sql, alias: &str, value: Term) {
        self.scope.push_term(sql, alias, value);
        self.push_subject(sql, alias);
    }

    fn push_subject(&self, sql: &mut Sql, alias: &str) {
        if let Some(subject) = self.subject {
            sql.push(" AND ").push(alias).push(".subject = ").bind(subject);
        }
    }

    /// `(a, b) < (…)` where all keys run the same way, else the same written out.
    fn push_after(&self, sql: &mut Sql, after: &Cursor) {
        let fits = |(key, value): (&Key, &Value)| key.text == matches!(value, Value::Text(_));
        if after.at.len() != self.order.len() || !self.order.iter().zip(&after.at).all(fits) {
            sql.push(" AND 1 = 0");
            return;
        }
        let descending = self.order.first().is_some_and(|key| key.descending);
        if self.order.iter().all(|key| key.descending == descending) {
            sql.push(" AND (");
            for (i, key) in self.order.iter().enumerate() {
                sql.push(if i == 0 { "" } else { ", " }).push(&key.column);
            }
            sql.push(if descending { ") < (" } else { ") > (" });
            sql.bind_list(after.at.iter().cloned());
            sql.push(")");
            return;
        }
        sql.push(" AND (");
        for (i, (key, value)) in self.order.iter().zip(&after.at).enumerate() {
            sql.push(if i == 0 { "(" } else { " OR (" });
            for (earlier, value) in self.order.iter().zip(&after.at).take(i) {
                sql.push(&earlier.column).push(" = ").bind(value.clone()).push(" AND ");
            }
            sql.push(&key.column).push(if key.descending { " < " } else { " > " }).bind(value.clone()).push(")");
        }
        sql.push(")");
    }
}

fn limit(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX).saturating_add(1)
}

/// The one subject all resources must have, where a subject parameter has one value.
fn single_subject(conditions: &[Condition]) -> Option<i64> {
    conditions.iter().find_map(|condition| match condition {
        Condition::Subject(subjects) => match subjects.as_slice() {
            [one] => Some(*one),
            _ => None,
        },
        _ => None,
    })
}

/// The condition that narrows most, unless the resource table leads better.
fn lead(conditions: &[Condition], sorted: bool, subject: bool) -> Lead<'_> {
    if conditions.iter().any(|c| matches!(c, Condition::Id(_))) {
        return Lead::Resources;
    }
    let terms = conditions.iter().enumerate().filter_map(|(place, condition)| match condition {
        Condition::Terms(terms) if !terms.values.is_empty() => Some((place, terms)),
        _ => None,
    });
    let terms = terms.min_by_key(|(_, terms)| terms.rank).map(|(place, terms)| Lead::Terms(place, terms));
    let selective = matches!(terms, Some(Lead::Terms(_, terms)) if terms.selective);
    if let Some(terms) = terms.filter(|_| selective || subject) {
        return terms;
    }
    let of_subjects = conditions.iter().any(|c| matches!(c, Condition::Subject(_)));
    let by_value =
        |c: &Condition| matches!(c, Condition::Strings { .. } | Condition::Moments { .. } | Condition::Measures(_));
    if let Some((place, values)) = conditions.iter().enumerate().find(|(_, c)| !of_subjects && by_value(c)) {
        return Lead::Values(place, values);
    }
    // A common code over all subjects in order of time: walk the dates and probe, rather than sort all that have the code.
    terms.filter(|_| !sorted).unwrap_or(Lead::Resources)
}
