//! Makes operations of exports that are due.

use super::Delivery;
use super::gather::contents;
use super::route::NoRoute;
use crate::store::StoreError;
use crate::store::delivery::NewOperation;

/// Exports in one round.
const ROUND: i64 = 64;

impl Delivery {
    /// Makes operations of the exports that are due; how many.
    ///
    /// # Errors
    /// The database failed; what is left is the next round's.
    pub async fn plan(&self) -> Result<usize, StoreError> {
        let mut made = 0;
        for due in self.store.ready_exports(ROUND).await? {
            let place = match self.routes.place(&due.tenant, &due.export).await {
                Ok(place) => place,
                Err(NoRoute::Store(error)) => return Err(error),
                // It waits until its target is there.
                Err(_) => continue,
            };
            let now = self.clock.now();
            let items = contents(&self.store, &due, &place, now).await?;
            let new = NewOperation { due: &due, items: &items, gathered: now };
            match self.store.make_operation(&new).await {
                Ok(number) => made += usize::from(number.is_some()),
                // Another process made it.
                Err(error) if error.is_contention() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }
}
