//! What must hold for a row, as SQL.

use std::collections::BTreeMap;

use crate::id::TenantId;
use crate::store::date::DateMatch;
use crate::store::search::filter::{How, StringMatch};
use crate::store::search::measure::{Measure, push_measure};
use crate::store::search::span::push_span;
use crate::store::sql::{Sql, Value};
use crate::store::table::{NO_DATE, PARTS, Table, number};
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
    Strings {
        parameter: i64,
        values: Vec<StringMatch>,
    },
    Moments {
        parameter: i64,
        values: Vec<DateMatch>,
    },
    Measures(Vec<Measure>),
    /// A term and a value in the same part.
    Together(Term, Box<Condition>),
    /// Whether any of the bits is set.
    Present {
        bits: i64,
        present: bool,
    },
    Not(Box<Condition>),
    Any(Vec<Vec<Condition>>),
}

/// The alternatives of a parameter whose values are terms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Terms {
    /// Its place among the parameters of the type: the lower, the more it narrows.
    pub(super) rank: usize,
    pub(super) selective: bool,
    pub(super) values: Vec<Term>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    pub(super) number: i64,
    /// The place it must be in, where that matters, and whether in any repetition of a part.
    pub(super) place: Option<i64>,
    pub(super) in_part: bool,
}

impl Term {
    /// Whether one resource may have several rows of it.
    pub(super) fn repeats(self) -> bool {
        self.place.is_none() || self.in_part
    }
}

/// The terms by the place they must be in: those of a group are asked for at once. A database refuses expressions as deep as
/// some lists are long.
pub(super) fn groups(values: &[Term]) -> Vec<Vec<Term>> {
    let mut groups: BTreeMap<_, Vec<Term>> = BTreeMap::new();
    for value in values {
        groups.entry((value.place, value.place.is_some() && value.in_part)).or_default().push(*value);
    }
    groups.into_values().collect()
}

/// What conditions are about: the rows of one type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) table: Table<'a>,
    pub(super) tenant: &'a TenantId,
    pub(super) now: Instant,
    /// Whether the leading rows hold subject and date.
    pub(super) terms_lead: bool,
}

impl Scope<'_> {
    /// The column `name` of what leads.
    pub(super) fn leading(&self, name: &str) -> String {
        format!("{}.{name}", if self.terms_lead { "k" } else { "r" })
    }

    /// Appends a condition on `r`, and on the leading terms `k` where there are any.
    pub(super) fn push(&self, sql: &mut Sql, condition: &Condition) {
        match condition {
            Condition::Id(ids) => {
                sql.push("r.id").bind_in(ids.iter().map(|id| Value::from(id.as_str())).collect());
            }
            Condition::Subject(subjects) => {
                sql.push(&self.leading("subject"));
                match subjects.as_slice() {
                    [one] => sql.push(" = ").bind(*one),
                    several => sql.bind_in(several.iter().map(|s| Value::Int(*s)).collect()),
                };
            }
            Condition::Updated(dates) => any(sql, dates, |sql, date| {
                let longest = |sql: &mut Sql| {
                    sql.push("1000");
                };
                push_span(sql, date.at(self.now), ["r.updated_us", "r.updated_us + 1000"], Some(&longest));
            }),
            Condition::Date(dates) => any(sql, dates, |sql, date| {
                let from = self.leading("date_us");
                sql.push(&from).push(" > ").bind(NO_DATE).push(" AND ");
                push_span(sql, date.at(self.now), [&from, "r.until_us"], Some(&|sql: &mut Sql| self.push_longest(sql)));
            }),
            Condition::Terms(terms) => any(sql, &groups(&terms.values), |sql, group| {
                push_exists(sql, |sql| {
                    sql.push(self.table.name).push("_term x WHERE ");
                    self.push_terms(sql, "x", group);
                    sql.push(SAME_ROW);
                });
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

    /// Appends what a row of terms must be.
    pub(super) fn push_term(&self, sql: &mut Sql, alias: &str, term: Term) {
        self.push_terms(sql, alias, &[term]);
    }

    /// Appends that a row of terms must be one of a group.
    pub(super) fn push_terms(&self, sql: &mut Sql, alias: &str, group: &[Term]) {
        sql.push(alias).push(".tenant = ").bind(self.tenant.as_str()).push(" AND ").push(alias).push(".term");
        match group {
            [one] => sql.push(" = ").bind(one.number),
            several => sql.bind_in(several.iter().map(|term| Value::Int(term.number)).collect()),
        };
        if let Some((place, in_part)) = group.first().and_then(|term| term.place.map(|place| (place, term.in_part))) {
            sql.push(" AND ").push(alias).push(".system");
            if in_part {
                sql.push(" BETWEEN ").bind(place).push(" AND ").bind(place | PARTS);
            } else {
                sql.push(" = ").bind(place);
            }
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

    fn push_together(&self, sql: &mut Sql, code: Term, value: &Condition) {
        sql.push(self.table.name).push("_term x, ").push(self.table.name);
        let part = format!("(x.system & {PARTS})");
        match value {
            Condition::Terms(terms) => {
                sql.push("_term y WHERE (");
                any(sql, &groups(&terms.values), |sql, group| self.push_terms(sql, "y", group));
                sql.push(") AND y.subject = r.subject AND y.date_us = r.date_us AND y.row_id = r.row_id");
                sql.push(&format!(" AND (y.system & {PARTS}) = {part}"));
            }
            Condition::Measures(measures) => {
                sql.push("_quantity v WHERE v.row_id = r.row_id AND v.part = ").push(&part).push(" AND (");
                any(sql, measures, push_measure);
                sql.push(")");
            }
            _ => {
                sql.push("_term y WHERE 1 = 0");
            }
        }
        sql.push(" AND ");
        self.push_term(sql, "x", code);
        sql.push(SAME_ROW);
    }

    /// The longest span of the type: how far before a time something that reaches into it may start.
    fn push_longest(&self, sql: &mut Sql) {
        sql.push("COALESCE((SELECT MAX(l.until_us - l.date_us) FROM ").push(self.table.name).push(" l WHERE ");
        self.table.scope(sql, "l", self.tenant);
        sql.push(&format!(" AND l.until_us - l.date_us > {LONG_US}), {LONG_US})"));
    }
}

/// The row of terms `x` is one of the resource's: its key as far as it is known.
const SAME_ROW: &str = " AND x.subject = r.subject AND x.date_us = r.date_us AND x.row_id = r.row_id";

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
