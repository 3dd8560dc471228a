//! Values of search parameters: alternatives, escapes, tokens, references, dates, texts, quantities. <https://hl7.org/fhir/R4/search.html#escaping>

use super::number::number;
use crate::capability::Parameter;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::store::date::{DateMatch, Prefix};
use crate::store::normalize_reference;
use crate::store::search::{How, QuantityMatch, StringMatch, TermMatch, UnitMatch};

/// Most alternatives of one parameter.
const MOST_ALTERNATIVES: usize = 100;

/// The same for `_id`, of which clients send long lists.
const MOST_IDS: usize = 1000;

/// Splits at every `separator` that is not escaped; escapes stay.
pub(super) fn split(text: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == separator {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + separator.len_utf8();
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

/// Takes the escapes out.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut escaped = false;
    for c in text.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    plain
}

/// The alternatives of a value, none of them empty.
pub(super) fn alternatives<'a>(name: &str, value: &'a str) -> Result<Vec<&'a str>, Error> {
    bounded(name, value, MOST_ALTERNATIVES)
}

fn bounded<'a>(name: &str, value: &'a str, most: usize) -> Result<Vec<&'a str>, Error> {
    let parts = split(value, ',');
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Error::invalid(name, "a value is empty"));
    }
    if parts.len() > most {
        return Err(Error::invalid(name, format!("more than {most} values")));
    }
    Ok(parts)
}

/// `_id`.
pub(super) fn ids(name: &str, value: &str) -> Result<Vec<String>, Error> {
    let ids = bounded(name, value, MOST_IDS)?.into_iter().map(unescape);
    ids.map(|id| ResourceId::new(id).map(Into::into).map_err(|problem| Error::invalid(name, problem))).collect()
}

/// A date parameter.
pub(super) fn dates(name: &str, value: &str) -> Result<Vec<DateMatch>, Error> {
    let parse = |part: &str| DateMatch::parse(&unescape(part)).map_err(|problem| Error::invalid(name, problem));
    alternatives(name, value)?.into_iter().map(parse).collect()
}

/// A token parameter: `code`, `system|code` or `|code`.
pub(super) fn tokens(name: &str, value: &str) -> Result<Vec<TermMatch>, Error> {
    let parse = |part: &str| match split(part, '|').as_slice() {
        [code] => Ok(TermMatch { system: None, value: unescape(code) }),
        [_, ""] => Err(Error::invalid(name, "a system without a code is not supported")),
        [system, code] => Ok(TermMatch { system: Some(unescape(system)), value: unescape(code) }),
        _ => Err(Error::invalid(name, "must be code, system|code or |code")),
    };
    alternatives(name, value)?.into_iter().map(parse).collect()
}

/// Identifiers with their type: `system|code|value`. <https://hl7.org/fhir/R4/search.html#modifiers>
pub(super) fn typed(name: &str, value: &str) -> Result<Vec<TermMatch>, Error> {
    let parse = |part: &str| match split(part, '|').as_slice() {
        [system, code, value] if !code.is_empty() && !value.is_empty() => {
            let value = format!("{}|{}", unescape(code), unescape(value));
            Ok(TermMatch { system: Some(unescape(system)), value })
        }
        _ => Err(Error::invalid(name, "must be system|code|value, of the type and the identifier")),
    };
    alternatives(name, value)?.into_iter().map(parse).collect()
}

/// A URI parameter.
pub(super) fn uris(name: &str, value: &str) -> Result<Vec<TermMatch>, Error> {
    Ok(alternatives(name, value)?.into_iter().map(|part| TermMatch::of(unescape(part))).collect())
}

/// A string parameter.
pub(super) fn strings(name: &str, value: &str, how: How) -> Result<Vec<StringMatch>, Error> {
    let parse = |part: &str| {
        let text = unescape(part);
        let visible = text.chars().any(|c| !c.is_whitespace() && !c.is_control());
        if visible { Ok(StringMatch { how, text }) } else { Err(Error::invalid(name, "a value is empty")) }
    };
    alternatives(name, value)?.into_iter().map(parse).collect()
}

/// A quantity parameter: `number`, `number|system|code` or `number||code`, with a prefix or without.
pub(super) fn quantities(name: &str, value: &str) -> Result<Vec<QuantityMatch>, Error> {
    alternatives(name, value)?.into_iter().map(|part| quantity(name, part)).collect()
}

fn quantity(name: &str, text: &str) -> Result<QuantityMatch, Error> {
    let (digits, unit) = match split(text, '|').as_slice() {
        [number] | [number, "", ""] => (*number, None),
        [number, system, code] if !code.is_empty() => {
            let system = Some(unescape(system)).filter(|system| !system.is_empty());
            (*number, Some(UnitMatch { system, code: unescape(code) }))
        }
        _ => return Err(Error::invalid(name, "must be number, number|system|code or number||code")),
    };
    let (prefix, digits) = Prefix::split(digits);
    let number = number(digits);
    let (value, half) = number.ok_or_else(|| Error::invalid(name, "not a number such as 5.4, ge100 or 1.2e-3"))?;
    Ok(QuantityMatch { prefix, value, half, unit })
}

/// `true` or `false`.
pub(super) fn flag(name: &str, value: &str) -> Result<bool, Error> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(name, "must be true or false")),
    }
}

/// A reference parameter: `Patient/x`, `x` or an absolute URL; `kind` is the type named by a modifier.
pub(super) fn references(
    parameter: &Parameter,
    (name, kind): (&str, Option<&str>),
    base: &str,
    value: &str,
) -> Result<Vec<String>, Error> {
    let mut references = Vec::new();
    for part in alternatives(name, value)? {
        let text = normalize_reference(&unescape(part));
        let local = text.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')).unwrap_or(&text);
        references.extend(reference(parameter, (name, kind), local)?);
    }
    Ok(references)
}

fn reference(parameter: &Parameter, (name, modifier): (&str, Option<&str>), text: &str) -> Result<Vec<String>, Error> {
    let refuse = |problem: String| Err(Error::invalid(name, problem));
    if text.contains("://") || text.starts_with("urn:") {
        return Ok(vec![text.to_owned()]);
    }
    let (kind, id) = match text.split_once('/') {
        Some((kind, id)) => (Some(kind), id),
        None => (modifier, text),
    };
    if let Err(problem) = ResourceId::new(id) {
        return refuse(format!("not a reference: {problem}"));
    }
    match kind {
        None => Ok(parameter.target.iter().map(|target| format!("{target}/{id}")).collect()),
        Some(kind) if parameter.target.iter().any(|t| t == kind) && modifier.is_none_or(|m| m == kind) => {
            Ok(vec![format!("{kind}/{id}")])
        }
        Some(_) => {
            refuse(format!("must refer to {}", modifier.map_or_else(|| parameter.target.join(", "), str::to_owned)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_keep_separators_in_values() {
        assert_eq!(split(r"a\,b,c", ','), [r"a\,b", "c"]);
        assert_eq!(unescape(r"a\,b\\c"), r"a,b\c");
        let token = tokens("code", r"http://x\|y|z\,1").unwrap();
        assert_eq!(token, [TermMatch { system: Some("http://x|y".to_owned()), value: "z,1".to_owned() }]);
        for bad in ["", ",", "a,", "s|", "a|b|c"] {
            assert!(tokens("code", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn references_are_local_typed_and_bounded() {
        let capability = crate::capability::Capability::builtin().unwrap();
        let parameter = capability.resource("Observation").unwrap().parameter("patient").unwrap();
        let parse = |kind, value| references(parameter, ("patient", kind), "http://h/fhir/R4", value);
        for same in ["p", "Patient/p", "http://h/fhir/R4/Patient/p", "Patient/p/_history/2"] {
            assert_eq!(parse(None, same).unwrap(), ["Patient/p"], "{same}");
        }
        assert_eq!(parse(None, "http://elsewhere/Patient/p").unwrap(), ["http://elsewhere/Patient/p"]);
        for bad in ["Device/d", "Patient/", "a b", "", "Patient/p/q"] {
            assert!(parse(None, bad).is_err(), "{bad:?}");
        }
        assert!(parse(Some("Patient"), "p").is_ok() && parse(None, &"p,".repeat(200)).is_err());
    }
}
