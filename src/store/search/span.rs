//! How spans of time must lie to each other, as SQL. [`DateMatch::matches`] says the same; a test holds the two together.

use crate::store::date::{DateMatch, Prefix};
use crate::store::sql::Sql;

/// Appends the condition of a date match on the columns `from` and `until`. `longest` bounds how far before its end a span
/// starts, which makes a range of `from`; without it there is an index of `until` as well.
pub(super) fn push_span(sql: &mut Sql, date: DateMatch, [from, until]: [&str; 2], longest: Option<&dyn Fn(&mut Sql)>) {
    let (a, b) = (date.span.from, date.span.until);
    let reaches = |sql: &mut Sql, at: i64| {
        let Some(longest) = longest else {
            sql.push(until).push(" >= ").bind(at).push(" AND ");
            return;
        };
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
