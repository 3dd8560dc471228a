//! What an EHR opens an app for.

use serde::{Deserialize, Serialize};

use super::{AppError, LAUNCH_S};
use crate::auth::{Auth, hash, random_token};
use crate::id::{ResourceId, TenantId};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::time::MICROS;

/// What an app is opened for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchContext {
    /// The patient.
    pub patient: Option<ResourceId>,
    /// The encounter.
    pub encounter: Option<ResourceId>,
    /// The only person who may use it so, where that is known.
    pub person: Option<String>,
    /// Whether the app is to show whom it is about.
    pub need_patient_banner: bool,
}

/// Why an app is not opened.
#[derive(Debug, thiserror::Error)]
pub enum NoLaunch {
    /// There is no such app in the tenant.
    #[error("client: there is no such app")]
    Client,
    /// Nobody of that id may sign in.
    #[error("person: there is no such person")]
    Person,
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the launch could not be kept")]
    Store(#[from] StoreError),
}

impl Auth {
    /// A `launch` parameter for an app, and the seconds it is good for.
    ///
    /// # Errors
    /// [`NoLaunch`].
    pub async fn launch(
        &self,
        tenant: &TenantId,
        client: &str,
        context: &LaunchContext,
    ) -> Result<(Secret, i64), NoLaunch> {
        let client = self.store.client(client).await?;
        let client = client.filter(|client| client.tenant == *tenant && !client.redirects.is_empty());
        let client = client.ok_or(NoLaunch::Client)?;
        if let Some(person) = &context.person {
            self.store.person(tenant, person).await?.ok_or(NoLaunch::Person)?;
        }
        let launch = random_token("launch").map_err(|_| NoLaunch::Random)?;
        let text = serde_json::to_string(context).map_err(|_| NoLaunch::Random)?;
        let expires = self.clock.now().plus(LAUNCH_S * MICROS);
        self.store.insert_launch(tenant, &client.id, &hash(launch.expose()), &text, expires).await?;
        Ok((launch, LAUNCH_S))
    }

    /// What an app was opened for. It is used up by this.
    pub(super) async fn launched(
        &self,
        tenant: &TenantId,
        client: &str,
        launch: &str,
    ) -> Result<LaunchContext, AppError> {
        let context = self.store.take_launch(tenant, client, &hash(launch)).await?;
        let context = context.ok_or(AppError::Launch("it is unknown, too old, used before or another app's"))?;
        Ok(serde_json::from_str(&context)?)
    }
}
