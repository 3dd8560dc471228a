//! The keys this server proves itself with to an OAuth provider: ES384, one set for each provider, so that what one of them
//! sees helps nobody at another. A new key is published before it signs, for receivers keep copies of key sets.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::connection::{OauthProvider, PublicKey};
use crate::time::{Instant, MICROS};

/// How long a key is published before it signs, and how long after it does no more, in seconds.
pub const PUBLISHED_S: i64 = 600;
/// How long an assertion is good, in seconds.
const LIFETIME_S: i64 = 240;
/// Bytes of a coordinate on P-384.
const COORDINATE: usize = 48;

/// Why there is no key or no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system has no randomness.
    #[error("no randomness to be had")]
    Random,
    /// What is kept is no key.
    #[error("a key of the OAuth provider is damaged")]
    Damaged,
    /// None signs at this time.
    #[error("the OAuth provider has no key that signs")]
    Missing,
}

/// What is sealed of an OAuth provider.
#[derive(Default, Clone, PartialEq, Eq, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// The client's secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Private keys by their ids: PKCS #8 in base64.
    #[serde(default)]
    #[zeroize(skip)]
    pub keys: BTreeMap<String, String>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets")
    }
}

/// Adds a key that signs from a time on. Those before it are published until nothing they signed is good any more, or go at once.
///
/// # Errors
/// No randomness.
pub fn rotate(
    provider: &mut OauthProvider,
    secrets: &mut Secrets,
    now: Instant,
    at_once: bool,
) -> Result<(), KeyError> {
    let random = SystemRandom::new();
    let pkcs8 =
        EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).map_err(|_| KeyError::Random)?;
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, pkcs8.as_ref(), &random);
    let pair = pair.map_err(|_| KeyError::Damaged)?;
    // Uncompressed: 4, x, y.
    let point = pair.public_key().as_ref();
    let (x, y) = point.get(1..).and_then(|xy| xy.split_at_checked(COORDINATE)).ok_or(KeyError::Damaged)?;
    let mut id = [0_u8; 16];
    getrandom::fill(&mut id).map_err(|_| KeyError::Random)?;
    let id = format!("client_{}", hex::encode(id));
    let text = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    let jwk = json!({
        "kty": "EC", "crv": "P-384", "use": "sig", "alg": "ES384", "key_ops": ["verify"], "kid": id, "x": text(x), "y": text(y),
    });
    if at_once {
        provider.keys.clear();
    }
    let signs = if provider.keys.is_empty() { now } else { now.plus(PUBLISHED_S * MICROS) };
    for older in &mut provider.keys {
        let until = signs.plus(PUBLISHED_S * MICROS);
        older.expires = Some(older.expires.map_or(until, |at| at.min(until)));
    }
    provider.keys.push(PublicKey { id: id.clone(), jwk, signs, expires: None });
    provider.keys.retain(|key| key.expires.is_none_or(|at| at > now));
    secrets.keys.insert(id, STANDARD.encode(pkcs8.as_ref()));
    secrets.keys.retain(|id, _| provider.keys.iter().any(|key| key.id == *id));
    Ok(())
}

/// The JWK Set others may see.
pub fn published(provider: &OauthProvider, now: Instant) -> Value {
    let live = provider.keys.iter().filter(|key| key.expires.is_none_or(|at| at > now));
    json!({ "keys": live.map(|key| &key.jwk).collect::<Vec<_>>() })
}

/// An assertion for a provider's token endpoint. <https://www.rfc-editor.org/rfc/rfc7523#section-3>
///
/// `aud` is the one URL as a text, which is what all take.
///
/// # Errors
/// No key, no randomness.
pub fn assertion(provider: &OauthProvider, secrets: &Secrets, now: Instant) -> Result<String, KeyError> {
    let key = provider.keys.iter().rfind(|key| key.signs <= now && key.expires.is_none_or(|at| at > now));
    let key = key.ok_or(KeyError::Missing)?;
    let private = secrets.keys.get(&key.id).ok_or(KeyError::Missing)?;
    let mut private = STANDARD.decode(private).map_err(|_| KeyError::Damaged)?;
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &private, &random);
    private.zeroize();
    let pair = pair.map_err(|_| KeyError::Damaged)?;
    let mut jti = [0_u8; 16];
    getrandom::fill(&mut jti).map_err(|_| KeyError::Random)?;
    let seconds = now.0.div_euclid(MICROS);
    let header = json!({ "alg": "ES384", "typ": "JWT", "kid": key.id });
    let claims = json!({
        "iss": provider.client_id, "sub": provider.client_id, "aud": provider.token_url, "jti": hex::encode(jti),
        "iat": seconds, "exp": seconds + LIFETIME_S,
    });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&header), part(&claims));
    let signature = pair.sign(&random, message.as_bytes()).map_err(|_| KeyError::Random)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref())))
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

    use super::*;
    use crate::delivery::connection::Authentication;

    fn provider() -> OauthProvider {
        OauthProvider {
            name: "EHR".to_owned(),
            token_url: "https://ehr.example/token".to_owned(),
            client_id: "c1".to_owned(),
            scope: None,
            authentication: Authentication::PrivateKeyJwt,
            keys: Vec::new(),
        }
    }

    fn decoded(text: &str) -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
    }

    /// The id of the key that signed, which is a published one.
    fn signed_by(assertion: &str, set: &Value) -> String {
        let parts: Vec<&str> = assertion.split('.').collect();
        let id = decoded(parts[0])["kid"].as_str().unwrap().to_owned();
        let jwk = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == id.as_str()).unwrap();
        let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let message = format!("{}.{}", parts[0], parts[1]);
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message.as_bytes(), &signature).unwrap();
        id
    }

    #[test]
    fn a_new_key_is_published_before_it_signs_and_an_old_one_after() {
        let (mut provider, mut secrets) = (provider(), Secrets::default());
        let now = Instant(1_000 * MICROS);
        rotate(&mut provider, &mut secrets, now, false).unwrap();
        let first = provider.keys[0].id.clone();
        rotate(&mut provider, &mut secrets, now, false).unwrap();
        let second = provider.keys[1].id.clone();
        for (seconds, signs, keys) in [(0, &first, 2), (599, &first, 2), (600, &second, 2), (1200, &second, 1)] {
            let at = now.plus(seconds * MICROS);
            let set = published(&provider, at);
            assert_eq!(set["keys"].as_array().unwrap().len(), keys, "{seconds}");
            assert!(!set.to_string().contains("\"d\""));
            assert_eq!(signed_by(&assertion(&provider, &secrets, at).unwrap(), &set), *signs, "{seconds}");
        }
        let claims = decoded(assertion(&provider, &secrets, now).unwrap().split('.').nth(1).unwrap());
        assert_eq!((&claims["aud"], &claims["iss"]), (&json!("https://ehr.example/token"), &json!("c1")));
        assert_eq!(claims["exp"], 1_240);
    }

    #[test]
    fn a_key_that_others_have_seen_goes_at_once() {
        let (mut provider, mut secrets) = (provider(), Secrets::default());
        rotate(&mut provider, &mut secrets, Instant(0), false).unwrap();
        let first = provider.keys[0].id.clone();
        rotate(&mut provider, &mut secrets, Instant(0), true).unwrap();
        assert_eq!((provider.keys.len(), secrets.keys.len()), (1, 1));
        assert_ne!(provider.keys[0].id, first);
        assert_eq!(provider.keys[0].signs, Instant(0));
        assert_eq!(format!("{secrets:?}"), "Secrets");
    }
}
