//! How much room the database takes, table by table and index by index, as its own catalogue has it.

use serde::Serialize;
use sqlx::Row as _;

use super::sql::Sql;
use super::table::Table;
use super::{Store, StoreError};

/// A table, or one of its indexes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Storage {
    /// The table.
    pub table: String,
    /// The index, where it is one.
    pub index: Option<String>,
    /// Bytes it takes, its free pages among them.
    pub bytes: i64,
}

impl Store {
    /// Every table and index with what it takes. Reads the whole of a database that is a file.
    ///
    /// # Errors
    /// The database fails.
    pub async fn storage(&self) -> Result<Vec<Storage>, StoreError> {
        let rows = Sql::new(self.dialect.sizes()).query().fetch_all(&self.readers).await?;
        let size = |row: &super::sql::Row| -> Result<Storage, sqlx::Error> {
            let (table, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Storage { index: (name != table).then_some(name), table, bytes: row.try_get(2)? })
        };
        let mut sizes: Vec<Storage> = rows.iter().map(size).collect::<Result<_, _>>()?;
        sizes.sort();
        Ok(sizes)
    }

    /// How many Observations there are, of all tenants, and the table they are in.
    ///
    /// # Errors
    /// The database fails.
    pub async fn observations(&self) -> Result<(i64, &'static str), StoreError> {
        let table = Table::of("Observation").name;
        let mut sql = Sql::new("SELECT COUNT(*) FROM ");
        sql.push(table);
        Ok((sql.query().fetch_one(&self.readers).await?.try_get(0)?, table))
    }
}

#[cfg(test)]
mod tests {
    use crate::store::fixture::{observation, store, tenant};

    #[tokio::test]
    async fn every_table_and_index_is_told_with_its_size() {
        let (_directory, store) = store().await;
        let many = (0..200).map(|i| observation(&format!("o{i}"), "p1", "2026-01-18T14:00:00Z", "60")).collect();
        store.put(&tenant("a"), many).await.unwrap();
        let sizes = store.storage().await.unwrap();
        let (count, table) = store.observations().await.unwrap();
        assert!(count >= 200);
        let of = |index: Option<&str>| sizes.iter().find(|s| s.table == table && s.index.as_deref() == index);
        assert!(of(None).unwrap().bytes > 200 * 100, "{sizes:?}");
        let indexes = sizes.iter().filter(|s| s.table == table && s.index.is_some());
        assert!(indexes.clone().count() >= 2 && indexes.clone().all(|s| s.bytes > 0), "{sizes:?}");
        assert!(sizes.iter().any(|s| s.table == "observation_term" && s.bytes > 0), "{sizes:?}");
    }
}
