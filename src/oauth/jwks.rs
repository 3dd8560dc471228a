//! `GET /oauth2/jwks`: the public keys of a tenant's access tokens. <https://www.rfc-editor.org/rfc/rfc7517>

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use super::OauthState;
use super::error::{Error, answer};
use super::request::Place;
use crate::auth::KEY_SET_AGE_S;

pub(super) async fn jwks(State(state): State<OauthState>, place: Place) -> Result<Response, Error> {
    let tenant = place.tenant.as_ref().unwrap_or(&state.tenant);
    let mut response = answer(StatusCode::OK, &state.auth.keys().published(tenant).await?);
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    let age = HeaderValue::from_str(&format!("public, max-age={KEY_SET_AGE_S}"));
    headers.insert(header::CACHE_CONTROL, age.unwrap_or(HeaderValue::from_static("no-cache")));
    Ok(response)
}
