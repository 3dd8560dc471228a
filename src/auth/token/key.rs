//! One signing key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::rsa::PublicKeyComponents;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use rsa::pkcs8::EncodePrivateKey as _;
use serde_json::{Value, json};

use super::keys::KeyError;
use crate::id::TenantId;
use crate::store::{SigningAlgorithm, SigningKeyRecord};
use crate::time::Instant;

/// Bits of an RSA key: what OpenID Connect asks at least, and what everybody takes.
const RSA_BITS: usize = 2048;

/// A key, ready to be used.
pub(super) struct Key {
    pub(super) id: String,
    pub(super) tenant: TenantId,
    pub(super) algorithm: SigningAlgorithm,
    pub(super) private: EncodingKey,
    pub(super) public: DecodingKey,
    pub(super) signs: Instant,
    expires: Option<Instant>,
    pub(super) jwk: Value,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Key {
    pub(super) fn of(record: &SigningKeyRecord) -> Result<Self, KeyError> {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (private, public, mut jwk) = match record.algorithm {
            SigningAlgorithm::Es256 => {
                let of = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pair = EcdsaKeyPair::from_pkcs8(of, &record.private, &SystemRandom::new());
                let pair = pair.map_err(|_| KeyError::Damaged)?;
                // Uncompressed: 4, x, y.
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(32)).ok_or(KeyError::Damaged)?;
                let jwk = json!({ "kty": "EC", "crv": "P-256", "x": text(x), "y": text(y) });
                (EncodingKey::from_ec_der(&record.private), DecodingKey::from_ec_der(point), jwk)
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(&record.private).map_err(|_| KeyError::Damaged)?;
                let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public());
                let jwk = json!({ "kty": "RSA", "n": text(&n), "e": text(&e) });
                (EncodingKey::from_rsa_der(&record.private), DecodingKey::from_rsa_raw_components(&n, &e), jwk)
            }
        };
        for (name, value) in [("use", "sig"), ("alg", record.algorithm.name()), ("kid", record.id.as_str())] {
            jwk[name] = json!(value);
        }
        Ok(Self {
            id: record.id.clone(),
            tenant: record.tenant.clone(),
            algorithm: record.algorithm,
            private,
            public,
            signs: record.signs,
            expires: record.expires,
            jwk,
        })
    }

    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// A new key.
pub(super) async fn made(
    tenant: &TenantId,
    algorithm: SigningAlgorithm,
    signs: Instant,
) -> Result<SigningKeyRecord, KeyError> {
    let private = match algorithm {
        SigningAlgorithm::Es256 => {
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
            document.map_err(|_| KeyError::Random)?.as_ref().to_vec()
        }
        // Looking for primes takes a moment.
        SigningAlgorithm::Rs256 => {
            tokio::task::spawn_blocking(new_rsa).await.map_err(|_| KeyError::Random)?.ok_or(KeyError::Random)?
        }
    };
    let id = crate::auth::new_id("sig").map_err(|_| KeyError::Random)?;
    Ok(SigningKeyRecord { id, tenant: tenant.clone(), algorithm, private, signs, expires: None })
}

/// PKCS #8 of a new RSA key, which ring uses but does not make.
fn new_rsa() -> Option<Vec<u8>> {
    let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, RSA_BITS).ok()?;
    Some(key.to_pkcs8_der().ok()?.as_bytes().to_vec())
}
