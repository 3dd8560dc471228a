//! An operation as it was invoked: on what, and with which parameters.

use axum::extract::{FromRequest, FromRequestParts as _, RawPathParams, Request};
use axum::http::{Method, header};
use serde_json::Value;

use crate::capability::ResourceRow;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::extract::{Base, Caller, Format, Id};
use crate::rest::parameters::{Pairs, pairs};
use crate::rest::payload;
use crate::rest::state::TypeState;
use crate::store::date::Span;

const JSON: [&str; 2] = ["application/fhir+json", "application/json"];
const FORM: &str = "application/x-www-form-urlencoded";

/// An invocation.
pub(super) struct Call {
    pub(super) caller: Caller,
    pub(super) base: String,
    /// The resource it is invoked on, where it is one.
    pub(super) id: Option<ResourceId>,
    /// Its parameters, those of a complex type as a search writes them: `system|code`, `Type/id`.
    pub(super) pairs: Pairs,
}

impl FromRequest<TypeState> for Call {
    type Rejection = Error;

    async fn from_request(request: Request, state: &TypeState) -> Result<Self, Error> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        Format::from_request_parts(&mut parts, state).await?;
        let Base(base) = Base::from_request_parts(&mut parts, state).await?;
        let in_path = RawPathParams::from_request_parts(&mut parts, &()).await.ok();
        let has_id = in_path.is_some_and(|names| names.iter().any(|(name, _)| name == "id"));
        let id = if has_id { Some(Id::from_request_parts(&mut parts, state).await?.0) } else { None };
        let path = parts.uri.path().to_owned();
        let mut all = pairs(parts.uri.query());
        if parts.method == Method::POST {
            let given = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
            let given = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            let body = payload::read(Request::from_parts(parts, body), state).await?;
            match given.as_str() {
                _ if body.is_empty() => {}
                FORM => all.extend(pairs(Some(std::str::from_utf8(&body).map_err(|_| Error::Body)?))),
                other if JSON.contains(&other) => all.extend(parameters(&body)?),
                _ => return Err(Error::UnsupportedMediaType("application/fhir+json")),
            }
        }
        known(&state.row, &path, &all)?;
        Ok(Self { caller, base, id, pairs: all })
    }
}

impl Call {
    /// The parameter of this name, if it is there once.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.pairs.iter().filter(|(n, value)| n == name && !value.is_empty()).map(|(_, v)| v.as_str());
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Error::invalid(name, "may be given once")),
        }
    }

    /// The parameter of this name.
    pub(super) fn required(&self, name: &str) -> Result<&str, Error> {
        self.one(name)?.ok_or_else(|| Error::invalid(name, "is required"))
    }

    /// The date this parameter is, as it came.
    pub(super) fn date(&self, name: &str) -> Result<Option<&str>, Error> {
        let at = self.one(name)?;
        at.map(Span::parse).transpose().map_err(|problem| Error::invalid(name, problem))?;
        Ok(at)
    }

    /// Every value of this name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(n, value)| n == name && !value.is_empty()).map(|(_, v)| v.as_str())
    }
}

/// Refuses parameters the operation, named at the end of `path`, does not have.
fn known(row: &ResourceRow, path: &str, pairs: &Pairs) -> Result<(), Error> {
    let name = path.rsplit_once('$').map_or("", |(_, name)| name);
    let operation = row.operations.iter().find(|operation| operation.name == name);
    let is_known = |name: &String| {
        matches!(name.as_str(), "_format" | "_pretty") || operation.is_some_and(|o| o.parameters.contains(name))
    };
    match pairs.iter().find(|(name, _)| !is_known(name)) {
        Some((name, _)) => Err(Error::invalid(name, "is not a parameter of this operation")),
        None => Ok(()),
    }
}

/// Names and values of a Parameters resource. <https://hl7.org/fhir/R4/parameters.html>
fn parameters(body: &[u8]) -> Result<Pairs, Error> {
    let resource: Value = serde_json::from_slice(body).map_err(|e| Error::invalid("body", e))?;
    if resource["resourceType"] != "Parameters" {
        return Err(Error::invalid("resourceType", "must be Parameters"));
    }
    let Some(given) = resource.get("parameter") else { return Ok(Pairs::new()) };
    let given = given.as_array().ok_or_else(|| Error::invalid("Parameters.parameter", "must be an array"))?;
    let mut all = Pairs::new();
    for (place, parameter) in given.iter().enumerate() {
        let at = |what: &str| format!("Parameters.parameter[{place}]{what}");
        let name = parameter["name"].as_str().ok_or_else(|| Error::invalid(&at(".name"), "is required"))?;
        let members = parameter.as_object().into_iter().flatten();
        let value = members.filter(|(member, _)| member.starts_with("value")).find_map(|(_, value)| text(value));
        let value = value.ok_or_else(|| Error::invalid(&at(""), "has no value this operation can read"))?;
        all.push((name.to_owned(), value));
    }
    Ok(all)
}

/// A value as a search writes it.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Object(object) => {
            let member = |name: &str| object.get(name).and_then(Value::as_str);
            let coding = object.get("coding").and_then(|codings| codings.get(0));
            member("reference")
                .map(str::to_owned)
                .or_else(|| coding.and_then(text))
                .or_else(|| Some(member("system").map_or_else(String::new, |s| format!("{s}|")) + member("code")?))
        }
        Value::Null | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_a_search_writes_them() {
        let body = br#"{"resourceType":"Parameters","parameter":[{"name":"max","valuePositiveInt":3},
            {"name":"code","valueCoding":{"system":"http://loinc.org","code":"8867-4"}},
            {"name":"patient","valueReference":{"reference":"Patient/p"}},{"name":"include","valueBoolean":true},
            {"name":"category","valueCodeableConcept":{"coding":[{"code":"vital-signs"}]}}]}"#;
        let read = parameters(body).unwrap();
        let values: Vec<&str> = read.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["3", "http://loinc.org|8867-4", "Patient/p", "true", "vital-signs"]);
        for bad in [
            "[]",
            "{",
            r#"{"resourceType":"Parameters","parameter":{}}"#,
            r#"{"resourceType":"Parameters","parameter":[{"name":"a"}]}"#,
        ] {
            assert!(parameters(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
