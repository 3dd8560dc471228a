//! What an app asks for, kept while somebody signs in and thinks about it. It is bound to the browser it is in.

use serde::{Deserialize, Serialize};

use super::{AppError, Asked, LaunchContext, REQUEST_S};
use crate::auth::{Auth, Mark, ScopeSet, hash, random_token};
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::{ClientRecord, RequestRecord};
use crate::time::MICROS;

/// What an app asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AppRequest {
    /// The issuer URL it asks at.
    pub base: String,
    /// The app.
    pub client: String,
    /// Where its people are sent back to.
    pub redirect_uri: String,
    /// What it asks for and may be granted, blank-separated.
    pub scope: String,
    /// What it wants to be told again.
    pub state: String,
    /// Of its code verifier, by SHA-256.
    pub challenge: String,
    /// What it wants to find in the id token.
    pub nonce: Option<String>,
    /// What it was opened for.
    pub launch: Option<LaunchContext>,
    /// What a form must have that this server has made.
    pub csrf: String,
}

/// A request that was kept.
#[derive(Debug)]
pub struct Pending {
    /// Its tenant.
    pub tenant: TenantId,
    /// What is asked for.
    pub request: AppRequest,
    /// What the identity provider was asked.
    pub asked: Option<Asked>,
}

impl Pending {
    fn of(record: RequestRecord) -> Result<Self, AppError> {
        let asked = record.upstream.map(|text| serde_json::from_str(&text)).transpose()?;
        Ok(Self { tenant: record.tenant, request: serde_json::from_str(&record.request)?, asked })
    }
}

impl AppRequest {
    /// Its scopes.
    pub fn scopes(&self) -> ScopeSet {
        ScopeSet::parse(&self.scope)
    }

    /// Whether a form has what it must have. Hashes are compared, so the time it takes tells nothing.
    pub fn is_ours(&self, csrf: &str) -> bool {
        hash(csrf) == hash(&self.csrf)
    }
}

impl Auth {
    /// The app with this id, where it has one of these URLs to send people back to.
    ///
    /// # Errors
    /// The store failed, or the app asks for too much.
    pub async fn app(&self, id: &str, redirect_uri: &str) -> Result<Option<ClientRecord>, AppError> {
        let client = self.store.client(id).await?;
        // Exactly as registered: no prefixes, no patterns.
        let client = client.filter(|client| client.redirects.iter().any(|url| url == redirect_uri));
        // Each request is written down, and whoever knows the id can ask.
        Ok(client.map(|client| self.count(client)).transpose()?)
    }

    /// What of the scopes an app asks for it may be granted at most; what nobody understands is left out.
    ///
    /// # Errors
    /// Nothing is left.
    pub fn app_scope(&self, client: &ClientRecord, asked: &str) -> Result<ScopeSet, AppError> {
        let granted = ScopeSet::parse(asked).and(&ScopeSet::parse(&client.scope));
        if granted.is_empty() {
            return Err(AppError::Scope("nothing of what was asked for is registered for this app".to_owned()));
        }
        Ok(granted)
    }

    /// What an app was opened for, used up by this; nothing where it was opened by itself.
    ///
    /// # Errors
    /// The launch parameter is not good.
    pub async fn launch_of(
        &self,
        client: &ClientRecord,
        scope: &ScopeSet,
        launch: Option<&str>,
    ) -> Result<Option<LaunchContext>, AppError> {
        match launch {
            Some(launch) if scope.is_marked(Mark::Launch) => {
                self.launched(&client.tenant, &client.id, launch).await.map(Some)
            }
            Some(_) => Err(AppError::Launch("goes with the scope launch")),
            None if scope.is_marked(Mark::Launch) => Err(AppError::Launch("is missing; the scope launch needs it")),
            None => Ok(None),
        }
    }

    /// Keeps what an app asks for in the browser with this cookie, and gives its id.
    ///
    /// # Errors
    /// The store failed.
    pub async fn keep_request(
        &self,
        id: &Secret,
        tenant: &TenantId,
        browser: &str,
        request: &AppRequest,
        asked: Option<&Asked>,
    ) -> Result<(), AppError> {
        self.forget().await?;
        let record = RequestRecord {
            sha256: hash(id.expose()),
            tenant: tenant.clone(),
            browser: hash(browser),
            request: serde_json::to_string(request)?,
            upstream: asked.map(serde_json::to_string).transpose()?,
        };
        Ok(self.store.insert_request(&record, self.clock.now().plus(REQUEST_S * MICROS)).await?)
    }

    /// What was asked for under this id in this browser.
    ///
    /// # Errors
    /// The store failed.
    pub async fn pending(&self, id: &str, browser: &str) -> Result<Option<Pending>, AppError> {
        self.store.request(&hash(id), &hash(browser)).await?.map(Pending::of).transpose()
    }

    /// The same, once: it is gone with this.
    ///
    /// # Errors
    /// The store failed.
    pub async fn take_pending(&self, id: &str, browser: &str) -> Result<Option<Pending>, AppError> {
        self.store.take_request(&hash(id), &hash(browser)).await?.map(Pending::of).transpose()
    }

    /// An id for a request, or a cookie for a browser.
    ///
    /// # Errors
    /// There is no randomness.
    pub fn unguessable(&self, kind: &str) -> Result<Secret, AppError> {
        Ok(random_token(kind)?)
    }
}
