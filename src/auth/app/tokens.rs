//! The tokens an app gets: for a code, and again for a refresh token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::AppError;
use super::grant::{Bound, Granted};
use crate::auth::issue::Issued;
use crate::auth::token::{APP_LIFETIME_S, Claims, IdClaims, PersonClaims};
use crate::auth::{Auth, Mark, ScopeSet, hash, new_id, random_token};
use crate::id::ResourceId;
use crate::secret::Secret;
use crate::store::{ClientRecord, GrantRecord, Redeemed, StoreError, TicketKind};
use crate::time::MICROS;

const BAD_CODE: AppError = AppError::Grant("the code is not good: unknown, too old, used before or not this app's");
const BAD_REFRESH: AppError =
    AppError::Grant("the refresh token is not good: unknown, too old, used before or not this app's");

/// Characters of a code verifier. <https://www.rfc-editor.org/rfc/rfc7636#section-4.1>
const VERIFIER: std::ops::RangeInclusive<usize> = 43..=128;

/// What an app shows for a code.
#[derive(Debug, Clone, Copy)]
pub struct CodeUse<'a> {
    /// The code.
    pub code: &'a str,
    /// Where it came to.
    pub redirect_uri: &'a str,
    /// What the challenge was made of.
    pub verifier: &'a str,
}

/// What an app gets.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access: Issued,
    /// What it gets the next one with.
    pub refresh: Option<Secret>,
    /// Who signed in.
    pub identity: Option<Secret>,
    /// The patient in context.
    pub patient: Option<ResourceId>,
    /// The encounter in context.
    pub encounter: Option<ResourceId>,
    /// Whether it is to show whom it is about.
    pub need_patient_banner: bool,
}

impl Auth {
    /// The tokens for a code, which is used up by this: the second time takes what was granted back.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn redeem(&self, client: &ClientRecord, shown: CodeUse<'_>, base: &str) -> Result<Tokens, AppError> {
        let ticket = match self.store.redeem(TicketKind::Code, &hash(shown.code), &client.id).await? {
            Redeemed::First(ticket) => ticket,
            Redeemed::Again => return Err(self.taken_back(BAD_CODE)),
            Redeemed::Unknown => return Err(BAD_CODE),
        };
        let bound: Bound = serde_json::from_str(&ticket.bound)?;
        if bound.redirect_uri != shown.redirect_uri {
            return Err(AppError::Grant("redirect_uri is not where the code came to"));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        let whole = VERIFIER.contains(&shown.verifier.len()) && shown.verifier.bytes().all(plain);
        if !whole || URL_SAFE_NO_PAD.encode(Sha256::digest(shown.verifier.as_bytes())) != bound.challenge {
            return Err(AppError::Grant("code_verifier is not what code_challenge was made of"));
        }
        let granted: Granted = serde_json::from_str(&ticket.grant.granted)?;
        let identity = self.identity(&ticket.grant, &granted, base).await?;
        let scope = ScopeSet::parse(&granted.scope);
        Ok(Tokens { identity, ..self.tokens(&ticket.grant, granted, &scope, base).await? })
    }

    /// The tokens for a refresh token, which is used up by this: the second time takes what was granted back.
    ///
    /// # Errors
    /// [`AppError`].
    pub async fn refresh(
        &self,
        client: &ClientRecord,
        token: &str,
        scope: Option<&str>,
        base: &str,
    ) -> Result<Tokens, AppError> {
        let ticket = match self.store.redeem(TicketKind::Refresh, &hash(token), &client.id).await? {
            Redeemed::First(ticket) => ticket,
            Redeemed::Again => return Err(self.taken_back(BAD_REFRESH)),
            Redeemed::Unknown => return Err(BAD_REFRESH),
        };
        let granted: Granted = serde_json::from_str(&ticket.grant.granted)?;
        let all = ScopeSet::parse(&granted.scope);
        // What the client is registered for may be less by now.
        let all = all.and(&ScopeSet::parse(&client.scope));
        let scope = scope.map_or_else(|| all.clone(), |asked| ScopeSet::parse(asked).and(&all));
        if scope.is_empty() {
            return Err(AppError::Scope("nothing of what is asked for was granted".to_owned()));
        }
        self.tokens(&ticket.grant, granted, &scope, base).await
    }

    /// Takes back what was granted, by a refresh token.
    ///
    /// # Errors
    /// The store failed.
    pub async fn revoke_refresh(&self, token: &str, client: &str) -> Result<(), StoreError> {
        if self.store.revoke_refresh(&hash(token), client).await? {
            self.forget_found();
        }
        Ok(())
    }

    /// Tokens that were found good may no longer be.
    fn taken_back(&self, error: AppError) -> AppError {
        self.forget_found();
        error
    }

    async fn tokens(
        &self,
        grant: &GrantRecord,
        granted: Granted,
        scope: &ScopeSet,
        base: &str,
    ) -> Result<Tokens, AppError> {
        let now = self.clock.now();
        let iat = now.0.div_euclid(MICROS);
        let text = scope.to_string();
        let claims = Claims {
            iss: base.to_owned(),
            sub: grant.person.clone(),
            client_id: grant.client.clone(),
            aud: format!("{base}/fhir/R4"),
            iat,
            exp: iat + APP_LIFETIME_S,
            jti: new_id("at")?,
            scope: text.clone(),
            person: Some(PersonClaims {
                grant: grant.id.clone(),
                user: granted.user.clone(),
                patient: granted.patient.clone(),
            }),
        };
        let token = Secret::new(self.keys.sign(&grant.tenant, &claims, now).await?);
        let refresh = match granted.refresh.map(|refresh| refresh.expires(now)).filter(|expires| *expires > now) {
            Some(expires) => {
                let refresh = random_token("refresh")?;
                self.store.insert_refresh(&hash(refresh.expose()), &grant.id, expires).await?;
                Some(refresh)
            }
            None => None,
        };
        Ok(Tokens {
            access: Issued { token, scope: text, expires_in: APP_LIFETIME_S },
            refresh,
            identity: None,
            patient: granted.patient,
            encounter: granted.encounter,
            need_patient_banner: granted.need_patient_banner,
        })
    }

    async fn identity(&self, grant: &GrantRecord, granted: &Granted, base: &str) -> Result<Option<Secret>, AppError> {
        let scope = ScopeSet::parse(&granted.scope);
        if !scope.is_marked(Mark::OpenId) {
            return Ok(None);
        }
        let now = self.clock.now();
        let iat = now.0.div_euclid(MICROS);
        let fhir_user = scope.is_marked(Mark::FhirUser).then(|| format!("{base}/fhir/R4/{}", granted.user));
        let claims = IdClaims {
            iss: base,
            sub: &grant.person,
            aud: &grant.client,
            iat,
            exp: iat + APP_LIFETIME_S,
            nonce: granted.nonce.as_deref(),
            fhir_user,
        };
        Ok(Some(Secret::new(self.keys.sign_identity(&grant.tenant, &claims, now).await?)))
    }
}
