//! `POST /oauth2/introspect`: what a token is good for. <https://www.rfc-editor.org/rfc/rfc7662>
//!
//! Clients may ask about their own, bearers with the scope `control` about those of their tenant. About all others they are
//! told what they would be told of a token that never was.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::OauthState;
use super::error::{Error, answer};
use super::request::{Asker, Form, Place};

pub(super) async fn introspect(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Error> {
    let asker = Asker::of(&state, &place, &headers, &form).await?;
    let read = state.auth.read_token(form.required("token")?).await?;
    let read = read.filter(|read| asker.may_ask(&read.tenant, &read.claims.client_id));
    let body = match read {
        None => json!({ "active": false }),
        Some(read) => {
            let mut body = json!({
                "active": true, "token_type": "bearer", "scope": read.claims.scope, "client_id": read.claims.client_id,
                "sub": read.claims.sub, "iss": read.claims.iss, "aud": read.claims.aud, "jti": read.claims.jti,
                "iat": read.claims.iat, "exp": read.claims.exp,
            });
            // The launch context, as SMART asks. <https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html>
            if let Some(person) = read.claims.person {
                body["fhirUser"] = json!(format!("{}/{}", read.claims.aud, person.user));
                if let Some(patient) = person.patient {
                    body["patient"] = json!(patient);
                }
            }
            body
        }
    };
    Ok(answer(StatusCode::OK, &body))
}
