//! `GET [base]/.well-known/smart-configuration`: what the authorization server can do.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/conformance.html>

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::OauthState;
use super::error::{Error, answer};
use super::request::Place;
use crate::auth::ALGORITHMS;
use crate::capability::{Capability, Interaction};

pub(super) async fn configuration(State(state): State<OauthState>, place: Place) -> Result<Response, Error> {
    let mut response = answer(StatusCode::OK, &document(&place.base(), &state.capability));
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn document(base: &str, capability: &Capability) -> Value {
    let algorithms: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
    json!({
        "jwks_uri": format!("{base}/oauth2/jwks"),
        "token_endpoint": format!("{base}/oauth2/token"),
        "introspection_endpoint": format!("{base}/oauth2/introspect"),
        "revocation_endpoint": format!("{base}/oauth2/revoke"),
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": algorithms,
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": scopes(capability),
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    })
}

/// Everything, and of each type all that can be done to it.
fn scopes(capability: &Capability) -> Vec<String> {
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
        format!("system/{}.{letters}", row.resource)
    };
    let all = ["system/*.cruds", "system/*.rs", "system/*.read", "system/*.write", "system/*.*"];
    all.into_iter().map(str::to_owned).chain(capability.resources().map(of_type)).collect()
}
