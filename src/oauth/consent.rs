//! `GET` and `POST /oauth2/consent`: whoever has signed in says what an app is granted.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::OauthState;
use super::cookie;
use super::error::Error;
use super::offer::{self, Offer};
use super::page::{escaped, failed, onward, ours, page, sorry, with};
use super::patients::{self, Choice};
use super::request::{Form, Place};
use super::sign_in::{self, refused};
use crate::auth::{Consent, Pending, Session};
use crate::id::ResourceId;
use crate::secret::Secret;

const LOST: &str = "This request is not this browser's, or it is too old.";

/// What somebody is asked, and who.
struct Asked {
    id: Secret,
    browser: String,
    pending: Pending,
    session: Session,
}

impl Asked {
    async fn of(state: &OauthState, place: &Place, headers: &HeaderMap, form: &Form) -> Result<Option<Self>, Error> {
        let (Some(id), Some(browser)) = (form.get("request"), cookie::browser(place, headers)) else { return Ok(None) };
        let Some(pending) = state.auth.pending(id, browser).await? else { return Ok(None) };
        if pending.asked.is_some() || !place.is_home_of(&pending.tenant, &state.tenant) {
            return Ok(None);
        }
        let session = state.auth.session(&pending.tenant, browser).await?;
        let (id, browser) = (Secret::new(id.to_owned()), browser.to_owned());
        Ok(session.map(|session| Self { id, browser, pending, session }))
    }
}

pub(super) async fn ask(
    State(state): State<OauthState>,
    place: Place,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let asked = async {
        let form = Form::parse(query.unwrap_or_default().as_bytes())?;
        match Asked::of(&state, &place, &headers, &form).await? {
            Some(asked) => show(&state, &asked, None, None).await,
            None => Ok(sorry(StatusCode::BAD_REQUEST, LOST)),
        }
    };
    asked.await.unwrap_or_else(|error| failed(&error))
}

pub(super) async fn answer(State(state): State<OauthState>, place: Place, headers: HeaderMap, form: Form) -> Response {
    let answered = async {
        // Browsers say where a form is from; those that do not are held to the rest.
        let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        let from_here = site.is_none_or(|site| site == "same-origin");
        let asked = Asked::of(&state, &place, &headers, &form).await?;
        let csrf = form.get("csrf").unwrap_or_default();
        let asked = match asked {
            Some(asked) if from_here && asked.pending.request.is_ours(csrf) => asked,
            _ => return Ok(sorry(StatusCode::BAD_REQUEST, LOST)),
        };
        match form.get("decision") {
            Some("allow") => allow(&state, &asked, &form).await,
            Some("search") => show(&state, &asked, form.get("name"), None).await,
            Some("other") => other(&state, &place, &asked).await,
            _ => {
                state.auth.take_pending(asked.id.expose(), &asked.browser).await?;
                Ok(refused(&asked.pending.request, "access_denied", "the person said no"))
            }
        }
    };
    answered.await.unwrap_or_else(|error| failed(&error))
}

/// Somebody else is to sign in.
async fn other(state: &OauthState, place: &Place, asked: &Asked) -> Result<Response, Error> {
    state.auth.take_pending(asked.id.expose(), &asked.browser).await?;
    state.auth.sign_out(&asked.browser).await?;
    Ok(sign_in::begin(state, place, &asked.pending.tenant, &asked.pending.request, true).await)
}

async fn allow(state: &OauthState, asked: &Asked, form: &Form) -> Result<Response, Error> {
    let (request, session) = (&asked.pending.request, &asked.session);
    let scope = offer::chosen(&request.scopes(), form);
    let patient = match state.auth.patient_of(request, session)? {
        Some(patient) => Some(patient),
        None if patients::is_needed(&scope) => {
            let chosen = form.get("patient").and_then(|id| ResourceId::new(id).ok());
            let chosen = match chosen {
                Some(id) => patients::one(state, session, &request.client, &id).await?,
                None => None,
            };
            let Some(choice) = chosen else {
                return show(state, asked, form.get("name"), Some("Choose a patient.")).await;
            };
            Some(choice.id)
        }
        None => None,
    };
    if scope.is_empty() {
        return show(state, asked, None, Some("Grant something, or say no.")).await;
    }
    // Gone with this: nobody says yes twice.
    if state.auth.take_pending(asked.id.expose(), &asked.browser).await?.is_none() {
        return Ok(sorry(StatusCode::BAD_REQUEST, LOST));
    }
    let code = state.auth.grant(request, session, Consent { scope, patient }).await?;
    let pairs = [("code", code.expose()), ("state", &request.state), ("iss", &request.base)];
    Ok(onward(&with(&request.redirect_uri, &pairs), None))
}

/// The page, with the patients of a name where one was looked for.
async fn show(state: &OauthState, asked: &Asked, name: Option<&str>, problem: Option<&str>) -> Result<Response, Error> {
    let (request, session) = (&asked.pending.request, &asked.session);
    let fixed = match state.auth.patient_of(request, session) {
        Ok(fixed) => fixed,
        Err(error) => return Ok(refused(request, "access_denied", &error.to_string())),
    };
    let scope = request.scopes();
    let about = match fixed {
        Some(id) => {
            let shown = patients::shown(state, &session.person.tenant, &id).await?;
            format!("<h2>About</h2><p>{}</p>", escaped(&shown))
        }
        None if patients::is_needed(&scope) => {
            let found = patients::found(state, session, &request.client, name).await?;
            picker(&found, name)
        }
        None => String::new(),
    };
    let client = state.store.client(&request.client).await?.ok_or(Error::Failed)?;
    let offers: String = offer::offers(&scope, &state.categories).iter().map(Offer::html).collect();
    let problem = problem.map_or_else(String::new, |problem| format!("<p class=\"bad\">{}</p>", escaped(problem)));
    let body = format!(
        "{problem}<p><b>{}</b> asks for access. You are signed in as <code>{}</code>.</p>\
         <form method=\"post\" action=\"consent\">{}{about}<h2>It may</h2>{offers}\
         <button name=\"decision\" value=\"allow\">Allow</button><button name=\"decision\" value=\"deny\">Deny</button>\
         <button name=\"decision\" value=\"other\">Sign in as somebody else</button></form>",
        escaped(&client.name),
        escaped(&session.person.resource),
        ours(&asked.id, &request.csrf),
    );
    Ok(page(StatusCode::OK, &format!("Access for {}", client.name), &body, Some(&request.redirect_uri)))
}

/// Patients to choose from.
fn picker(found: &[Choice], name: Option<&str>) -> String {
    let choice = |choice: &Choice| {
        format!(
            "<label><input type=\"radio\" name=\"patient\" value=\"{}\"> {}</label>",
            escaped(choice.id.as_str()),
            escaped(&choice.shown)
        )
    };
    let choices: String = found.iter().map(choice).collect();
    let none = if found.is_empty() { "<p class=\"soft\">There is nobody you may choose.</p>" } else { "" };
    // The first button is what Enter presses.
    format!(
        "<h2>About which patient?</h2><fieldset>\
         <label>Name <input type=\"text\" name=\"name\" maxlength=\"100\" autocomplete=\"off\" value=\"{}\">\
         <button name=\"decision\" value=\"search\">Search</button></label>{choices}{none}</fieldset>",
        escaped(name.unwrap_or_default())
    )
}
