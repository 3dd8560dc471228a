//! Access tokens, made and read.

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use serde::{Deserialize, Serialize};

use super::keys::{KeyError, Keys};
use crate::id::{ResourceId, TenantId};
use crate::store::SigningAlgorithm;
use crate::time::{Instant, MICROS};

/// How long a token is good: a backend service's, and that of an app somebody uses.
pub(in crate::auth) const LIFETIME_S: i64 = 300;
pub(in crate::auth) const APP_LIFETIME_S: i64 = 3600;

/// What tells an access token from every other JWT. <https://www.rfc-editor.org/rfc/rfc9068#section-2.1>
const TYPE: &str = "at+jwt";

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The server that gave it.
    pub iss: String,
    /// Who stands behind it: the person who uses an app; where nobody does, the client.
    pub sub: String,
    /// The client it was given to.
    pub client_id: String,
    /// The FHIR base URL it is for.
    pub aud: String,
    /// When it was given, seconds since 1970.
    pub iat: i64,
    /// When it stops being good.
    pub exp: i64,
    /// Its id.
    pub jti: String,
    /// What was granted, blank-separated.
    pub scope: String,
    /// What a person granted, where one did.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonClaims>,
}

/// What the token of an app says of what a person granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonClaims {
    /// Id of what was granted.
    pub grant: String,
    /// The person's resource, `Practitioner/…`.
    pub user: String,
    /// The patient in context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<ResourceId>,
}

/// What an id token says. <https://openid.net/specs/openid-connect-core-1_0.html#IDToken>
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct IdClaims<'a> {
    pub(in crate::auth) iss: &'a str,
    pub(in crate::auth) sub: &'a str,
    pub(in crate::auth) aud: &'a str,
    pub(in crate::auth) iat: i64,
    pub(in crate::auth) exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) nonce: Option<&'a str>,
    #[serde(rename = "fhirUser", skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) fhir_user: Option<String>,
}

/// A token that was read, its signature and its time checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    /// The tenant whose key signed it.
    pub tenant: TenantId,
    /// What it says.
    pub claims: Claims,
}

impl Claims {
    /// When the token stops being good.
    pub fn expires(&self) -> Instant {
        Instant(self.exp.saturating_mul(MICROS))
    }
}

impl Keys {
    /// Signs a token.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn sign(&self, tenant: &TenantId, claims: &Claims, now: Instant) -> Result<String, KeyError> {
        let key = self.signing(tenant, SigningAlgorithm::Es256, now).await?;
        let header = Header { typ: Some(TYPE.to_owned()), kid: Some(key.id.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &key.private).map_err(|_| KeyError::Damaged)
    }

    /// Signs an id token, with RSA as SMART asks.
    pub(in crate::auth) async fn sign_identity(
        &self,
        tenant: &TenantId,
        claims: &IdClaims<'_>,
        now: Instant,
    ) -> Result<String, KeyError> {
        let key = self.signing(tenant, SigningAlgorithm::Rs256, now).await?;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::RS256) };
        encode(&header, claims, &key.private).map_err(|_| KeyError::Damaged)
    }

    /// Reads a token that was signed here and is still good; nothing where it was not or is not.
    ///
    /// # Errors
    /// [`KeyError`].
    pub async fn read(&self, token: &str, now: Instant) -> Result<Option<AccessToken>, KeyError> {
        let Ok(header) = decode_header(token) else { return Ok(None) };
        let Some(id) = header.kid.filter(|_| header.typ.as_deref() == Some(TYPE)) else { return Ok(None) };
        let key = self.by_id(&id, now).await?.filter(|key| key.algorithm == SigningAlgorithm::Es256);
        let Some(key) = key else { return Ok(None) };
        let mut validation = Validation::new(Algorithm::ES256);
        // Time is this server's clock's; who it is for, the key says.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        let Ok(read) = decode::<Claims>(token, &key.public, &validation) else { return Ok(None) };
        let good = read.claims.expires() > now;
        Ok(good.then(|| AccessToken { tenant: key.tenant.clone(), claims: read.claims }))
    }
}
