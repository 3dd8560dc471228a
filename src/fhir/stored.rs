//! The stored form of a resource, made so that reading is concatenation.
//!
//! A resource's bytes start with what the store decides (`resourceType`, `id`, `meta.versionId`, `meta.lastUpdated`); the
//! rest, the *tail*, is what its author decides. The store keeps the tail. Two versions have the same content exactly when
//! their tails are equal, and serving a resource is a fixed head in front of stored bytes.

use crate::content::Object;
use crate::json::{self, WriteError};
use crate::make::{element, text};
use crate::{Element, Primitive, Value, read};

const NO_VERSION: &str = "0";
const NO_TIME: &str = "1970-01-01T00:00:00.000Z";

/// The bytes of `resource` after `meta.lastUpdated`: `,"profile":[…]},"status":…}` or `},"status":…}`.
///
/// Whatever `id`, `meta.versionId` and `meta.lastUpdated` it has is left out.
///
/// # Errors
/// The resource cannot be written as R4.
pub fn tail(resource: Element) -> Result<Vec<u8>, WriteError> {
    let mut whole = Element::with_capacity(resource.len() + 2);
    let kind = read::resource_type(&resource).unwrap_or_default().to_owned();
    whole.insert("resourceType".to_owned(), Value::Primitive(Primitive::String(kind.clone())));
    whole.extend(element([("id", text("0"))]));
    let mut meta = element([("versionId", text(NO_VERSION)), ("lastUpdated", text(NO_TIME))]);
    let mut rest = Vec::with_capacity(resource.len());
    for (name, value) in resource {
        match (name.as_str(), value) {
            ("resourceType" | "id", _) => {}
            ("meta", Value::Element(given)) => {
                meta.extend(given.into_iter().filter(|(n, _)| n != "versionId" && n != "lastUpdated"));
            }
            (_, value) => rest.push((name, value)),
        }
    }
    whole.insert("meta".to_owned(), Value::Element(meta));
    whole.extend(rest);
    let mut bytes = json::to_vec(&whole)?;
    bytes.drain(..head(&kind, "0", NO_VERSION, NO_TIME).len());
    Ok(bytes)
}

/// The same of a resource as an object, its elements in the order they have there.
pub fn tail_of(resource: &Object) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    if let Some(meta) = resource.get("meta").and_then(serde_json::Value::as_object) {
        push(&mut bytes, meta.iter().filter(|(name, _)| *name != "versionId" && *name != "lastUpdated"));
    }
    bytes.push(b'}');
    push(&mut bytes, resource.iter().filter(|(name, _)| !matches!(name.as_str(), "resourceType" | "id" | "meta")));
    bytes.push(b'}');
    bytes
}

fn push<'a>(bytes: &mut Vec<u8>, members: impl Iterator<Item = (&'a String, &'a serde_json::Value)>) {
    for (name, value) in members {
        bytes.push(b',');
        // Writing into memory what was read as JSON cannot fail.
        let _ = serde_json::to_writer(&mut *bytes, name);
        bytes.push(b':');
        let _ = serde_json::to_writer(&mut *bytes, value);
    }
}

/// Appends a whole resource made of its head and its stored tail.
pub fn write(out: &mut Vec<u8>, kind: &str, id: &str, version: i64, last_updated: &str, tail: &[u8]) {
    out.extend_from_slice(head(kind, id, &version.to_string(), last_updated).as_bytes());
    out.extend_from_slice(tail);
}

/// A resource made of its type, its id and its stored tail, without what the store decides.
pub fn without_version(kind: &str, id: &str, tail: &[u8]) -> Vec<u8> {
    let mut out = format!(r#"{{"resourceType":"{kind}","id":"{id}""#).into_bytes();
    match tail {
        [b',', rest @ ..] => {
            out.extend_from_slice(br#","meta":{"#);
            out.extend_from_slice(rest);
        }
        // There is nothing else in its meta.
        tail => out.extend_from_slice(tail.get(1..).unwrap_or_default()),
    }
    out
}

fn head(kind: &str, id: &str, version: &str, last_updated: &str) -> String {
    format!(r#"{{"resourceType":"{kind}","id":"{id}","meta":{{"versionId":"{version}","lastUpdated":"{last_updated}""#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn head_and_tail_make_the_resource() {
        for (json, expected) in [
            (r#"{"resourceType":"Device","id":"x","status":"active"}"#, r#"},"status":"active"}"#),
            (
                r#"{"resourceType":"Device","meta":{"versionId":"7","profile":["http://p"]},"status":"active"}"#,
                r#","profile":["http://p"]},"status":"active"}"#,
            ),
        ] {
            let tail = tail(json::parse(json.as_bytes()).unwrap()).unwrap();
            assert_eq!(std::str::from_utf8(&tail).unwrap(), expected);
            let mut whole = Vec::new();
            write(&mut whole, "Device", "d1", 3, "2026-01-01T00:00:00.000Z", &tail);
            let parsed = json::parse(&whole).unwrap();
            assert_eq!(read::string(&parsed, "meta.versionId"), Some("3"));
            let plain = json::parse(&without_version("Device", "d1", &tail)).unwrap();
            assert_eq!(read::string(&plain, "id"), Some("d1"));
            assert_eq!(read::string(&plain, "meta.profile"), read::string(&parsed, "meta.profile"));
            assert_eq!(read::string(&plain, "meta.versionId"), None);
            assert_eq!(read::string(&parsed, "status"), Some("active"));
        }
    }
}
