//! A search inside a transaction, which sees what the transaction wrote.

use sqlx::{Any, Transaction};

use super::plan::Plan;
use super::{MOST_VALUES, Search, Stored};
use crate::id::TenantId;
use crate::store::{Store, StoreError};
use crate::time::Instant;

impl Store {
    /// The first matches of a search. What its chains lead over is read before, outside.
    pub(in crate::store) async fn matching(
        &self,
        tx: &mut Transaction<'_, Any>,
        tenant: &TenantId,
        search: &Search,
        now: Instant,
    ) -> Result<Vec<Stored>, StoreError> {
        let conditions = self.resolve(tenant, &search.kind, &search.filters).await?;
        let cohorts = self.cohorts(&search.kind, &conditions, &mut **tx).await?;
        let sql = Plan::of(tenant, search, (&conditions, cohorts.as_deref()), now).page();
        if sql.values() > MOST_VALUES {
            return Err(StoreError::TooBroad { parameter: "query".to_owned(), most: MOST_VALUES });
        }
        let rows = sql.query().fetch_all(&mut **tx).await?;
        self.bodies.learn(&rows, 3, &mut **tx).await?;
        rows.iter().map(|row| Stored::from_row(&self.bodies, &search.kind, row)).collect()
    }
}
