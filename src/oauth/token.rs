//! `POST /oauth2/token`: access tokens for clients that prove themselves, and for apps that show a code or a refresh token.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html#obtain-access-token>
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-access-token>

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::OauthState;
use super::error::{Error, answer};
use super::request::{Form, Place};
use crate::auth::{CodeUse, Tokens};
use crate::store::ClientRecord;

pub(super) async fn token(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Error> {
    let base = place.base();
    let body = match form.required("grant_type")? {
        "client_credentials" => {
            let scope = form.required("scope")?;
            let client = form.client(&state, &place, &headers).await?;
            let issued = state.auth.issue(&client, scope, &base, &format!("{base}/fhir/R4")).await?;
            json!({
                "access_token": issued.token.expose(), "token_type": "bearer", "expires_in": issued.expires_in,
                "scope": issued.scope,
            })
        }
        "authorization_code" if state.sign_in.is_some() => {
            let (code, redirect_uri) = (form.required("code")?, form.required("redirect_uri")?);
            let shown = CodeUse { code, redirect_uri, verifier: form.required("code_verifier")? };
            let client = app(&state, &place, &headers, &form).await?;
            body(state.auth.redeem(&client, shown, &base).await?, &base)
        }
        "refresh_token" if state.sign_in.is_some() => {
            let token = form.required("refresh_token")?;
            let client = app(&state, &place, &headers, &form).await?;
            body(state.auth.refresh(&client, token, form.get("scope"), &base).await?, &base)
        }
        _ => return Err(Error::GrantType),
    };
    Ok(answer(StatusCode::OK, &body))
}

/// The app that asks, at its own tenant's paths: its tokens name them.
async fn app(state: &OauthState, place: &Place, headers: &HeaderMap, form: &Form) -> Result<ClientRecord, Error> {
    let client = form.client(state, place, headers).await?;
    if place.is_home_of(&client.tenant, &state.tenant) {
        return Ok(client);
    }
    Err(Error::Client("the client is not registered here".to_owned()))
}

fn body(tokens: Tokens, base: &str) -> Value {
    let Tokens { access, refresh, identity, patient, encounter, need_patient_banner } = tokens;
    let mut body = json!({
        "access_token": access.token.expose(), "token_type": "Bearer", "expires_in": access.expires_in,
        "scope": access.scope, "need_patient_banner": need_patient_banner,
        "smart_style_url": format!("{base}/oauth2/style.json"),
    });
    let secret = |secret: Option<crate::secret::Secret>| secret.map(|secret| secret.expose().to_owned());
    for (name, value) in [
        ("refresh_token", secret(refresh)),
        ("id_token", secret(identity)),
        ("patient", patient.map(String::from)),
        ("encounter", encounter.map(String::from)),
    ] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    body
}
