//! `GET` and `POST /oauth2/authorize`: an app sends somebody here to be granted access.
//! <https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code>

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::OauthState;
use super::cookie;
use super::error::Error;
use super::page::{failed, onward, sorry, with};
use super::request::{Form, Place};
use super::sign_in;
use crate::auth::{AppError, AppRequest};
use crate::store::ClientRecord;

/// A challenge is the base64url of a SHA-256.
const CHALLENGE: usize = 43;
/// Most bytes of what an app wants to be told again.
const MOST: usize = 2048;

pub(super) async fn by_get(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    match Form::parse(query.unwrap_or_default().as_bytes()) {
        Ok(form) => authorize(&state, &place, &headers, &form).await,
        Err(error) => failed(&error),
    }
}

pub(super) async fn by_post(State(state): State<OauthState>, place: Place, headers: HeaderMap, form: Form) -> Response {
    authorize(&state, &place, &headers, &form).await
}

async fn authorize(state: &OauthState, place: &Place, headers: &HeaderMap, form: &Form) -> Response {
    if state.sign_in.is_none() {
        return sorry(StatusCode::NOT_FOUND, "Nobody can sign in here: no identity provider is configured.");
    }
    // Until it is known that the URL is the app's, nobody is sent there.
    let (Some(client), Some(redirect_uri)) = (form.get("client_id"), form.get("redirect_uri")) else {
        return sorry(StatusCode::BAD_REQUEST, "The app did not say who it is, or where to send you back to.");
    };
    let client = match state.auth.app(client, redirect_uri).await {
        Ok(client) => client.filter(|client| place.is_home_of(&client.tenant, &state.tenant)),
        Err(error) => return failed(&error.into()),
    };
    let Some(client) = client else {
        return sorry(
            StatusCode::BAD_REQUEST,
            "The app, or the place it wants you sent back to, is not registered here.",
        );
    };
    match asked(state, place, form, &client, redirect_uri).await {
        Ok(request) => begin(state, place, headers, &client, request).await,
        Err(refusal) => {
            let told = refusal.to_string();
            let mut pairs = vec![("error", refusal.code()), ("error_description", told.as_str())];
            pairs.extend(form.get("state").map(|state| ("state", state)));
            let base = place.base();
            pairs.push(("iss", &base));
            onward(&with(redirect_uri, &pairs), None)
        }
    }
}

/// What the app asks for, where that can be asked.
async fn asked(
    state: &OauthState,
    place: &Place,
    form: &Form,
    client: &ClientRecord,
    redirect_uri: &str,
) -> Result<AppRequest, Error> {
    let invalid = |problem: &str| Err(Error::Request(problem.to_owned()));
    if form.required("response_type")? != "code" {
        return Err(Error::ResponseType);
    }
    let app_state = form.required("state")?;
    let nonce = form.get("nonce");
    if app_state.len() > MOST || nonce.is_some_and(|nonce| nonce.len() > MOST) {
        return invalid("state or nonce is too long");
    }
    let base = place.base();
    let fhir = format!("{base}/fhir/R4");
    if form.required("aud")?.trim_end_matches('/') != fhir {
        return invalid("aud must be the FHIR base URL of this server");
    }
    let challenge = form.required("code_challenge")?;
    let is_s256 = form.get("code_challenge_method") == Some("S256");
    let whole =
        challenge.len() == CHALLENGE && challenge.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    if !is_s256 || !whole {
        return invalid("code_challenge must be made with S256, and code_challenge_method say so");
    }
    let scope = state.auth.app_scope(client, form.required("scope")?)?;
    let launch = state.auth.launch_of(client, &scope, form.get("launch")).await?;
    Ok(AppRequest {
        base,
        client: client.id.clone(),
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_string(),
        state: app_state.to_owned(),
        challenge: challenge.to_owned(),
        nonce: nonce.map(str::to_owned),
        launch,
        csrf: state.auth.unguessable("form")?.expose().to_owned(),
    })
}

/// Asks whoever has signed in in this browser; where nobody has, they sign in first.
async fn begin(
    state: &OauthState,
    place: &Place,
    headers: &HeaderMap,
    client: &ClientRecord,
    request: AppRequest,
) -> Response {
    let here = async {
        let Some(browser) = cookie::browser(place, headers) else { return Ok(None) };
        if state.auth.session(&client.tenant, browser).await?.is_none() {
            return Ok(None);
        }
        let id = state.auth.unguessable("request")?;
        state.auth.keep_request(&id, &client.tenant, browser, &request, None).await?;
        Ok::<_, AppError>(Some(onward(
            &with(&format!("{}/oauth2/consent", request.base), &[("request", id.expose())]),
            None,
        )))
    };
    match here.await {
        Ok(Some(response)) => response,
        Ok(None) => sign_in::begin(state, place, &client.tenant, &request, false).await,
        Err(error) => failed(&error.into()),
    }
}
