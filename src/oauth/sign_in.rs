//! Signing in: at the identity provider or, in a demonstration, by saying who one is.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::OauthState;
use super::cookie;
use super::error::Error;
use super::page::{escaped, failed, onward, ours, page, sorry, with};
use super::request::{Form, Place};
use crate::auth::{Answered, AppRequest, NotSignedIn, Pending, SignIn};
use crate::id::TenantId;
use crate::secret::Secret;
use crate::store::PersonRecord;

const LOST: &str = "This sign-in is not this browser's, or it is too old.";

/// Has somebody sign in, and then asks them. `again`, whoever is signed in at the identity provider is asked for anew.
pub(super) async fn begin(
    state: &OauthState,
    place: &Place,
    tenant: &TenantId,
    request: &AppRequest,
    again: bool,
) -> Response {
    let begun = async {
        // The id is what comes back as `state`. It is good in the browser with this cookie alone.
        let (id, browser) = (state.auth.unguessable("request")?, state.auth.unguessable("browser")?);
        let (url, asked) = match &state.sign_in {
            Some(SignIn::Upstream(upstream)) => {
                let (url, asked) = upstream.ask(&callback_url(place), id.expose(), again).await?;
                (url, Some(asked))
            }
            Some(SignIn::Demo) => {
                (with(&format!("{}/oauth2/sign-in", request.base), &[("request", id.expose())]), None)
            }
            None => return Err(Error::GrantType),
        };
        state.auth.keep_request(&id, tenant, browser.expose(), request, asked.as_ref()).await?;
        Ok(onward(&url, cookie::set(place, &browser)))
    };
    begun.await.unwrap_or_else(|error| failed(&error))
}

fn callback_url(place: &Place) -> String {
    format!("{}/oauth2/callback", place.root())
}

/// `GET /oauth2/callback`: the identity provider sends somebody back.
pub(super) async fn callback(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(SignIn::Upstream(upstream)) = &state.sign_in else {
        return sorry(StatusCode::NOT_FOUND, "No identity provider is configured here.");
    };
    let answered = async {
        let form = Form::parse(query.unwrap_or_default().as_bytes())?;
        let lost = || sorry(StatusCode::BAD_REQUEST, LOST);
        let (Some(id), Some(browser)) = (form.get("state"), cookie::browser(&place, &headers)) else {
            return Ok(lost());
        };
        // Gone with this: an answer counts once.
        let Some(pending) = state.auth.take_pending(id, browser).await? else { return Ok(lost()) };
        let Some(asked) = &pending.asked else { return Ok(lost()) };
        let Some(code) = form.get("code") else {
            return Ok(refused(&pending.request, "access_denied", "nobody has signed in"));
        };
        let answer = Answered { code, iss: form.get("iss") };
        let subject = upstream.subject(&callback_url(&place), asked, answer).await?;
        let person = state.auth.person(&pending.tenant, upstream.issuer(), &subject).await?;
        let Some(person) = person else {
            let told = "You have signed in, but nobody has said who you are here. Ask those who run this server.";
            return Ok(sorry(StatusCode::FORBIDDEN, told));
        };
        welcome(&state, &place, &pending, &person).await
    };
    answered.await.unwrap_or_else(|error| failed(&error))
}

/// Goes on to what was asked for, in a browser that is now a person's.
async fn welcome(
    state: &OauthState,
    place: &Place,
    pending: &Pending,
    person: &PersonRecord,
) -> Result<Response, Error> {
    let (id, browser) = (state.auth.unguessable("request")?, state.auth.sign_in(person).await?);
    state.auth.keep_request(&id, &pending.tenant, browser.expose(), &pending.request, None).await?;
    let url = with(&format!("{}/oauth2/consent", pending.request.base), &[("request", id.expose())]);
    Ok(onward(&url, cookie::set(place, &browser)))
}

/// Sends somebody back to the app without what it asked for.
pub(super) fn refused(request: &AppRequest, code: &str, told: &str) -> Response {
    let pairs = [("error", code), ("error_description", told), ("state", &request.state), ("iss", &request.base)];
    onward(&with(&request.redirect_uri, &pairs), None)
}

/// `GET /oauth2/sign-in`: in a demonstration people say who they are.
pub(super) async fn ask(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = async {
        let form = Form::parse(query.unwrap_or_default().as_bytes())?;
        let Some((id, pending)) = demo_request(&state, &place, &headers, &form).await? else {
            return Ok(sorry(StatusCode::BAD_REQUEST, LOST));
        };
        let people = state.auth.synthetic_people(&pending.tenant).await?;
        let choice = |(n, person): (usize, &PersonRecord)| {
            format!(
                "<label><input type=\"radio\" name=\"person\" value=\"{}\"{}> {} <code>{}</code></label>",
                escaped(&person.id),
                if n == 0 { " checked" } else { "" },
                escaped(&person.subject),
                escaped(&person.resource),
            )
        };
        let choices: String = people.iter().enumerate().map(choice).collect();
        let body = format!(
            "<p>Everybody here is made up, so nobody has to prove anything.</p>\
             <form method=\"post\" action=\"sign-in\">{}<fieldset>{choices}</fieldset><button>Sign in</button></form>",
            ours(&id, &pending.request.csrf)
        );
        Ok::<_, Error>(page(StatusCode::OK, "Who are you?", &body, None))
    };
    asked.await.unwrap_or_else(|error| failed(&error))
}

/// `POST /oauth2/sign-in`
pub(super) async fn said(State(state): State<OauthState>, place: Place, headers: HeaderMap, form: Form) -> Response {
    let said = async {
        let lost = || sorry(StatusCode::BAD_REQUEST, LOST);
        let Some((id, pending)) = demo_request(&state, &place, &headers, &form).await? else { return Ok(lost()) };
        if !pending.request.is_ours(form.required("csrf")?) {
            return Ok(lost());
        }
        let people = state.auth.synthetic_people(&pending.tenant).await?;
        let Some(person) = people.into_iter().find(|person| Some(person.id.as_str()) == form.get("person")) else {
            return Ok(sorry(StatusCode::BAD_REQUEST, "There is no such person."));
        };
        let browser = cookie::browser(&place, &headers).unwrap_or_default();
        match state.auth.take_pending(id.expose(), browser).await? {
            Some(pending) => welcome(&state, &place, &pending, &person).await,
            None => Ok(lost()),
        }
    };
    said.await.unwrap_or_else(|error| failed(&error))
}

/// What somebody is to sign in for, where this is a demonstration.
async fn demo_request(
    state: &OauthState,
    place: &Place,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Option<(Secret, Pending)>, Error> {
    let (Some(SignIn::Demo), Some(id), Some(browser)) =
        (&state.sign_in, form.get("request"), cookie::browser(place, headers))
    else {
        return Ok(None);
    };
    let pending =
        state.auth.pending(id, browser).await?.filter(|pending| place.is_home_of(&pending.tenant, &state.tenant));
    Ok(pending.map(|pending| (Secret::new(id.to_owned()), pending)))
}

impl From<NotSignedIn> for Error {
    fn from(error: NotSignedIn) -> Self {
        tracing::warn!(error = &error as &dyn std::error::Error, "nobody has signed in");
        Self::SignIn
    }
}
