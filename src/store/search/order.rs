//! The order of a search. <https://hl7.org/fhir/R4/search.html#sort>

use super::condition::Scope;
use super::{Sort, SortKey};
use crate::capability::Column;
use crate::store::table::parameter;

/// A column or expression of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) column: String,
    pub(super) descending: bool,
    /// Whether its values are text.
    pub(super) text: bool,
}

/// The order: as asked, else newest first; the row's number makes it total.
pub(super) fn order(scope: &Scope<'_>, sort: &[Sort]) -> Vec<Key> {
    let mut order: Vec<Key> = sort.iter().map(|sort| key(scope, sort)).collect();
    if order.is_empty() {
        order.push(Key { column: "r.date_us".to_owned(), descending: true, text: false });
    }
    let descending = order.last().is_some_and(|key| key.descending);
    order.push(Key { column: "r.row_id".to_owned(), descending, text: false });
    order
}

fn key(scope: &Scope<'_>, sort: &Sort) -> Key {
    let number = |name: &str| parameter(scope.tenant, scope.table.kind, name);
    let name = scope.table.name;
    let column = match &sort.key {
        SortKey::Column(Column::Id) => "r.id".to_owned(),
        SortKey::Column(Column::Updated) => "r.updated_us".to_owned(),
        SortKey::Column(Column::Date) => "r.date_us".to_owned(),
        SortKey::Column(Column::Subject) => "r.subject".to_owned(),
        // What has no value comes after what has one.
        SortKey::String(parameter) => format!(
            "COALESCE((SELECT {}(s.value) FROM {name}_string s WHERE s.row_id = r.row_id AND s.parameter = {}), '{}')",
            if sort.descending { "MAX" } else { "MIN" },
            number(parameter),
            if sort.descending { String::new() } else { char::MAX.to_string() },
        ),
        SortKey::Moment(parameter) => format!(
            "COALESCE((SELECT {}(s.from_us) FROM {name}_moment s WHERE s.row_id = r.row_id AND s.parameter = {}), {})",
            if sort.descending { "MAX" } else { "MIN" },
            number(parameter),
            if sort.descending { -i64::MAX } else { i64::MAX },
        ),
    };
    let text = matches!(sort.key, SortKey::Column(Column::Id) | SortKey::String(_));
    Key { column, descending: sort.descending, text }
}
