//! Walking an [`Element`] by element names.

use crate::{Element, Primitive, Value};

/// The elements at `path` (names joined by dots), every repetition on the way included.
pub fn elements<'a>(root: &'a Element, path: &str) -> Vec<&'a Element> {
    let mut level = vec![root];
    for name in path.split('.') {
        let mut next = Vec::with_capacity(level.len());
        for element in level {
            match element.get(name) {
                Some(Value::Element(child)) => next.push(child),
                Some(Value::Sequence(children)) => next.extend(children),
                Some(Value::Primitive(_)) | None => {}
            }
        }
        level = next;
    }
    level
}

/// The string-like primitives at `path`.
pub fn strings<'a>(root: &'a Element, path: &str) -> Vec<&'a str> {
    elements(root, path).into_iter().filter_map(primitive_str).collect()
}

/// The first string-like primitive at `path`.
pub fn string<'a>(root: &'a Element, path: &str) -> Option<&'a str> {
    strings(root, path).into_iter().next()
}

/// The text of a primitive element: strings as they are, decimals with their digits.
pub fn primitive_str(element: &Element) -> Option<&str> {
    match element.get("value") {
        Some(Value::Primitive(Primitive::String(s) | Primitive::Decimal(s))) => Some(s),
        _ => None,
    }
}

/// `resourceType` of a resource.
pub fn resource_type(resource: &Element) -> Option<&str> {
    match resource.get("resourceType") {
        Some(Value::Primitive(Primitive::String(s))) => Some(s),
        Some(Value::Element(e)) => primitive_str(e),
        _ => None,
    }
}
