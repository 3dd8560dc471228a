//! JWK Sets, of which a key is taken only where there is no doubt which one and what for.
//! <https://www.rfc-editor.org/rfc/rfc7517>

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;

/// Most keys in a set.
const MOST_KEYS: usize = 64;

/// Bytes of an RSA modulus, at least and at most: 2048 and 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// Why a text is no JWK Set of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// It is no JWK Set.
    #[error("not a JWK Set: {0}")]
    Json(String),
    /// It holds none that can be used.
    #[error("the set has no key with a kid that is RSA of 2048 bits or more, or EC on P-384")]
    NoKey,
    /// It has more than can be meant.
    #[error("the set has more than {MOST_KEYS} keys")]
    TooMany,
    /// A private key is nobody's but its owner's.
    #[error("the set has a private or a symmetric key: register the public ones alone")]
    Private,
    /// `kid` and `kty` must tell keys apart.
    #[error("two keys of the set have the kid {0:?}")]
    Twice(String),
}

/// A JWK Set.
#[derive(Debug, Clone)]
pub(super) struct KeySet(Vec<Jwk>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl KeySet {
    /// Reads a set. What is not for signatures or of a kind that is not taken is left out.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidKeySet> {
        let document: Document = serde_json::from_str(text).map_err(|e| InvalidKeySet::Json(e.to_string()))?;
        if document.keys.len() > MOST_KEYS {
            return Err(InvalidKeySet::TooMany);
        }
        if document.keys.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(InvalidKeySet::Private);
        }
        let keys = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let keys: Vec<Jwk> = keys.filter(|key| key.kid.is_some() && key.decoding().is_some()).collect();
        for (i, key) in keys.iter().enumerate() {
            if keys.iter().take(i).any(|other| other.kid == key.kid && other.kty == key.kty) {
                return Err(InvalidKeySet::Twice(key.kid.clone().unwrap_or_default()));
            }
        }
        if keys.is_empty() { Err(InvalidKeySet::NoKey) } else { Ok(Self(keys)) }
    }

    /// The key with this id for this algorithm.
    pub(super) fn key(&self, id: &str, algorithm: Algorithm) -> Option<DecodingKey> {
        let named =
            |key: &&Jwk| key.kid.as_deref() == Some(id) && key.alg.as_ref().is_none_or(|own| is(algorithm, own));
        let mut keys = self.0.iter().filter(named).filter_map(Jwk::decoding);
        keys.find(|key| key.family() == algorithm.family())
    }
}

fn is(algorithm: Algorithm, name: &str) -> bool {
    name.parse::<Algorithm>().is_ok_and(|own| own == algorithm)
}

impl Jwk {
    /// The key itself, where it is for signatures and of a kind that is taken.
    fn decoding(&self) -> Option<DecodingKey> {
        let for_signatures = self.usage.as_deref().is_none_or(|usage| usage == "sig")
            && self.key_ops.as_ref().is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        let family = self.alg.as_ref().map(|alg| alg.parse::<Algorithm>().ok().map(Algorithm::family));
        let of_family = |wanted| family.is_none_or(|own| own == Some(wanted));
        let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?.trim_end_matches('=')).ok();
        match self.kty.as_str() {
            "RSA" if for_signatures && of_family(AlgorithmFamily::Rsa) => {
                let (n, e) = (bytes(&self.n)?, bytes(&self.e)?);
                // Some write a zero before the number.
                let n = n.get(n.iter().position(|byte| *byte != 0)?..)?;
                MODULUS.contains(&n.len()).then(|| DecodingKey::from_rsa_raw_components(n, &e))
            }
            "EC" if for_signatures && self.crv.as_deref() == Some("P-384") && of_family(AlgorithmFamily::Ec) => {
                let (x, y) = (bytes(&self.x)?, bytes(&self.y)?);
                let whole = x.len() == 48 && y.len() == 48;
                whole.then(|| DecodingKey::from_ec_der(&[&[4], x.as_slice(), &y].concat()))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa(extra: &str, bytes: usize) -> String {
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bytes]);
        format!(r#"{{"kty":"RSA","kid":"a","n":"{n}","e":"AQAB"{extra}}}"#)
    }

    fn set(keys: &[&str]) -> Result<KeySet, InvalidKeySet> {
        KeySet::parse(&format!(r#"{{"keys":[{}]}}"#, keys.join(",")))
    }

    #[test]
    fn a_key_is_taken_for_what_it_is_for() {
        for extra in ["", r#","alg":"RS384""#, r#","use":"sig""#, r#","key_ops":["verify"]"#, r#","x5c":["x"]"#] {
            assert!(set(&[&rsa(extra, 256)]).unwrap().key("a", Algorithm::RS384).is_some(), "{extra}");
        }
        let keys = set(&[&rsa(r#","alg":"RS384""#, 256)]).unwrap();
        assert!(keys.key("a", Algorithm::PS384).is_none());
        assert!(keys.key("a", Algorithm::ES384).is_none());
        assert!(keys.key("b", Algorithm::RS384).is_none());
        for (extra, bytes) in [
            (r#","use":"enc""#, 256),
            (r#","key_ops":["sign"]"#, 256),
            (r#","alg":"HS256""#, 256),
            (r#","alg":"none""#, 256),
            ("", 128),
        ] {
            assert_eq!(set(&[&rsa(extra, bytes)]).unwrap_err(), InvalidKeySet::NoKey, "{extra}");
        }
    }

    #[test]
    fn a_set_with_secrets_or_doubts_is_refused() {
        let plain = rsa("", 256);
        assert_eq!(set(&[&plain, &plain]).unwrap_err(), InvalidKeySet::Twice("a".to_owned()));
        assert_eq!(set(&[&rsa(r#","d":"x""#, 256)]).unwrap_err(), InvalidKeySet::Private);
        assert_eq!(set(&[r#"{"kty":"oct","k":"c2VjcmV0","kid":"a"}"#]).unwrap_err(), InvalidKeySet::Private);
        assert_eq!(set(&[plain.as_str(); 65]).unwrap_err(), InvalidKeySet::TooMany);
        assert!(matches!(KeySet::parse("[]").unwrap_err(), InvalidKeySet::Json(_)));
    }
}
