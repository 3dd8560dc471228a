//! Numbers in one unit, as SQL.

use crate::store::sql::{Sql, Value};

/// Numbers in one unit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Measure {
    pub(super) measure: i64,
    pub(super) test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Test {
    /// From the first up to, but for the second.
    Within((f64, f64)),
    Outside((f64, f64)),
    Above(f64),
    AtLeast(f64),
    Below(f64),
    AtMost(f64),
}

/// Appends the condition on a row of quantities `v`.
pub(super) fn push_measure(sql: &mut Sql, measure: &Measure) {
    sql.push("v.measure = ").bind(measure.measure).push(" AND ");
    let compare = |sql: &mut Sql, operator: &str, to: f64| {
        sql.push("v.value ").push(operator).push(" ").bind(Value::Real(to));
    };
    match measure.test {
        Test::Within((from, until)) => {
            compare(sql, ">=", from);
            sql.push(" AND ");
            compare(sql, "<", until);
        }
        Test::Outside((from, until)) => {
            sql.push("(");
            compare(sql, "<", from);
            sql.push(" OR ");
            compare(sql, ">=", until);
            sql.push(")");
        }
        Test::Above(number) => compare(sql, ">", number),
        Test::AtLeast(number) => compare(sql, ">=", number),
        Test::Below(number) => compare(sql, "<", number),
        Test::AtMost(number) => compare(sql, "<=", number),
    }
}
