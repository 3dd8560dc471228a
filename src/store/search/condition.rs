//! What must hold for a row, as SQL.

use std::collections::BTreeMap;

use crate::id::TenantId;
use crate::store::date::DateMatch;
use crate::store::search::filter::{How, StringMatch};
use crate::store::search::measure::{Measure, push_measure};
use crate::store::search::span::push_span;
use crate::store::sql::{Sql, Value};
use crate::store::table::{NO_DATE, Table, number};
use crate::store::text::normalize;
use crate::time::Instant;

/// Spans up to this long are not in the index of long ones; the migration says the same.
const LONG_US: i64 = 600_000_000;

/// A filter whose values are what the columns hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Condition {
    Id(Vec<String>),
    Updated(Vec<DateMatch>),
    Subject(Vec<i64>),
    Date(Vec<DateMatch>),
    Terms(Terms),
    Common(Common),
    Strings {
        parameter: i64,
        values: Vec<StringMatch>,
    },
    Moments {
        parameter: i64,
        values: Vec<DateMatch>,
    },
    Measures(Vec<Measure>),
    /// A common value and another value in the same part.
    Together(Code, Box<Condition>),
    /// Whether any of the bits is set.
    Present {
        bits: i64,
        present: bool,
    },
    Not(Box<Condition>),
    Any(Vec<Vec<Condition>>),
}

/// The alternatives of a parameter whose values single resources have for themselves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terms {
    /// Its place among the parameters of the type: the lower, the more it narrows.
    pub(super) rank: usize,
    pub(super) values: Vec<Term>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) number: i64,
    /// The number of the system it must be in, where that matters.
    pub(super) system: Option<i64>,
}

/// The alternatives of a parameter whose values cohorts share: the numbers of the terms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Common {
    /// Its place among the parameters of the type: the lower, the more it narrows.
    pub(super) rank: usize,
    pub(super) terms: Vec<i64>,
}

/// A common value that another one must be beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) term: i64,
    /// Whether it is in one of several parts.
    pub(super) in_part: bool,
}

/// The terms by the system they must be in: those of a group are asked for at once. A database refuses expressions as deep as
/// some lists are long.
pub(super) fn groups(values: &[Term]) -> Vec<Vec<Term>> {
    let mut groups: BTreeMap<_, Vec<Term>> = BTreeMap::new();
    for value in values {
        groups.entry(value.system).or_default().push(*value);
    }
    groups.into_values().collect()
}

/// What conditions are about: the rows of one type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) table: Table<'a>,
    pub(super) tenant: &'a TenantId,
    pub(super) now: Instant,
}

impl Scope<'_> {
    /// Appends a condition on `r`.
    pub(super) fn push(&self, sql: &mut Sql, condition: &Condition) {
        match condition {
            Condition::Id(ids) => {
                sql.push("r.id").bind_in(ids.iter().map(|id| Value::from(id.as_str())).collect());
            }
            Condition::Subject(subjects) => {
                sql.push("r.subject");
                push_in(sql, subjects);
            }
            Condition::Updated(dates) => any(sql, dates, |sql, date| {
                let longest = |sql: &mut Sql| {
                    sql.push("1000");
                };
                push_span(sql, date.at(self.now), ["r.updated_us", "r.updated_us + 1000"], Some(&longest));
            }),
            Condition::Date(dates) => any(sql, dates, |sql, date| {
                sql.push("r.date_us > ").bind(NO_DATE).push(" AND ");
                push_span(
                    sql,
                    date.at(self.now),
                    ["r.date_us", "(r.date_us + r.span_us)"],
                    Some(&|sql: &mut Sql| self.push_longest(sql)),
                );
            }),
            Condition::Terms(terms) => any(sql, &groups(&terms.values), |sql, group| {
                push_exists(sql, |sql| {
                    sql.push(self.table.name).push("_term x WHERE ");
                    push_terms(sql, "x", group);
                    sql.push(" AND x.row_id = r.row_id");
                });
            }),
            Condition::Common(common) => push_exists(sql, |sql| {
                sql.push(self.table.name).push("_cohort x WHERE ");
                push_common(sql, "x", &common.terms);
                sql.push(SAME_COHORT);
            }),
            Condition::Strings { .. } | Condition::Moments { .. } | Condition::Measures(_) => {
                push_exists(sql, |sql| {
                    self.push_values(sql, condition);
                    sql.push(" AND v.row_id = r.row_id");
                });
            }
            Condition::Together(code, value) => push_exists(sql, |sql| self.push_together(sql, *code, value)),
            Condition::Present { bits, present } => {
                sql.push("(r.present & ").bind(*bits).push(if *present { ") <> 0" } else { ") = 0" });
            }
            Condition::Not(condition) => {
                sql.push("NOT (");
                self.push(sql, condition);
                sql.push(")");
            }
            Condition::Any(alternatives) => any(sql, alternatives, |sql, all| {
                for (i, condition) in all.iter().enumerate() {
                    sql.push(if i == 0 { "(" } else { " AND (" });
                    self.push(sql, condition);
                    sql.push(")");
                }
            }),
        }
    }

    /// Appends `<table> v WHERE …` of values that stand in a table of their own.
    pub(super) fn push_values(&self, sql: &mut Sql, condition: &Condition) {
        sql.push(self.table.name);
        match condition {
            Condition::Strings { parameter, values } => {
                sql.push("_string v WHERE v.parameter = ").bind(*parameter).push(" AND (");
                any(sql, values, push_text);
                sql.push(")");
            }
            Condition::Moments { parameter, values } => {
                sql.push("_moment v WHERE v.parameter = ").bind(*parameter).push(" AND (");
                any(sql, values, |sql, date| push_span(sql, date.at(self.now), ["v.from_us", "v.until_us"], None));
                sql.push(")");
            }
            Condition::Measures(measures) => {
                sql.push("_quantity v WHERE (");
                any(sql, measures, push_measure);
                sql.push(")");
            }
            _ => {
                sql.push(" v WHERE 1 = 0");
            }
        }
    }

    fn push_together(&self, sql: &mut Sql, code: Code, value: &Condition) {
        sql.push(self.table.name).push("_cohort x, ").push(self.table.name);
        match value {
            Condition::Common(common) => {
                sql.push("_cohort y WHERE y.term");
                push_in(sql, &common.terms);
                sql.push(" AND y.part = x.part AND y.subject = r.subject AND y.cohort = r.cohort");
            }
            Condition::Measures(measures) => {
                sql.push("_quantity v WHERE v.row_id = r.row_id AND v.part = x.part AND (");
                any(sql, measures, push_measure);
                sql.push(")");
            }
            _ => {
                sql.push("_cohort y WHERE 1 = 0");
            }
        }
        sql.push(" AND x.term = ").bind(code.term);
        // Beside its part a value also stands under no part.
        sql.push(if code.in_part { " AND x.part > 0" } else { " AND x.part = 0" }).push(SAME_COHORT);
    }

    /// The longest span of the type: how far before a time something that reaches into it may start.
    fn push_longest(&self, sql: &mut Sql) {
        sql.push("COALESCE((SELECT MAX(l.span_us) FROM ").push(self.table.name).push(" l WHERE ");
        self.table.scope(sql, "l", self.tenant);
        sql.push(&format!(" AND l.span_us > {LONG_US}), {LONG_US})"));
    }
}

/// The row `x` is one of the resource's cohort: its key as far as it is known.
const SAME_COHORT: &str = " AND x.subject = r.subject AND x.cohort = r.cohort";

/// Appends that a row of terms must be one of a group.
pub(super) fn push_terms(sql: &mut Sql, alias: &str, group: &[Term]) {
    sql.push(alias).push(".term");
    push_in(sql, &group.iter().map(|term| term.number).collect::<Vec<_>>());
    if let Some(system) = group.first().and_then(|term| term.system) {
        sql.push(" AND ").push(alias).push(".system = ").bind(system);
    }
}

/// Appends that a row of a cohort must have one of these values, in whichever part.
pub(super) fn push_common(sql: &mut Sql, alias: &str, terms: &[i64]) {
    sql.push(alias).push(".term");
    push_in(sql, terms);
    sql.push(" AND ").push(alias).push(".part = 0");
}

/// Appends ` = …` or ` IN (…)`.
pub(super) fn push_in(sql: &mut Sql, numbers: &[i64]) {
    match numbers {
        [one] => sql.push(" = ").bind(*one),
        several => sql.bind_in(several.iter().map(|&number| Value::Int(number)).collect()),
    };
}

/// `EXISTS (SELECT 1 FROM …)`. What has an offset PostgreSQL does not turn into a join: it would think that next to nothing
/// passes all of these conditions, and sort everything that does.
fn push_exists(sql: &mut Sql, push: impl FnOnce(&mut Sql)) {
    sql.push("EXISTS (SELECT 1 FROM ");
    push(sql);
    sql.push(" LIMIT 1 OFFSET 0)");
}

/// Appends what holds when any alternative does; none is never.
fn any<T>(sql: &mut Sql, values: &[T], mut push: impl FnMut(&mut Sql, &T)) {
    if values.is_empty() {
        sql.push("1 = 0");
    }
    for (i, value) in values.iter().enumerate() {
        sql.push(if i == 0 { "(" } else { " OR (" });
        push(sql, value);
        sql.push(")");
    }
}

fn push_text(sql: &mut Sql, text: &StringMatch) {
    let searched = normalize(&text.text);
    match text.how {
        How::Start => {
            let end = format!("{searched}{}", char::MAX);
            sql.push("v.value >= ").bind(searched.as_str()).push(" AND v.value < ").bind(end.as_str());
        }
        How::Contains => {
            let escaped = searched.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            sql.push("v.value LIKE ").bind(format!("%{escaped}%").as_str()).push(" ESCAPE '\\'");
        }
        How::Exact => {
            sql.push("v.value = ").bind(searched.as_str()).push(" AND v.exact = ").bind(number(&text.text));
        }
    }
}
