//! What a person grants to an app, and the code the app gets its tokens with.

use serde::{Deserialize, Serialize};

use super::{AppError, AppRequest, CODE_S, OFFLINE_S, Session};
use crate::auth::scope::Context;
use crate::auth::token::APP_LIFETIME_S;
use crate::auth::{Auth, Mark, ScopeSet, hash, new_id, random_token};
use crate::id::ResourceId;
use crate::secret::Secret;
use crate::store::GrantRecord;
use crate::time::{Instant, MICROS};

/// What a person says yes to.
#[derive(Debug, Clone)]
pub struct Consent {
    /// The scopes that are left.
    pub scope: ScopeSet,
    /// The patient that was chosen.
    pub patient: Option<ResourceId>,
}

/// What was granted, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Granted {
    pub(super) scope: String,
    /// Who granted it.
    pub(super) user: String,
    pub(super) patient: Option<ResourceId>,
    pub(super) encounter: Option<ResourceId>,
    pub(super) need_patient_banner: bool,
    pub(super) nonce: Option<String>,
    /// Until when refresh tokens are given at most; without, there are none.
    pub(super) refresh: Option<Refresh>,
}

/// How long an app may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Refresh {
    /// So long after it was there last.
    Within(i64),
    /// While the person is signed in, microseconds since 1970.
    Until(i64),
}

impl Refresh {
    pub(super) fn expires(self, now: Instant) -> Instant {
        match self {
            Self::Within(seconds) => now.plus(seconds * MICROS),
            Self::Until(at) => Instant(at),
        }
    }
}

/// What a code is bound to.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Bound {
    pub(super) redirect_uri: String,
    pub(super) challenge: String,
}

impl Auth {
    /// The patient a person can but mean: their own where they are one, or that of the launch; the error says what is not theirs.
    ///
    /// # Errors
    /// The launch is about another patient or for another person.
    pub fn patient_of(&self, request: &AppRequest, session: &Session) -> Result<Option<ResourceId>, AppError> {
        let own = session.user().patient();
        let Some(launch) = &request.launch else { return Ok(own) };
        if launch.person.as_ref().is_some_and(|person| *person != session.person.id) {
            return Err(AppError::Launch("the app was opened for somebody else"));
        }
        match (&launch.patient, own) {
            (Some(patient), Some(own)) if *patient != own => Err(AppError::Launch("it is about another patient")),
            (patient, own) => Ok(patient.clone().or(own)),
        }
    }

    /// Keeps what a person grants of what was asked for, and gives the code the app gets its tokens with.
    ///
    /// # Errors
    /// Nothing is granted, or of a patient nobody chose.
    pub async fn grant(&self, request: &AppRequest, session: &Session, consent: Consent) -> Result<Secret, AppError> {
        // Never more than was asked for, whatever a form says.
        let scope = consent.scope.and(&request.scopes());
        if scope.is_empty() {
            return Err(AppError::Scope("nothing was granted".to_owned()));
        }
        let fixed = self.patient_of(request, session)?;
        let needs = scope.has(Context::Patient) || scope.is_marked(Mark::LaunchPatient);
        let patient = fixed.or(consent.patient.filter(|_| needs));
        if needs && patient.is_none() {
            return Err(AppError::Launch("no patient was chosen"));
        }
        let now = self.clock.now();
        let refresh = if scope.is_marked(Mark::OfflineAccess) {
            Some(Refresh::Within(OFFLINE_S))
        } else {
            scope.is_marked(Mark::OnlineAccess).then_some(Refresh::Until(session.expires.0))
        };
        let granted = Granted {
            scope: scope.to_string(),
            user: session.person.resource.clone(),
            patient,
            encounter: request.launch.as_ref().and_then(|launch| launch.encounter.clone()),
            need_patient_banner: request.launch.as_ref().is_none_or(|launch| launch.need_patient_banner),
            nonce: request.nonce.clone(),
            refresh,
        };
        let bound = Bound { redirect_uri: request.redirect_uri.clone(), challenge: request.challenge.clone() };
        let record = GrantRecord {
            id: new_id("grant")?,
            tenant: session.person.tenant.clone(),
            client: request.client.clone(),
            person: session.person.id.clone(),
            granted: serde_json::to_string(&granted)?,
            expires: now.plus((CODE_S + APP_LIFETIME_S) * MICROS),
        };
        let (code, bound) = (random_token("code")?, serde_json::to_string(&bound)?);
        self.store.insert_grant(&record, &hash(code.expose()), &bound, now.plus(CODE_S * MICROS)).await?;
        Ok(code)
    }
}
