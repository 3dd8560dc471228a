//! By what right something goes on after the request that asked for it: a subscription.
//!
//! A backend service's token lives for minutes and is no more than a proof of what its registration allows; so what it asked
//! for goes on as long as the registration does, within what both allow, unless the token itself is taken back. What an
//! app asked for goes on as long as what a person granted to it does; what a key asked for, as long as the key is good.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::grant::{Bearer, Grant, GrantKind, TokenFacts, User};
use super::scope::ScopeSet;
use super::{Auth, Denied, hash};
use crate::id::{ResourceId, TenantId};
use crate::store::TenantFacts;

/// Who asked, with what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    kind: GrantKind,
    /// Public id of the key, or of the client.
    id: String,
    /// The token and what a person granted.
    token: Option<(String, Option<String>)>,
    scope: String,
    patient: Option<ResourceId>,
    /// The person and who they are.
    user: Option<(String, String)>,
}

impl Standing {
    /// That of a caller.
    pub fn of(grant: &Grant) -> Self {
        Self {
            kind: grant.kind,
            id: grant.key_id.clone(),
            token: grant.token.clone().map(|token| (token.id, token.granted)),
            scope: grant.scope.to_string(),
            patient: grant.patient.clone(),
            user: grant.user.clone().map(|user| (user.id, user.resource)),
        }
    }

    /// Whether a caller is who asked, with no less than they had then.
    pub fn is_of(&self, grant: &Grant) -> bool {
        let same = Self { token: self.token.clone(), scope: self.scope.clone(), ..Self::of(grant) };
        same == *self && ScopeSet::parse(&self.scope).is_within(&grant.scope)
    }
}

impl Auth {
    /// What whoever asked may do now; nothing where that is over.
    ///
    /// # Errors
    /// The store failed.
    pub async fn still(&self, tenant: &TenantId, standing: &Standing) -> Result<Option<Arc<Bearer>>, Denied> {
        let Some(grant) = self.grant_of(tenant, standing).await? else { return Ok(None) };
        if grant.tenant != *tenant {
            return Ok(None);
        }
        Ok(Some(self.known(None, grant).await?.bearer))
    }

    async fn grant_of(&self, tenant: &TenantId, standing: &Standing) -> Result<Option<Grant>, Denied> {
        let now = self.clock.now();
        if standing.kind == GrantKind::Key {
            let key = self.store.key(&standing.id).await?;
            let Some(key) = key.filter(|key| key.expires.is_none_or(|at| now < at)) else { return Ok(None) };
            let facts = self.store.tenant(tenant).await?.unwrap_or_default();
            return Ok(Some(Grant::of_key(key, facts)));
        }
        let Some((token, granted)) = &standing.token else { return Ok(None) };
        let facts: Option<TenantFacts> = self.store.standing(token, &standing.id, granted.as_deref()).await?;
        let (Some(facts), Some(client)) = (facts, self.store.client(&standing.id).await?) else { return Ok(None) };
        if let Some(granted) = granted
            && self.store.granted_until(granted).await?.is_none_or(|until| until <= now)
        {
            return Ok(None);
        }
        let scope = ScopeSet::parse(&standing.scope).and(&ScopeSet::parse(&client.scope));
        let user = standing.user.clone().map(|(id, resource)| User { id, resource });
        let token = Some(TokenFacts { id: token.clone(), granted: granted.clone() });
        let patient = standing.patient.clone();
        Ok(Some(Grant { scope, patient, user, token, ..Grant::of_client(client, facts) }))
    }

    /// A token nobody can guess, and what it is found by.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn one_time_token(kind: &str) -> Result<(crate::secret::Secret, [u8; 32]), getrandom::Error> {
        let token = super::random_token(kind)?;
        let sha256 = hash(token.expose());
        Ok((token, sha256))
    }

    /// What a token is found by.
    pub fn token_hash(token: &str) -> [u8; 32] {
        hash(token)
    }
}
