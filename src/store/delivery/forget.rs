//! Operations that came to their end long ago are forgotten, with the triggers they were made of. What receivers have is not.

use sqlx::Row as _;

use crate::store::sql::{Sql, Value};
use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Operations in one transaction.
const ROUND: i64 = 256;

impl Store {
    /// Forgets operations that succeeded or were discarded before a time; how many. A trigger that comes again after that,
    /// by a stream that is computed once more, makes an operation that finds nothing to send.
    ///
    /// # Errors
    /// The database failed; what is left is the next round's.
    pub async fn forget_operations(&self, before: Instant) -> Result<usize, StoreError> {
        let mut forgotten = 0;
        loop {
            let mut tx = self.begin().await?;
            let rows = sqlx::query(
                "SELECT number FROM operation WHERE finished_us < $1 AND (state = 'succeeded' OR discarded IS NOT NULL) \
                 ORDER BY finished_us LIMIT $2 + 0",
            );
            let rows = rows.bind(before.0).bind(ROUND).fetch_all(&mut *tx).await?;
            let numbers =
                rows.iter().map(|row| Ok(Value::Int(row.try_get(0)?))).collect::<Result<Vec<_>, StoreError>>()?;
            if numbers.is_empty() {
                return Ok(forgotten);
            }
            for (table, column) in [
                ("export_trigger", "operation"),
                ("operation_item", "operation"),
                ("operation_exchange", "operation"),
                ("operation", "number"),
            ] {
                let mut sql = Sql::new("DELETE FROM ");
                sql.push(table).push(" WHERE ").push(column).bind_in(numbers.clone());
                sql.query().execute(&mut *tx).await?;
            }
            tx.commit().await?;
            forgotten += numbers.len();
        }
    }
}
