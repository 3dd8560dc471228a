//! What an authenticated caller may do.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::consent::PatientConsent;
use super::policy::{Action, Place, Policy};
use super::scope::{Access, Context, ResourceScope, ScopeSet};
use super::token::Claims;
use crate::id::{ResourceId, TenantId};
use crate::store::{ClientRecord, KeyRecord, PersonRecord, TenantFacts};

/// What is known of an authenticated caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What it showed.
    pub kind: GrantKind,
    /// The tenant it acts in.
    pub tenant: TenantId,
    /// Whether the tenant holds synthetic patients alone.
    pub synthetic: bool,
    /// Whether a business associate agreement is in force for the tenant.
    pub baa: bool,
    /// Whether it may touch synthetic patients only.
    pub sandbox: bool,
    /// Its scopes.
    pub scope: ScopeSet,
    /// The patient its `patient/` scopes are about.
    pub patient: Option<ResourceId>,
    /// What that patient has said about others reading what is theirs.
    pub consent: Option<PatientConsent>,
    /// Public id of the key, or of the client, safe to log.
    pub key_id: String,
    /// The person who uses the client.
    pub user: Option<User>,
    /// The token it showed.
    pub token: Option<TokenFacts>,
}

/// What a token can be taken back by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its id.
    pub id: String,
    /// Id of what a person granted, where one did.
    pub granted: Option<String>,
}

/// The person who uses an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Public id, safe to log.
    pub id: String,
    /// Who they are in the tenant's data: `Practitioner/…` or `Patient/…`.
    pub resource: String,
}

impl User {
    /// The patient they are.
    pub fn patient(&self) -> Option<ResourceId> {
        ResourceId::new(self.resource.strip_prefix("Patient/")?).ok()
    }

    /// The type of who they are, in small letters.
    pub(super) fn role(&self) -> &'static str {
        if self.resource.starts_with("Patient/") { "patient" } else { "practitioner" }
    }
}

/// What a caller showed to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantKind {
    /// A developer key.
    Key,
    /// An access token of a client.
    Token,
}

impl Grant {
    /// That of a developer key.
    pub fn of_key(key: KeyRecord, facts: TenantFacts) -> Self {
        Self {
            kind: GrantKind::Key,
            tenant: key.tenant,
            synthetic: facts.synthetic,
            baa: facts.baa,
            sandbox: key.sandbox,
            scope: ScopeSet::parse(&key.scope),
            patient: key.patient,
            consent: None,
            key_id: key.id,
            user: None,
            token: None,
        }
    }

    /// The most a client may be granted.
    pub fn of_client(client: ClientRecord, facts: TenantFacts) -> Self {
        Self {
            kind: GrantKind::Token,
            tenant: client.tenant,
            synthetic: facts.synthetic,
            baa: facts.baa,
            sandbox: false,
            scope: ScopeSet::parse(&client.scope),
            patient: None,
            consent: None,
            key_id: client.id,
            user: None,
            token: None,
        }
    }

    /// What an access token grants. A patient's is about that patient, whatever its context.
    pub(super) fn of_token(tenant: TenantId, claims: Claims, facts: TenantFacts) -> Self {
        let granted = claims.person.as_ref().map(|person| person.grant.clone());
        let token = Some(TokenFacts { id: claims.jti, granted });
        let (patient, user) = match claims.person {
            None => (None, None),
            Some(person) => {
                let user = User { id: claims.sub, resource: person.user };
                (user.patient().or(person.patient), Some(user))
            }
        };
        Self {
            kind: GrantKind::Token,
            tenant,
            synthetic: facts.synthetic,
            baa: facts.baa,
            sandbox: false,
            scope: ScopeSet::parse(&claims.scope),
            patient,
            consent: None,
            key_id: claims.client_id,
            user,
            token,
        }
    }

    /// The same, where this person uses it about this patient.
    #[must_use]
    pub fn used_by(self, person: PersonRecord, patient: Option<ResourceId>) -> Self {
        let user = User { id: person.id, resource: person.resource };
        Self { patient: user.patient().or(patient), user: Some(user), ..self }
    }

    /// Whether a scope of its is about what is one patient's: a `patient/` scope, and a `user/` scope where the user is a patient.
    pub fn is_about_patient(&self, scope: &ResourceScope) -> bool {
        match scope.context {
            Context::Patient => true,
            Context::User => self.user.as_ref().is_some_and(|user| user.patient().is_some()),
            Context::System => false,
        }
    }

    /// Whether its scopes are about some resources of this type and this access.
    pub(super) fn covers(&self, kind: &str, access: Access) -> bool {
        self.scopes_of(kind, access).next().is_some()
    }

    /// Its scopes about this type and this access. Without a patient, those about one are about nobody.
    pub fn scopes_of<'a>(&'a self, kind: &'a str, access: Access) -> impl Iterator<Item = &'a ResourceScope> {
        let counts = |scope: &ResourceScope| !self.is_about_patient(scope) || self.patient.is_some();
        self.scope.resources().iter().filter(move |scope| counts(scope) && scope.covers(kind, access))
    }
}

/// An authenticated caller, and what was decided about it.
#[derive(Debug)]
pub struct Bearer {
    grant: Grant,
    policy: Arc<Policy>,
    /// Decisions are asked for often, and neither policy nor grant changes under them.
    decided: Mutex<BTreeMap<(Action, String), bool>>,
}

impl Deref for Bearer {
    type Target = Grant;

    fn deref(&self) -> &Grant {
        &self.grant
    }
}

impl Bearer {
    pub(super) fn new(grant: Grant, policy: Arc<Policy>) -> Self {
        Self { grant, policy, decided: Mutex::default() }
    }

    /// Whether some resources of this type may be accessed so; which ones, the scopes say.
    pub fn may(&self, kind: &str, access: Access) -> bool {
        self.decide(Action::Fhir(access), Some(kind))
    }

    /// Whether every resource of every type of the tenant may be read, as far as scopes say; that no policy forbids reading
    /// patients' is asked as well.
    pub fn may_read_everything(&self) -> bool {
        // No type has this name, so only a scope of all types is about it.
        let mut scopes = self.grant.scopes_of("*", Access::Read);
        scopes.any(|scope| scope.context == Context::System && scope.query.is_empty())
            && ["Patient", "Observation"].iter().all(|kind| self.may(kind, Access::Read))
    }

    /// Whether packets may be sent.
    pub fn may_ingest(&self) -> bool {
        self.decide(Action::Ingest, None)
    }

    /// Whether the control plane may be used.
    pub fn may_control(&self) -> bool {
        self.decide(Action::Control, None)
    }

    fn decide(&self, action: Action, kind: Option<&str>) -> bool {
        let key = (action, kind.unwrap_or_default().to_owned());
        if let Some(decided) = self.decided.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return *decided;
        }
        let Grant { tenant, synthetic, baa, .. } = &self.grant;
        let place = Place { tenant, synthetic: *synthetic, baa: *baa, kind };
        let is_allowed = self.policy.decide(&self.grant, action, place).is_allowed;
        self.decided.lock().unwrap_or_else(PoisonError::into_inner).insert(key, is_allowed);
        is_allowed
    }
}
