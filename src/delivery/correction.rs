//! What people correct of a resource that a receiver refuses: for that receiver, and for the version they saw.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Delivery;
use super::load::{load, load_corrected};
use super::route::NoRoute;
use crate::conformant::{Issue, Severity};
use crate::id::{ConnectionId, TenantId};
use crate::store::StoreError;
use crate::store::delivery::{Correction, Key};

/// Elements that say what a resource is and whose: not to be corrected.
const FIXED: [&str; 6] = ["resourceType", "id", "meta", "identifier", "subject", "patient"];

/// Why nothing was corrected.
#[derive(Debug, thiserror::Error)]
pub enum Uncorrected {
    /// The patch is no object, or touches an element that is not to be.
    #[error("{0} cannot be corrected")]
    Fixed(String),
    /// There is no such resource any more.
    #[error("the resource is not there any more")]
    Gone,
    /// What comes of it is not valid.
    #[error("what comes of it is not valid")]
    Invalid(Vec<Issue>),
    /// There is no such target.
    #[error(transparent)]
    Route(#[from] NoRoute),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

impl Delivery {
    /// What was corrected of these for the target of an export; nothing where there is none.
    ///
    /// # Errors
    /// The database failed.
    pub async fn corrections(
        &self,
        (tenant, export): (&TenantId, &ConnectionId),
        keys: &[Key],
    ) -> Result<BTreeMap<Key, Correction>, StoreError> {
        match self.routes.place(tenant, export).await {
            Ok(place) => self.store.corrections(tenant, &place.destination, keys.iter()).await,
            Err(NoRoute::Store(error)) => Err(error),
            Err(_) => Ok(BTreeMap::new()),
        }
    }

    /// Corrects what goes to the target of an export, by a JSON Merge Patch of the resource as it is here; an empty one takes
    /// back what was corrected before. Gives what is sent from now on, with references by identifier.
    ///
    /// # Errors
    /// [`Uncorrected`].
    pub async fn correct(
        &self,
        (tenant, export): (&TenantId, &ConnectionId),
        key: &Key,
        patch: &Map<String, Value>,
        (reason, by): (&str, &str),
    ) -> Result<Value, Uncorrected> {
        if let Some(name) = FIXED.into_iter().find(|name| patch.contains_key(*name)) {
            return Err(Uncorrected::Fixed(name.to_owned()));
        }
        let place = self.routes.place(tenant, export).await?;
        let asked = [(0, key.clone())];
        let there = load(&self.store, tenant, &place, &asked).await?.pop().ok_or(Uncorrected::Gone)?;
        let correction = Correction {
            version: there.version,
            patch: Value::Object(patch.clone()).to_string(),
            reason: reason.to_owned(),
            by: by.to_owned(),
            at: self.clock.now(),
        };
        let corrections = [(key.clone(), correction.clone())].into();
        let sent = load_corrected(&self.store, tenant, &place, &asked, &corrections).await?;
        let sent = sent.first().ok_or(Uncorrected::Gone)?;
        let content = Value::Object(sent.rendered(|_| None));
        let mut issues = self.validator.validate(content.to_string().as_bytes(), &[]);
        issues.retain(|issue| issue.severity == Severity::Error);
        if !issues.is_empty() {
            return Err(Uncorrected::Invalid(issues));
        }
        self.store.correct(tenant, &place.destination, key, &correction).await?;
        Ok(content)
    }
}

/// A resource with what is corrected of it.
pub(super) fn corrected(body: Map<String, Value>, patch: &str) -> Result<Map<String, Value>, StoreError> {
    let patch: Value = serde_json::from_str(patch).map_err(|_| StoreError::Damaged { what: "correction" })?;
    let mut corrected = Value::Object(body);
    json_patch::merge(&mut corrected, &patch);
    match corrected {
        Value::Object(corrected) => Ok(corrected),
        _ => Err(StoreError::Damaged { what: "correction" }),
    }
}
