//! Secrets of subscriptions from before there was a vault for them: masked in resources, sealed beside them.

use std::time::Duration;

use super::Subscriptions;
use crate::rest::{mask, seal};
use crate::store::StoreError;

/// How long to wait for a vault that cannot be reached.
const AGAIN: Duration = Duration::from_secs(1);

impl Subscriptions {
    /// Takes what nobody is to see out of every version of every Subscription. To be done before anybody is served.
    ///
    /// # Errors
    /// The database failed.
    pub async fn mask(&self) -> Result<(), StoreError> {
        self.store.mask_subscriptions(mask).await
    }

    /// Seals what is not sealed yet; nobody is told before.
    pub(super) async fn seal_until_done(&self) {
        while let Err(error) = self.seal().await {
            tracing::error!(error = &*error, "secrets of subscriptions cannot be sealed, trying again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn seal(&self) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let unsealed = self.store.unsealed_subscriptions().await?;
        for before in &unsealed {
            let sealed = seal::seal(&self.vault, before).await?;
            self.store.seal_subscription(before, sealed.as_deref()).await?;
        }
        if !unsealed.is_empty() {
            self.store.erase_deleted().await?;
        }
        Ok(())
    }
}
