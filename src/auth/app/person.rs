//! Letting people sign in.

use crate::id::{ResourceId, TenantId};
use crate::store::{PersonRecord, Store, StoreError};

/// Who is to sign in.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// The tenant they sign in to.
    pub tenant: TenantId,
    /// The identity provider's issuer URL.
    pub issuer: String,
    /// What the provider calls them, `sub`.
    pub subject: String,
    /// Who they are in the tenant's data: `Patient/…` or `Practitioner/…`.
    pub resource: String,
}

/// Why they are not let in.
#[derive(Debug, thiserror::Error)]
pub enum PersonError {
    /// They are nobody who signs in.
    #[error("resource: must be Patient/id or Practitioner/id")]
    Resource,
    /// The provider's words are none.
    #[error("{0}: must have 1 to 255 characters, none of them a control character")]
    Text(&'static str),
    /// That subject is somebody already.
    #[error("subject: this subject of the provider is somebody already; revoke that one first")]
    Taken,
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// The store failed.
    #[error("the person could not be kept")]
    Store(#[from] StoreError),
}

impl PersonError {
    /// The element at fault.
    pub fn element(&self) -> Option<&'static str> {
        match self {
            Self::Resource => Some("resource"),
            Self::Text(element) => Some(element),
            Self::Taken => Some("subject"),
            Self::Random | Self::Store(_) => None,
        }
    }
}

impl NewPerson {
    /// Lets them sign in, and gives what is kept of them.
    ///
    /// # Errors
    /// [`PersonError`].
    pub async fn register(self, store: &Store) -> Result<PersonRecord, PersonError> {
        let id = self.resource.split_once('/').filter(|(kind, _)| matches!(*kind, "Patient" | "Practitioner"));
        id.and_then(|(_, id)| ResourceId::new(id).ok()).ok_or(PersonError::Resource)?;
        for (element, text) in [("issuer", &self.issuer), ("subject", &self.subject)] {
            if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
                return Err(PersonError::Text(element));
            }
        }
        let id = crate::auth::new_id("person").map_err(|_| PersonError::Random)?;
        let Self { tenant, issuer, subject, resource } = self;
        let person = PersonRecord { id, tenant, issuer, subject, resource };
        if store.insert_person(&person).await? { Ok(person) } else { Err(PersonError::Taken) }
    }
}
