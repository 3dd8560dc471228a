//! `POST /oauth2/token`: access tokens for clients that prove themselves.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/backend-services.html#obtain-access-token>

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::OauthState;
use super::error::{Error, answer};
use super::request::{Form, Place};

pub(super) async fn token(State(state): State<OauthState>, place: Place, form: Form) -> Result<Response, Error> {
    if form.required("grant_type")? != "client_credentials" {
        return Err(Error::GrantType);
    }
    let scope = form.required("scope")?;
    let client = form.client(&state, &place).await?;
    let issuer = place.base();
    let issued = state.auth.issue(&client, scope, &issuer, &format!("{issuer}/fhir/R4")).await?;
    let body = json!({
        "access_token": issued.token.expose(), "token_type": "bearer", "expires_in": issued.expires_in, "scope": issued.scope,
    });
    Ok(answer(StatusCode::OK, &body))
}
