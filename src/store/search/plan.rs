//! From a search to SQL: which index leads, which conditions are left, and the order.
//!
//! Two shapes. Where a token or reference parameter is given (and no id), its terms lead: `<table>_term` is read along
//! its key and joined to the resources by row. Otherwise the resource table leads and the database picks one of its
//! indexes. In both shapes a join is written `CROSS JOIN` with the leading table first, which SQLite takes as the order to
//! join in; PostgreSQL finds it by what it knows of the tables. Conditions on further parameters are `EXISTS` probes of the
//! same key.

use sqlx::Row as _;

use super::cursor::Cursor;
use super::{Filter, Search, Sort, TermMatch};
use crate::capability::{Capability, Column};
use crate::id::TenantId;
use crate::store::StoreError;
use crate::store::date::{DateMatch, Prefix};
use crate::store::sql::{Row, Sql, Value};
use crate::store::table::{NO_DATE, Table, number, term};
use crate::time::Instant;

/// Spans up to this long are not in the index of long ones; the migration says the same.
const LONG_US: i64 = 600_000_000;

/// How a search will be run.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    table: Table<'a>,
    tenant: &'a TenantId,
    search: &'a Search,
    now: Instant,
    /// The parameter whose terms lead.
    lead: Option<(&'a str, &'a [TermMatch])>,
    /// The one subject searched for, if it is one.
    subject: Option<i64>,
    order: Vec<Key>,
}

/// A column of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Key {
    column: &'static str,
    descending: bool,
}

impl<'a> Plan<'a> {
    pub(super) fn of(capability: &Capability, tenant: &'a TenantId, search: &'a Search, now: Instant) -> Self {
        let table = Table::of(&search.kind);
        let subject = single_subject(&search.filters);
        let lead = lead(capability, search, subject.is_some());
        Self { table, tenant, search, now, lead, subject, order: order(search, lead.is_some(), subject.is_some()) }
    }

    /// The statement that reads one page and one row more.
    pub(super) fn page(&self) -> Sql {
        let mut sql = Sql::new("SELECT r.id, r.version, r.updated_us, r.tail");
        for key in &self.order {
            sql.push(", ").push(key.column);
        }
        self.push_from_where(&mut sql, self.search.after.as_ref());
        sql.push(" ORDER BY ");
        self.push_order(&mut sql);
        sql.push(" LIMIT ").bind(i64::try_from(self.search.count).unwrap_or(i64::MAX).saturating_add(1));
        sql
    }

    /// The statement that counts.
    pub(super) fn count(&self) -> Sql {
        let repeats = self.lead.is_some_and(|(_, values)| values.iter().any(|v| v.system.is_none()));
        if let Some((parameter, [value])) = self.lead.filter(|_| self.terms_suffice()) {
            let mut sql = Sql::new(if repeats { "SELECT COUNT(DISTINCT k.row_id)" } else { "SELECT COUNT(*)" });
            sql.push(" FROM ").push(self.table.name).push("_term k WHERE ");
            self.push_term(&mut sql, "k", parameter, value);
            self.push_subjects(&mut sql, "k");
            return sql;
        }
        let mut sql = Sql::new(if repeats { "SELECT COUNT(DISTINCT r.row_id)" } else { "SELECT COUNT(*)" });
        self.push_from_where(&mut sql, None);
        sql
    }

    /// Whether the leading terms alone say what matches: the search has them and at most one subject.
    fn terms_suffice(&self) -> bool {
        self.search.filters.len() == 1 + usize::from(self.subject.is_some())
    }

    /// Where a row of [`Plan::page`] stands in the order.
    pub(super) fn cursor(&self, row: &Row) -> Result<Cursor, StoreError> {
        let at = self.order.iter().enumerate().map(|(i, key)| {
            let place = i + 4;
            Ok(if key.column == ID { Value::Text(row.try_get(place)?) } else { Value::Int(row.try_get(place)?) })
        });
        Ok(Cursor { at: at.collect::<Result<_, StoreError>>()? })
    }

    fn push_order(&self, sql: &mut Sql) {
        for (i, key) in self.order.iter().enumerate() {
            sql.push(if i == 0 { "" } else { ", " }).push(key.column);
            sql.push(if key.descending { " DESC" } else { "" });
        }
    }

    fn push_from_where(&self, sql: &mut Sql, after: Option<&Cursor>) {
        sql.push(" FROM ");
        if let Some((parameter, values)) = self.lead {
            self.push_lead(sql, parameter, values);
            sql.push(" k CROSS JOIN ").push(self.table.name).push(" r WHERE r.row_id = k.row_id");
            if let [one] = values {
                sql.push(" AND ");
                self.push_term(sql, "k", parameter, one);
                self.push_subjects(sql, "k");
            }
        } else {
            sql.push(self.table.name).push(" r WHERE ");
            self.table.scope(sql, "r", self.tenant);
        }
        let mut lead = self.lead;
        for filter in &self.search.filters {
            let leads = matches!(filter, Filter::Term { parameter, values } if lead == Some((parameter, values)));
            if leads {
                lead = None;
            } else {
                self.push_filter(sql, filter);
            }
        }
        if let Some(after) = after {
            self.push_after(sql, after);
        }
    }

    /// The leading terms: the table itself for one value, for several the union of their rows.
    fn push_lead(&self, sql: &mut Sql, parameter: &str, values: &[TermMatch]) {
        if values.len() == 1 {
            sql.push(self.table.name).push("_term");
            return;
        }
        sql.push("(");
        for (i, value) in values.iter().enumerate() {
            sql.push(if i == 0 { "SELECT" } else { " UNION SELECT" });
            sql.push(" t.subject, t.date_us, t.row_id FROM ").push(self.table.name).push("_term t WHERE ");
            self.push_term(sql, "t", parameter, value);
            self.push_subjects(sql, "t");
        }
        sql.push(")");
    }

    fn push_term(&self, sql: &mut Sql, alias: &str, parameter: &str, value: &TermMatch) {
        sql.push(alias).push(".tenant = ").bind(self.tenant.as_str());
        sql.push(" AND ").push(alias).push(".term = ").bind(term(self.table.kind, parameter, &value.value));
        if let Some(system) = &value.system {
            sql.push(" AND ").push(alias).push(".system = ").bind(number(system));
        }
    }

    fn push_subjects(&self, sql: &mut Sql, alias: &str) {
        if let Some(subject) = self.subject {
            sql.push(" AND ").push(alias).push(".subject = ").bind(subject);
        }
    }

    fn push_filter(&self, sql: &mut Sql, filter: &Filter) {
        let from = if self.lead.is_some() { "k.date_us" } else { "r.date_us" };
        sql.push(" AND (");
        match filter {
            Filter::Id(ids) => {
                sql.push("r.id").bind_in(ids.iter().map(|id| Value::from(id.as_str())).collect());
            }
            Filter::Subject(subjects) => {
                sql.push(if self.lead.is_some() { "k.subject" } else { "r.subject" });
                match subjects.as_slice() {
                    [one] => sql.push(" = ").bind(number(one)),
                    several => sql.bind_in(several.iter().map(|s| Value::Int(number(s))).collect()),
                };
            }
            Filter::Updated(dates) => any(sql, dates, |sql, date| {
                push_date(sql, date.at(self.now), ["r.updated_us", "r.updated_us + 1000"], |sql| {
                    sql.push("1000");
                });
            }),
            Filter::Date(dates) => any(sql, dates, |sql, date| {
                sql.push(from).push(" > ").bind(NO_DATE).push(" AND ");
                push_date(sql, date.at(self.now), [from, "r.until_us"], |sql| self.push_longest(sql));
            }),
            Filter::Term { parameter, values } => any(sql, values, |sql, value| {
                sql.push("EXISTS (SELECT 1 FROM ").push(self.table.name).push("_term x WHERE ");
                self.push_term(sql, "x", parameter, value);
                sql.push(" AND x.subject = r.subject AND x.date_us = r.date_us AND x.row_id = r.row_id");
                // What has an offset PostgreSQL does not turn into a join. It would think that next to nothing passes all
                // of these conditions, and sort everything that does.
                sql.push(" LIMIT 1 OFFSET 0)");
            }),
        }
        sql.push(")");
    }

    /// The longest span of the type: how far before a time something that reaches into it may start.
    fn push_longest(&self, sql: &mut Sql) {
        sql.push("COALESCE((SELECT MAX(l.until_us - l.date_us) FROM ").push(self.table.name).push(" l WHERE ");
        self.table.scope(sql, "l", self.tenant);
        sql.push(&format!(" AND l.until_us - l.date_us > {LONG_US}), {LONG_US})"));
    }

    /// `(a, b) < (…)` where all keys run the same way, else the same written out.
    fn push_after(&self, sql: &mut Sql, after: &Cursor) {
        if after.at.len() != self.order.len() {
            sql.push(" AND 1 = 0");
            return;
        }
        let descending = self.order.first().is_some_and(|key| key.descending);
        if self.order.iter().all(|key| key.descending == descending) {
            sql.push(" AND (");
            for (i, key) in self.order.iter().enumerate() {
                sql.push(if i == 0 { "" } else { ", " }).push(key.column);
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
                sql.push(earlier.column).push(" = ").bind(value.clone()).push(" AND ");
            }
            sql.push(key.column).push(if key.descending { " < " } else { " > " }).bind(value.clone()).push(")");
        }
        sql.push(")");
    }
}

const ID: &str = "r.id";

/// The one subject all resources must have, where a subject parameter has one value.
fn single_subject(filters: &[Filter]) -> Option<i64> {
    filters.iter().find_map(|filter| match filter {
        Filter::Subject(subjects) => match subjects.as_slice() {
            [one] => Some(number(one)),
            _ => None,
        },
        _ => None,
    })
}

/// The term filter that comes first in the table of search parameters, unless the resource table leads better.
fn lead<'a>(capability: &Capability, search: &'a Search, subject: bool) -> Option<(&'a str, &'a [TermMatch])> {
    if search.filters.iter().any(|f| matches!(f, Filter::Id(_))) {
        return None;
    }
    let row = capability.resource(&search.kind)?;
    let rank = |name: &str| row.parameters.iter().position(|p| p.name == name);
    let terms = search.filters.iter().filter_map(|filter| match filter {
        Filter::Term { parameter, values } => Some((parameter.as_str(), values.as_slice())),
        _ => None,
    });
    let (parameter, values) = terms.min_by_key(|(parameter, _)| rank(parameter))?;
    let selective = row.parameter(parameter).is_some_and(|p| p.selective);
    // A common code over all subjects in order of time: walk the dates and probe, rather than sort all that have the code.
    (selective || subject || search.sort.is_empty()).then_some((parameter, values))
}

/// The order: as asked, else as the leading index runs, newest first; the row's number makes it total.
fn order(search: &Search, lead: bool, subject: bool) -> Vec<Key> {
    let date = if lead { "k.date_us" } else { "r.date_us" };
    let row_id = if lead { "k.row_id" } else { "r.row_id" };
    let column = |sort: &Sort| match sort.column {
        Column::Id => ID,
        Column::Updated => "r.updated_us",
        Column::Date => date,
        Column::Subject => {
            if lead {
                "k.subject"
            } else {
                "r.subject"
            }
        }
    };
    let mut order: Vec<Key> = search.sort.iter().map(|s| Key { column: column(s), descending: s.descending }).collect();
    if order.is_empty() {
        if lead && !subject {
            order.push(Key { column: "k.subject", descending: true });
        }
        order.push(Key { column: date, descending: true });
    }
    let descending = order.last().is_some_and(|key| key.descending);
    order.push(Key { column: row_id, descending });
    order
}

fn any<T>(sql: &mut Sql, values: &[T], mut push: impl FnMut(&mut Sql, &T)) {
    for (i, value) in values.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { " OR (" });
        push(sql, value);
        sql.push(")");
    }
}

/// The condition of a date match. `longest` bounds how far before its end a span starts, which makes a range of `from`.
fn push_date(sql: &mut Sql, date: DateMatch, [from, until]: [&str; 2], longest: impl Fn(&mut Sql)) {
    let (a, b) = (date.span.from, date.span.until);
    let reaches = |sql: &mut Sql, at: i64| {
        sql.push(from).push(" >= ").bind(at).push(" - ");
        longest(sql);
        sql.push(" AND ");
    };
    match date.prefix {
        Prefix::Eq => {
            sql.push(from).push(" >= ").bind(a).push(" AND ").push(from).push(" < ").bind(b);
            sql.push(" AND ").push(until).push(" <= ").bind(b);
        }
        Prefix::Ne => {
            sql.push("(").push(from).push(" < ").bind(a).push(" OR ").push(until).push(" > ").bind(b).push(")");
        }
        Prefix::Gt => {
            reaches(sql, b);
            sql.push(until).push(" > ").bind(b);
        }
        Prefix::Ge => {
            reaches(sql, a);
            sql.push("(").push(from).push(" >= ").bind(a).push(" OR ").push(until).push(" > ").bind(b).push(")");
        }
        Prefix::Lt => {
            sql.push(from).push(" < ").bind(a);
        }
        Prefix::Le => {
            sql.push(from).push(" < ").bind(b);
            sql.push(" AND (").push(from).push(" < ").bind(a).push(" OR ").push(until).push(" <= ").bind(b).push(")");
        }
        Prefix::Sa => {
            sql.push(from).push(" >= ").bind(b);
        }
        Prefix::Eb => {
            sql.push(from).push(" < ").bind(a).push(" AND ").push(until).push(" <= ").bind(a);
        }
        Prefix::Ap => {
            reaches(sql, a);
            sql.push(from).push(" < ").bind(b).push(" AND ").push(until).push(" > ").bind(a);
        }
    }
}
