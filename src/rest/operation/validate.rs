//! `$validate`: what is wrong with a resource. <https://hl7.org/fhir/R4/resource-operation-validate.html>

use axum::extract::{FromRequestParts as _, RawPathParams, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::auth::Access;
use crate::conformant::{Code, Issue, Severity, outcome};
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::extract::{Caller, Format, Id};
use crate::rest::parameters::pairs;
use crate::rest::payload;
use crate::rest::respond;
use crate::rest::state::TypeState;

/// What is to be judged, and by what.
#[derive(Default)]
struct Asked {
    resource: Option<Vec<u8>>,
    mode: Option<String>,
    profiles: Vec<String>,
}

/// `[base]/[type]/$validate` and `[base]/[type]/[id]/$validate`
pub(super) async fn validate(State(state): State<TypeState>, request: Request) -> Result<Response, Error> {
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &state).await?;
    Format::from_request_parts(&mut parts, &state).await?;
    caller.require(state.kind(), Access::Read)?;
    let path = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
    let has_id = path.is_some_and(|path| path.iter().any(|(name, _)| name == "id"));
    let id = if has_id { Some(Id::from_request_parts(&mut parts, &state).await?.0) } else { None };
    let query = pairs(parts.uri.query());
    let body = payload::read(Request::from_parts(parts, body), &state).await?;
    let mut asked = if body.is_empty() { Asked::default() } else { asked(&body)? };
    for (name, value) in query {
        match name.as_str() {
            "mode" => asked.mode = Some(value),
            "profile" => asked.profiles.push(value),
            "_format" | "_pretty" => {}
            _ => return Err(Error::invalid(&name, "is not a parameter of this operation")),
        }
    }
    let stored = match &id {
        Some(id) => Some(stored(&state, &caller, id).await?),
        None => None,
    };
    let mode = asked.mode.as_deref();
    if !matches!(mode, None | Some("create" | "update" | "delete" | "profile")) {
        return Err(Error::invalid("mode", "is create, update, delete or profile"));
    }
    if matches!(mode, Some("update" | "delete")) && stored.is_none() {
        return Err(Error::invalid("mode", "is asked of a resource: [type]/[id]/$validate"));
    }
    if mode == Some("profile") && asked.profiles.is_empty() {
        return Err(Error::invalid("profile", "is required"));
    }
    if mode == Some("delete") {
        return Ok(respond::json(StatusCode::OK, outcome(&[]).to_string().into_bytes()));
    }
    let update = mode == Some("update");
    let resource = match (asked.resource, stored) {
        (Some(resource), _) => resource,
        (None, Some(stored)) if !update => stored,
        _ => return Err(Error::invalid("resource", "is required")),
    };
    let issues = judge(&state, &resource, &asked.profiles, id.as_ref().filter(|_| update))?;
    Ok(respond::json(StatusCode::OK, outcome(&issues).to_string().into_bytes()))
}

fn judge(state: &TypeState, text: &[u8], profiles: &[String], id: Option<&ResourceId>) -> Result<Vec<Issue>, Error> {
    let validator = &state.rest.validator;
    if let Some(unknown) = profiles.iter().find(|profile| !validator.knows(profile)) {
        return Err(Error::invalid("profile", format!("{unknown} is not known")));
    }
    let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    let mut issues = validator.validate(text, &profiles);
    let resource: Option<Value> = serde_json::from_slice(text).ok();
    let said = |name: &str| resource.as_ref().and_then(|resource| resource[name].as_str());
    let mut wrong = |element: &str, text: String| {
        let (severity, code, expression) = (Severity::Error, Code::Value, format!("{}.{element}", state.kind()));
        issues.insert(0, Issue { severity, code, text, expression, constraint: None, profile: None });
    };
    if said("resourceType").is_some_and(|kind| kind != state.kind()) {
        wrong("resourceType", format!("the resource is no {}", state.kind()));
    }
    if id.is_some_and(|id| said("id") != Some(id.as_str())) {
        wrong("id", "the id is not the one of the URL".to_owned());
    }
    Ok(issues)
}

async fn stored(state: &TypeState, caller: &Caller, id: &ResourceId) -> Result<Vec<u8>, Error> {
    let found = caller.read(&state.rest, state.kind(), id).await?;
    Ok(found.ok_or_else(|| Error::NotFound(format!("{}/{id}", state.kind())))?.json())
}

/// The parts of a Parameters resource, or the resource itself; its bytes stay as they came.
fn asked(body: &[u8]) -> Result<Asked, Error> {
    #[derive(serde::Deserialize)]
    struct Parameters<'a> {
        #[serde(rename = "resourceType")]
        kind: Option<String>,
        #[serde(borrow, default)]
        parameter: Vec<Parameter<'a>>,
    }
    #[derive(serde::Deserialize)]
    struct Parameter<'a> {
        name: String,
        #[serde(borrow)]
        resource: Option<&'a RawValue>,
        #[serde(rename = "valueCode", alias = "valueUri", alias = "valueString", alias = "valueCanonical")]
        value: Option<String>,
    }
    let parameters = match serde_json::from_slice::<Parameters<'_>>(body) {
        Ok(parameters) if parameters.kind.as_deref() == Some("Parameters") => parameters,
        _ => return Ok(Asked { resource: Some(body.to_vec()), ..Asked::default() }),
    };
    let mut asked = Asked::default();
    for parameter in parameters.parameter {
        match (parameter.name.as_str(), parameter.resource, parameter.value) {
            ("resource", Some(resource), None) => asked.resource = Some(resource.get().as_bytes().to_vec()),
            ("mode", None, Some(mode)) => asked.mode = Some(mode),
            ("profile", None, Some(profile)) => asked.profiles.push(profile),
            (name, ..) => return Err(Error::invalid(name, "is not a parameter of this operation")),
        }
    }
    Ok(asked)
}
