//! From conditions to SQL: what leads, which conditions are left, and the order.
//!
//! Four shapes. Where a parameter is given whose values single resources have for themselves (and no id), their rows lead.
//! Where values are given that cohorts share, and few cohorts have all of them ([`super::cohort`]), each of those is read
//! along its index, newest first. Where only a string, quantity or further date narrows, the rows that have its values lead.
//! Otherwise the resource table leads and the database picks one of its indexes: what many cohorts have is soon met in the
//! order of time. In all shapes a join is written `CROSS JOIN` with the leading table first, which SQLite takes as the order
//! to join in; PostgreSQL finds it by what it knows of the tables. Conditions on further parameters are `EXISTS` probes by key.

use sqlx::Row as _;

use super::condition::{Condition, Scope, Terms, groups, push_in, push_terms};
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
    /// All cohorts that have all common values asked for.
    Cohorts(&'a [i64]),
    /// The rows that have a value.
    Values(usize, &'a Condition),
}

impl<'a> Plan<'a> {
    /// For what `search` asks of resources, its filters being `conditions`; `cohorts` as [`super::cohort`] gives them.
    pub(super) fn of(
        tenant: &'a TenantId,
        search: &'a Search,
        (conditions, cohorts): (&'a [Condition], Option<&'a [i64]>),
        now: Instant,
    ) -> Self {
        let mut plan = Self::all(tenant, &search.kind, (conditions, cohorts), &search.sort, now);
        plan.count = search.count;
        plan.after = search.after.as_ref();
        plan
    }

    /// For all resources for which `conditions` hold.
    pub(super) fn all(
        tenant: &'a TenantId,
        kind: &'a str,
        (conditions, cohorts): (&'a [Condition], Option<&'a [i64]>),
        sort: &[Sort],
        now: Instant,
    ) -> Self {
        let lead = cohorts.map_or_else(|| lead(conditions), Lead::Cohorts);
        let scope = Scope { table: Table::of(kind), tenant, now };
        let order = order(&scope, sort);
        Self { scope, conditions, lead, order, count: 0, after: None }
    }

    /// The statement that reads one page and one row more.
    pub(super) fn page(&self) -> Sql {
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail");
        for key in &self.order {
            sql.push(", ").push(&key.column);
        }
        match self.lead {
            Lead::Cohorts(cohorts) if cohorts.len() > 1 && self.runs_by_date() => self.push_newest(&mut sql, cohorts),
            _ => self.push_from_where(&mut sql, self.after),
        }
        self.push_order(&mut sql);
        sql
    }

    /// Whether the order is the one each cohort's index runs in.
    fn runs_by_date(&self) -> bool {
        self.order.len() == 2 && self.order.first().is_some_and(|key| key.column == "r.date_us")
    }

    /// The first of the first rows of each cohort.
    fn push_newest(&self, sql: &mut Sql, cohorts: &'a [i64]) {
        sql.push(" FROM (SELECT r.row_id FROM (");
        for (i, cohort) in cohorts.iter().enumerate() {
            let one = Self { lead: Lead::Cohorts(std::slice::from_ref(cohort)), order: self.order.clone(), ..*self };
            sql.push(if i == 0 { "" } else { " UNION ALL " }).push("SELECT * FROM (SELECT r.row_id, r.date_us");
            one.push_from_where(sql, self.after);
            self.push_order(sql);
            sql.push(") r");
        }
        sql.push(") r");
        self.push_order(sql);
        sql.push(") k CROSS JOIN ").push(self.scope.table.name).push(" r WHERE r.row_id = k.row_id");
    }

    fn push_order(&self, sql: &mut Sql) {
        sql.push(" ORDER BY ");
        for (i, key) in self.order.iter().enumerate() {
            sql.push(if i == 0 { "" } else { ", " }).push(&key.column);
            sql.push(if key.descending { " DESC" } else { "" });
        }
        sql.limit(limit(self.count));
    }

    /// The statement that counts.
    pub(super) fn count(&self) -> Sql {
        let mut sql = Sql::new("SELECT COUNT(*)");
        self.push_from_where(&mut sql, None);
        sql
    }

    /// The statement that reads the ids of all, up to `most` and one more, in no order.
    pub(super) fn ids(&self, most: usize) -> Sql {
        let mut sql = Sql::new("SELECT DISTINCT r.id");
        self.push_from_where(&mut sql, None);
        sql.limit(limit(most));
        sql
    }

    /// The statement that reads resources whole, up to `most` and one more, in no order: all of them, or one per subject.
    pub(super) fn whole(&self, per_subject: bool, most: usize) -> Sql {
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail FROM ");
        sql.push(self.scope.table.name).push(" r WHERE r.row_id IN (SELECT ");
        sql.push(if per_subject { "MIN(r.row_id)" } else { "r.row_id" });
        self.push_from_where(&mut sql, None);
        if per_subject {
            sql.push(" GROUP BY r.subject");
        }
        sql.limit(limit(most)).push(")");
        sql
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
            // The number of a subject is the tenant's as well.
            Lead::Resources if self.conditions.iter().any(|c| matches!(c, Condition::Subject(_))) => {
                sql.push(self.scope.table.name).push(" r WHERE ");
                self.scope.table.scope_kind(sql, "r");
                sql.push("1 = 1");
            }
            Lead::Resources => {
                sql.push(self.scope.table.name).push(" r WHERE ");
                self.scope.table.scope(sql, "r", self.scope.tenant);
            }
            Lead::Cohorts(cohorts) => {
                sql.push(self.scope.table.name).push(" r WHERE r.cohort");
                push_in(sql, cohorts);
            }
            Lead::Terms(place, terms) => {
                done = Some(place);
                self.push_lead(sql, terms);
                sql.push(" k CROSS JOIN ").push(self.scope.table.name).push(" r WHERE r.row_id = k.row_id");
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
            if done != Some(place) && !self.is_led(condition) {
                sql.push(" AND (");
                self.scope.push(sql, condition);
                sql.push(")");
            }
        }
        if let Some(after) = after {
            self.push_after(sql, after);
        }
    }

    /// Whether the named cohorts are just those for which a condition holds.
    fn is_led(&self, condition: &Condition) -> bool {
        matches!((self.lead, condition), (Lead::Cohorts(_), Condition::Common(_) | Condition::Subject(_)))
    }

    /// The rows that have any of the leading terms.
    fn push_lead(&self, sql: &mut Sql, terms: &Terms) {
        sql.push("(");
        for (i, group) in groups(&terms.values).iter().enumerate() {
            sql.push(if i == 0 { "SELECT DISTINCT" } else { " UNION SELECT" });
            sql.push(" t.row_id FROM ").push(self.scope.table.name).push("_term t WHERE ");
            push_terms(sql, "t", group);
        }
        sql.push(")");
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

/// The condition that narrows most, unless the resource table leads better.
fn lead(conditions: &[Condition]) -> Lead<'_> {
    if conditions.iter().any(|c| matches!(c, Condition::Id(_))) {
        return Lead::Resources;
    }
    let places = || conditions.iter().enumerate();
    let terms = places().filter_map(|(place, condition)| match condition {
        Condition::Terms(terms) if !terms.values.is_empty() => Some((place, terms)),
        _ => None,
    });
    if let Some((place, terms)) = terms.min_by_key(|(_, terms)| terms.rank) {
        return Lead::Terms(place, terms);
    }
    if conditions.iter().any(|c| matches!(c, Condition::Subject(_))) {
        return Lead::Resources;
    }
    let by_value =
        |c: &Condition| matches!(c, Condition::Strings { .. } | Condition::Moments { .. } | Condition::Measures(_));
    if let Some((place, values)) = places().find(|(_, c)| by_value(c)) {
        return Lead::Values(place, values);
    }
    Lead::Resources
}
