//! `POST /oauth2/revoke`: takes a token back, a refresh token with what was granted. <https://www.rfc-editor.org/rfc/rfc7009>

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::OauthState;
use super::error::{Error, answer};
use super::request::{Asker, Form, Place};

pub(super) async fn revoke(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    form: Form,
) -> Result<Response, Error> {
    let asker = Asker::of(&state, &place, &headers, &form).await?;
    let token = form.required("token")?;
    // A refresh token says nothing of itself: it is its app's to take back, and with it goes all it is good for.
    if let Some(client) = asker.client() {
        state.auth.revoke_refresh(token, client).await?;
    }
    // One that is not good is as good as taken back.
    if let Some(read) = state.auth.read_token(token).await? {
        if !asker.may_ask(&read.tenant, &read.claims.client_id) {
            return Err(Error::NotYours);
        }
        state.auth.revoke(token, &read.claims).await?;
    }
    Ok(answer(StatusCode::OK, &json!({})))
}
