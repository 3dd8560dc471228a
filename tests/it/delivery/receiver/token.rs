//! The token endpoint: a client's secret, or assertions signed with keys it is told of.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

pub(crate) const CLIENT: &str = "11111111-1111-4111-8111-111111111111";
/// The one that Medplum's code beside the repository knows as well.
pub(crate) const SECRET: &str = "receiver-secret";

#[derive(Default)]
pub(crate) struct Tokens {
    good: BTreeSet<String>,
    /// Requests for one.
    pub(crate) requests: usize,
    pub(super) jwks: Option<Value>,
    /// Whether it asks for none: what stands before it does.
    pub(crate) is_open: bool,
}

impl Tokens {
    /// None is good any more.
    pub(super) fn forget(&mut self) {
        self.good.clear();
    }

    pub(super) fn is_good(&self, headers: &HeaderMap) -> bool {
        let token = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
        self.is_open || token.is_some_and(|token| self.good.contains(token))
    }

    pub(super) fn give(&mut self, headers: &HeaderMap, body: &[u8]) -> (u16, Value) {
        self.requests += 1;
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Basic "));
        let is_known = match (&self.jwks, form.get("client_assertion")) {
            (Some(jwks), Some(assertion)) => is_signed(assertion, jwks),
            (None, None) => basic.is_some_and(|basic| basic == STANDARD.encode(format!("{CLIENT}:{SECRET}"))),
            _ => false,
        };
        if !is_known || form.get("grant_type").is_none_or(|grant| grant != "client_credentials") {
            return (400, json!({"error": "invalid_request", "error_description": "Invalid client"}));
        }
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).unwrap();
        let token = format!("token-{}", hex::encode(random));
        self.good.insert(token.clone());
        (200, json!({"token_type": "Bearer", "access_token": token, "expires_in": 3600}))
    }
}

fn is_signed(assertion: &str, jwks: &Value) -> bool {
    let parts: Vec<&str> = assertion.split('.').collect();
    let decoded = |text: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let (head, claims) = (decoded(parts[0]), decoded(parts[1]));
    let is_claimed = claims["iss"] == CLIENT
        && claims["sub"] == CLIENT
        && claims["aud"].as_str().is_some_and(|aud| aud.ends_with("/oauth2/token"));
    let Some(key) = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == head["kid"]) else { return false };
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let message = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    is_claimed && UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point).verify(message.as_bytes(), &signature).is_ok()
}
