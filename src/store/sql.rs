//! A statement under construction: text with `$n` in it, and the values they stand for. Never holds a value in its text.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AssertSqlSafe};

/// A value for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) enum Value {
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Blob(value)
    }
}

/// SQL text and its parameters.
#[derive(Debug, Default)]
pub(in crate::store) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(in crate::store) fn new(text: &str) -> Self {
        let mut sql = Self::default();
        sql.push(text);
        sql
    }

    /// Appends text of ours.
    pub(in crate::store) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a parameter.
    pub(in crate::store) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len();
        self.text.push('$');
        self.text.push_str(&number.to_string());
        self
    }

    /// Appends a parameter that stands there already, by its number from 1.
    pub(in crate::store) fn again(&mut self, number: usize) -> &mut Self {
        self.push(&format!("${number}"))
    }

    /// Gives a value a number without using it yet.
    pub(in crate::store) fn hold(&mut self, value: impl Into<Value>) -> usize {
        self.values.push(value.into());
        self.values.len()
    }

    /// Appends `(s, a, b), (s, c, d)`: one parameter per value, those of `shared` once for all rows.
    pub(in crate::store) fn bind_rows(
        &mut self,
        shared: &[Value],
        rows: impl IntoIterator<Item = Vec<Value>>,
    ) -> &mut Self {
        let first = self.values.len() + 1;
        self.values.extend_from_slice(shared);
        let mut again = String::new();
        for n in first..first + shared.len() {
            again.extend(["$", &n.to_string(), ", "]);
        }
        for (i, row) in rows.into_iter().enumerate() {
            self.push(if i == 0 { "(" } else { ", (" }).push(&again);
            self.bind_list(row);
            self.push(")");
        }
        self
    }

    /// Appends `a, b, c` with one parameter per value.
    pub(in crate::store) fn bind_list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        for (i, value) in values.into_iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.bind(value);
        }
        self
    }

    /// Appends ` IN (…)`; the list is filled up to a power of four with its last value, so that few texts are prepared.
    pub(in crate::store) fn bind_in(&mut self, mut values: Vec<Value>) -> &mut Self {
        if let Some(last) = values.last().cloned() {
            values.resize(power_of_four(values.len()), last);
        }
        self.push(" IN (");
        self.bind_list(values);
        self.push(")")
    }

    /// Appends ` LIMIT …`.
    ///
    /// As a sum: SQLite plans a statement anew for each value of a parameter that stands there alone, which takes longer than
    /// most statements run.
    pub(in crate::store) fn limit(&mut self, most: i64) -> &mut Self {
        self.push(" LIMIT ").bind(most).push(" + 0")
    }

    /// How many parameters it has.
    pub(in crate::store) fn values(&self) -> usize {
        self.values.len()
    }

    /// Appends a whole SELECT for each value, with `UNION ALL` between them; filled up as [`Self::bind_in`] does, so rows may
    /// come several times.
    ///
    /// For keys of several columns: PostgreSQL keeps the plan it made while a table was almost empty, and that one may
    /// read all of a tenant's rows and then look which are in a list. Looked up one by one there is one way to do it.
    pub(in crate::store) fn bind_each<V: Clone>(
        &mut self,
        mut values: Vec<V>,
        push: impl Fn(&mut Self, V),
    ) -> &mut Self {
        if let Some(last) = values.last().cloned() {
            values.resize(power_of_four(values.len()), last);
        }
        for (i, value) in values.into_iter().enumerate() {
            self.push(if i == 0 { "" } else { " UNION ALL " });
            push(self, value);
        }
        self
    }

    /// The statement, ready to run.
    pub(in crate::store) fn query<'q>(self) -> Query<'q, Any, AnyArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                Value::Int(v) => query.bind(v),
                Value::Real(v) => query.bind(v),
                Value::Text(v) => query.bind(v),
                Value::Blob(v) => query.bind(v),
            };
        }
        query
    }

    /// The text.
    pub(in crate::store) fn text(&self) -> &str {
        &self.text
    }

    /// Appends a whole statement to text without parameters.
    pub(in crate::store) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.values = other.values;
    }
}

/// The lowest power of four that is not below.
fn power_of_four(length: usize) -> usize {
    let mut power = 1;
    while power < length {
        power *= 4;
    }
    power
}

/// Splits `items` into pieces whose lengths are powers of four up to `most`, so that few statement texts are prepared: a
/// connection keeps a hundred, and each table has its own.
pub(in crate::store) fn pieces<T>(mut items: &[T], most: usize) -> Vec<&[T]> {
    let mut pieces = Vec::new();
    let mut length = power_of_four(most);
    while !items.is_empty() {
        while length > items.len() {
            length /= 4;
        }
        let (piece, rest) = items.split_at(length);
        pieces.push(piece);
        items = rest;
    }
    pieces
}

/// Rows per statement. In SQLite more is slower: it looks up each `$n` among all before it. In PostgreSQL each statement is
/// a message there and back.
pub(in crate::store) fn rows_at_once(connection: &AnyConnection) -> usize {
    if connection.backend_name() == "SQLite" { 16 } else { 256 }
}

/// What every stored resource is read from: `id, version, updated_us, tail` first.
pub(in crate::store) type Row = AnyRow;
