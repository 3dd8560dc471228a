//! Browsers in which somebody has signed in.

use std::sync::PoisonError;
use std::time::{Duration, Instant as Moment};

use super::{AppError, SESSION_S};
use crate::auth::{Action, Auth, Grant, GrantKind, Place, ScopeSet, User, hash, random_token};
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::{PersonRecord, TenantFacts};
use crate::time::{Instant, MICROS};

/// How often what is too old is forgotten.
const FORGET: Duration = Duration::from_secs(60);

/// Who has signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The person.
    pub person: PersonRecord,
    /// Until when that counts.
    pub expires: Instant,
}

impl Session {
    /// The person as those see them who decide.
    pub fn user(&self) -> User {
        User { id: self.person.id.clone(), resource: self.person.resource.clone() }
    }
}

impl Auth {
    /// Who of a tenant has signed in in the browser with this cookie.
    ///
    /// # Errors
    /// The store failed.
    pub async fn session(&self, tenant: &TenantId, cookie: &str) -> Result<Option<Session>, AppError> {
        let found = self.store.session(tenant, &hash(cookie)).await?;
        Ok(found.map(|(person, expires)| Session { person, expires }))
    }

    /// Lets a browser be a person's, under a new cookie: one that was there before somebody else may have put there.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_in(&self, person: &PersonRecord) -> Result<Secret, AppError> {
        let cookie = random_token("browser")?;
        let expires = self.clock.now().plus(SESSION_S * MICROS);
        self.store.insert_session(&hash(cookie.expose()), &person.id, expires).await?;
        Ok(cookie)
    }

    /// Lets a browser be nobody's.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sign_out(&self, cookie: &str) -> Result<(), AppError> {
        Ok(self.store.end_session(&hash(cookie)).await?)
    }

    /// Who an identity provider's subject is in a tenant.
    ///
    /// # Errors
    /// The store failed.
    pub async fn person(
        &self,
        tenant: &TenantId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<PersonRecord>, AppError> {
        Ok(self.store.person_of(tenant, issuer, subject).await?)
    }

    /// Those who may sign in to a tenant that holds synthetic patients alone; nobody in any other.
    ///
    /// # Errors
    /// The store failed.
    pub async fn synthetic_people(&self, tenant: &TenantId) -> Result<Vec<PersonRecord>, AppError> {
        if !self.store.tenant(tenant).await?.unwrap_or_default().synthetic {
            return Ok(Vec::new());
        }
        let people = self.store.people(tenant).await?;
        Ok(people.into_iter().filter(|person| person.issuer == super::SignIn::DEMO_ISSUER).collect())
    }

    /// Whether a person may do something in their own right, whatever the app: the policy decides.
    ///
    /// # Errors
    /// The store failed.
    pub async fn person_may(
        &self,
        session: &Session,
        client: &str,
        scope: &str,
        action: Action,
        kind: &str,
    ) -> Result<bool, AppError> {
        let tenant = session.person.tenant.clone();
        let TenantFacts { synthetic, baa } = self.store.tenant(&tenant).await?.unwrap_or_default();
        let user = session.user();
        let grant = Grant {
            kind: GrantKind::Token,
            tenant: tenant.clone(),
            synthetic,
            baa,
            sandbox: false,
            scope: ScopeSet::parse(scope),
            patient: user.patient(),
            consent: None,
            key_id: client.to_owned(),
            user: Some(user),
            token: None,
        };
        let place = Place { tenant: &tenant, synthetic, baa, kind: Some(kind) };
        Ok(self.policy.decide(&grant, action, place).is_allowed)
    }

    /// Forgets what is too old, now and then.
    pub(super) async fn forget(&self) -> Result<(), AppError> {
        {
            let mut forgot = self.forgot.lock().unwrap_or_else(PoisonError::into_inner);
            if forgot.is_some_and(|at| at.elapsed() < FORGET) {
                return Ok(());
            }
            *forgot = Some(Moment::now());
        }
        Ok(self.store.forget_expired().await?)
    }
}
