//! `GET [base]/.well-known/smart-configuration` and what OpenID Connect asks of it: what the authorization server can do.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::OauthState;
use super::error::{Error, answer};
use super::request::Place;
use crate::auth::{ALGORITHMS, Mark};
use crate::capability::{Capability, Interaction};

pub(super) async fn smart(State(state): State<OauthState>, place: Place) -> Result<Response, Error> {
    Ok(document(&smart_document(&place.base(), &state)))
}

/// `GET [issuer]/.well-known/openid-configuration`. <https://openid.net/specs/openid-connect-discovery-1_0.html>
pub(super) async fn openid(State(state): State<OauthState>, place: Place) -> Result<Response, Error> {
    if state.sign_in.is_none() {
        return Err(Error::NoSignIn);
    }
    let mut body = common(&place.base(), &state);
    for (name, value) in [
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256"])),
        ("claims_supported", json!(["iss", "sub", "aud", "exp", "iat", "nonce", "fhirUser"])),
    ] {
        body[name] = value;
    }
    Ok(document(&body))
}

fn document(body: &Value) -> Response {
    let mut response = answer(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// What both documents say: what is there, and no more.
fn common(base: &str, state: &OauthState) -> Value {
    let algorithms: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    let people = state.sign_in.is_some();
    let mut body = json!({
        "jwks_uri": format!("{base}/oauth2/jwks"),
        "token_endpoint": format!("{base}/oauth2/token"),
        "introspection_endpoint": format!("{base}/oauth2/introspect"),
        "revocation_endpoint": format!("{base}/oauth2/revoke"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": scopes(&state.capability, people),
    });
    if people {
        for (name, value) in [
            ("issuer", json!(base)),
            ("authorization_endpoint", json!(format!("{base}/oauth2/authorize"))),
            ("grant_types_supported", json!(["authorization_code", "refresh_token", "client_credentials"])),
            ("response_types_supported", json!(["code"])),
            ("response_modes_supported", json!(["query"])),
            ("authorization_response_iss_parameter_supported", json!(true)),
            ("token_endpoint_auth_methods_supported", json!(["private_key_jwt", "client_secret_basic", "none"])),
        ] {
            body[name] = value;
        }
    }
    body
}

fn smart_document(base: &str, state: &OauthState) -> Value {
    let mut body = common(base, state);
    let mut capabilities = vec!["client-confidential-asymmetric", "permission-v1", "permission-v2"];
    if state.sign_in.is_some() {
        capabilities.extend([
            "launch-ehr",
            "launch-standalone",
            "authorize-post",
            "client-public",
            "client-confidential-symmetric",
            "sso-openid-connect",
            "context-banner",
            "context-style",
            "context-ehr-patient",
            "context-ehr-encounter",
            "context-standalone-patient",
            "permission-offline",
            "permission-online",
            "permission-patient",
            "permission-user",
        ]);
    }
    body["capabilities"] = json!(capabilities);
    body
}

/// Everything, and of each type all that can be done to it.
fn scopes(capability: &Capability, people: bool) -> Vec<String> {
    let contexts: &[&str] = if people { &["system", "user", "patient"] } else { &["system"] };
    let of_type = |row: &crate::capability::ResourceRow| {
        let letters: String = [
            ('c', Interaction::Create),
            ('r', Interaction::Read),
            ('u', Interaction::Update),
            ('d', Interaction::Delete),
            ('s', Interaction::SearchType),
        ]
        .into_iter()
        .filter(|(_, interaction)| row.supports(*interaction))
        .map(|(letter, _)| letter)
        .collect();
        format!("{}.{letters}", row.resource)
    };
    let all = ["*.cruds", "*.rs", "*.read", "*.write", "*.*"].into_iter().map(str::to_owned);
    let rest: Vec<String> = all.chain(capability.resources().map(of_type)).collect();
    let marks = Mark::ALL.into_iter().filter(|_| people).map(|mark| mark.word().to_owned());
    marks.chain(contexts.iter().flat_map(|context| rest.iter().map(move |rest| format!("{context}/{rest}")))).collect()
}
