//! Requests of an operation and their answers, as far as they are kept.

use sqlx::any::AnyRow;
use sqlx::{Any, Row as _, Transaction};

use crate::store::{Store, StoreError};
use crate::time::Instant;

/// Exchanges that are kept of an operation: the last ones.
const KEPT: i64 = 4;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When.
    pub at: Instant,
    /// Method and path without a query.
    pub request: String,
    /// Status of the answer; none where none came.
    pub status: Option<u16>,
    /// Both, sealed.
    pub content: Vec<u8>,
}

impl Store {
    /// What is kept of an operation's requests and answers, the last one first.
    ///
    /// # Errors
    /// The database failed.
    pub async fn exchanges(&self, operation: i64) -> Result<Vec<Exchange>, StoreError> {
        let rows = sqlx::query(
            "SELECT at_us, request, status, content FROM operation_exchange WHERE operation = $1 ORDER BY at_us DESC",
        )
        .bind(operation)
        .fetch_all(&self.readers)
        .await?;
        let exchange = |row: &AnyRow| {
            Ok(Exchange {
                at: Instant(row.try_get(0)?),
                request: row.try_get(1)?,
                status: row.try_get::<Option<i64>, _>(2)?.and_then(|status| u16::try_from(status).ok()),
                content: row.try_get(3)?,
            })
        };
        rows.iter().map(exchange).collect()
    }

    /// Forgets requests and answers of operations that succeeded before a time.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_exchanges(&self, before: Instant) -> Result<u64, StoreError> {
        let forgotten = sqlx::query(
            "DELETE FROM operation_exchange WHERE operation IN \
             (SELECT number FROM operation WHERE finished_us < $1 AND state = 'succeeded')",
        )
        .bind(before.0)
        .execute(&self.writer)
        .await?;
        Ok(forgotten.rows_affected())
    }
}

pub(super) async fn keep(
    tx: &mut Transaction<'_, Any>,
    operation: i64,
    exchange: &Exchange,
    now: Instant,
) -> Result<(), StoreError> {
    // Two of one moment: the later one counts.
    sqlx::query(
        "INSERT INTO operation_exchange (operation, at_us, request, status, content) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (operation, at_us) DO UPDATE SET request = excluded.request, status = excluded.status, \
         content = excluded.content",
    )
    .bind(operation)
    .bind(now.0)
    .bind(exchange.request.as_str())
    .bind(exchange.status.map(i64::from))
    .bind(exchange.content.as_slice())
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "DELETE FROM operation_exchange WHERE operation = $1 AND at_us < (SELECT MIN(at_us) FROM (SELECT at_us \
         FROM operation_exchange WHERE operation = $1 ORDER BY at_us DESC LIMIT $2 + 0) AS kept)",
    )
    .bind(operation)
    .bind(KEPT)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
