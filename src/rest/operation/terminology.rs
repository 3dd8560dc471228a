//! `$lookup`, `$validate-code` and `$expand` of our own code systems and value sets.
//! <https://hl7.org/fhir/R4/terminology-service.html>

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::parameters::{answer, parameter};
use crate::auth::Access;
use crate::rest::conformance::Known;
use crate::rest::error::Error;
use crate::rest::respond;
use crate::rest::state::TypeState;
use crate::time::{Clock as _, SystemClock};

/// Most codes of an expansion in one answer.
const MOST: usize = 1000;

/// `GET [base]/CodeSystem/$lookup?system=…&code=…`
pub(super) async fn lookup(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Read)?;
    let (system, code) = coding(&call, "system")?;
    let codes = codes(&state, "system", &system)?;
    let found = codes.iter().find(|c| c.code == code);
    let found = found.ok_or_else(|| Error::NotFound("this code".to_owned()))?;
    let mut all = vec![parameter("name", ("valueString", system.into()))];
    all.extend(found.display.as_ref().map(|d| parameter("display", ("valueString", d.as_str().into()))));
    all.extend(found.definition.as_ref().map(|d| parameter("definition", ("valueString", d.as_str().into()))));
    Ok(answer(all))
}

/// `GET [base]/CodeSystem/$validate-code?url=…&code=…`, also of a ValueSet
pub(super) async fn validate_code(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Read)?;
    let url = url(&state, &call)?;
    let codes = codes(&state, "url", &url)?;
    let (system, code) = if state.kind() == "CodeSystem" && call.one("coding")?.is_none() {
        (url.clone(), call.required("code")?.to_owned())
    } else {
        coding(&call, "system")?
    };
    let found = codes.iter().find(|c| c.system == system && c.code == code);
    let told = call.one("display")?;
    let message = match found {
        None => Some(format!("{code} of {system} is not in {url}")),
        Some(found) if told.is_some_and(|told| found.display.as_deref() != Some(told)) => {
            Some(format!("the display is {}", found.display.as_deref().unwrap_or_default()))
        }
        Some(_) => None,
    };
    let mut all = vec![parameter("result", ("valueBoolean", message.is_none().into()))];
    all.extend(message.map(|message| parameter("message", ("valueString", message.into()))));
    let display = found.and_then(|found| found.display.clone());
    all.extend(display.map(|display| parameter("display", ("valueString", display.into()))));
    Ok(answer(all))
}

/// `GET [base]/ValueSet/$expand?url=…`
pub(super) async fn expand(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Read)?;
    let url = url(&state, &call)?;
    let mut codes = codes(&state, "url", &url)?;
    if let Some(filter) = call.one("filter")? {
        let filter = filter.to_lowercase();
        codes.retain(|c| {
            [Some(&c.code), c.display.as_ref()].into_iter().flatten().any(|t| t.to_lowercase().contains(&filter))
        });
    }
    let number = |name: &str, default: usize| match call.one(name)?.map(str::parse::<usize>) {
        None => Ok(default),
        Some(Ok(number)) => Ok(number),
        Some(Err(_)) => Err(Error::invalid(name, "must be a whole number")),
    };
    let (offset, count) = (number("offset", 0)?, number("count", MOST)?.min(MOST));
    let contains: Vec<Value> = codes.iter().skip(offset).take(count).map(contained).collect();
    let definition = state.rest.definitions.find(state.kind(), &url).ok_or_else(|| unknown("url"))?;
    let mut set: Value = serde_json::from_slice(definition).map_err(|_| Error::Damaged)?;
    let mut expansion = json!({
        "identifier": format!("{url}?expansion"), "timestamp": SystemClock.now().to_fhir(), "total": codes.len(),
        "offset": offset,
    });
    if !contains.is_empty() {
        expansion["contains"] = Value::Array(contains);
    }
    set["expansion"] = expansion;
    Ok(respond::json(StatusCode::OK, set.to_string().into_bytes()))
}

fn contained(code: &Known) -> Value {
    let mut one = json!({ "system": code.system, "code": code.code });
    if let Some(display) = &code.display {
        one["display"] = display.as_str().into();
    }
    one
}

/// The canonical URL of what is asked about: that of the resource it is invoked on, else `url`.
fn url(state: &TypeState, call: &Call) -> Result<String, Error> {
    let Some(id) = &call.id else { return Ok(call.required("url")?.to_owned()) };
    state
        .rest
        .definitions
        .url_of(state.kind(), id.as_str())
        .ok_or_else(|| Error::NotFound(format!("{}/{id}", state.kind())))
}

fn codes(state: &TypeState, name: &str, url: &str) -> Result<Vec<Known>, Error> {
    state.rest.definitions.codes(state.kind(), url).ok_or_else(|| unknown(name))
}

fn unknown(name: &str) -> Error {
    Error::invalid(name, "is none of this server's own")
}

/// System and code, as two parameters or one.
fn coding(call: &Call, system: &str) -> Result<(String, String), Error> {
    let one = call.one("coding")?.or(call.one("codeableConcept")?);
    match one.and_then(|coding| coding.split_once('|')) {
        Some((system, code)) => Ok((system.to_owned(), code.to_owned())),
        None if one.is_some() => Err(Error::invalid("coding", "needs a system and a code")),
        None => Ok((call.required(system)?.to_owned(), call.required("code")?.to_owned())),
    }
}
