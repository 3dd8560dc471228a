//! The shape of a resource: names and kinds of values, without the values.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::Value;

use super::date::is_date_like;
use super::{Invalid, Object};
use crate::{Element, Primitive, R4};
use fhirbolt_shared::path::ElementPath;

/// Most shapes that are remembered: far more than clients send, unless somebody makes them up.
const MOST: usize = 16_384;

/// Keyed anew in each process, so that nobody can make two shapes alike.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
static KNOWN: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// The number of a shape.
pub(super) fn of(object: &Object) -> u64 {
    let mut hasher = KEY.build_hasher();
    hash_object(object, &mut hasher, false);
    hasher.finish()
}

/// The number of a shape, whatever the order of its names.
pub(super) fn of_sorted(object: &Object) -> u64 {
    let mut hasher = KEY.build_hasher();
    hash_object(object, &mut hasher, true);
    hasher.finish()
}

pub(super) fn is_known(shape: u64) -> bool {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner).contains(&shape)
}

pub(super) fn remember(shape: u64) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.clear();
    }
    known.insert(shape);
}

fn hash_object(object: &Object, hasher: &mut impl Hasher, sorted: bool) {
    hasher.write_u8(b'{');
    let mut members: Vec<(&String, &Value)> = object.iter().collect();
    if sorted {
        members.sort_unstable_by_key(|(name, _)| *name);
    }
    for (name, value) in members {
        hasher.write(name.as_bytes());
        hasher.write_u8(0xff);
        hash_value(name, value, hasher, sorted);
    }
    hasher.write_u8(b'}');
}

fn hash_value(name: &str, value: &Value, hasher: &mut impl Hasher, sorted: bool) {
    match value {
        Value::Null => hasher.write_u8(b'n'),
        Value::Bool(_) => hasher.write_u8(b'b'),
        // Which elements R4 knows depends on the type of a resource.
        Value::String(text) if name == "resourceType" => {
            hasher.write(text.as_bytes());
            hasher.write_u8(0xff);
        }
        Value::String(_) => hasher.write_u8(b's'),
        Value::Number(number) => hasher.write_u8(if number.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) {
            if number.as_i64().is_some_and(|n| n > 0) { b'p' } else { b'i' }
        } else {
            b'd'
        }),
        Value::Array(items) => {
            hasher.write_u8(b'[');
            for item in items {
                hash_value(name, item, hasher, sorted);
            }
            hasher.write_u8(b']');
        }
        Value::Object(object) => hash_object(object, hasher, sorted),
    }
}

/// Refuses what is empty, and dates that are none.
pub(super) fn check_values(object: &Object, path: &str) -> Result<(), Invalid> {
    if object.is_empty() {
        return Err(Invalid::structure(Some(path.to_owned()), "an object is empty"));
    }
    for (name, value) in object {
        if let Err(mut invalid) = check_value(name, value, false) {
            let rest = invalid.path.take().unwrap_or_default();
            return Err(Invalid { path: Some(format!("{path}.{name}{rest}")), ..invalid });
        }
    }
    Ok(())
}

/// The path in an error is what comes after the name.
fn check_value(name: &str, value: &Value, in_array: bool) -> Result<(), Invalid> {
    match value {
        // In an array of primitives it stands for one that has extensions only.
        Value::Null if in_array => Ok(()),
        Value::Null => Err(Invalid::structure(None, "null is no value")),
        Value::String(text) if text.is_empty() => Err(Invalid::structure(None, "a string is empty")),
        Value::String(text) if !is_date_like(name, text) => {
            Err(Invalid { path: None, problem: "not a date or time".to_owned(), is_structure: false })
        }
        Value::Array(items) if items.is_empty() || in_array => {
            Err(Invalid::structure(None, "an array is empty or in an array"))
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(i, item)| {
            check_value(name, item, true)
                .map_err(|e| Invalid { path: Some(format!("[{i}]{}", e.path.unwrap_or_default())), ..e })
        }),
        Value::Object(object) => check_values(object, ""),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Puts `resourceType` first, in resources inside too: the element model reads what follows by it.
pub(super) fn type_first(object: &mut Object) {
    const NAME: &str = "resourceType";
    if object.keys().next().is_some_and(|first| first != NAME)
        && let Some(kind) = object.shift_remove(NAME)
    {
        object.shift_insert(0, NAME.to_owned(), kind);
    }
    for value in object.values_mut() {
        match value {
            Value::Object(inner) => type_first(inner),
            Value::Array(items) => items.iter_mut().filter_map(Value::as_object_mut).for_each(type_first),
            _ => {}
        }
    }
}

/// Refuses a list where R4 has one value, and one value where it has a list.
pub(super) fn check_lists(object: &Object, kind: &str) -> Result<(), Invalid> {
    let mut path = ElementPath::new(R4);
    path.push(kind);
    lists(object, &mut path, kind)
}

/// The place of an element in R4, if it has one.
pub(super) fn at(kind: &str, names: &[&str], name: &str) -> Option<ElementPath> {
    let mut path = ElementPath::new(R4);
    path.push(kind);
    names.iter().for_each(|name| path.push(name));
    let is_known = path.children().is_some_and(|children| children.get_index(name).is_some());
    path.push(name);
    is_known.then_some(path)
}

fn lists(object: &Object, path: &mut ElementPath, at: &str) -> Result<(), Invalid> {
    for (name, value) in object.iter().filter(|(name, _)| *name != "resourceType") {
        path.push(name.strip_prefix('_').unwrap_or(name));
        let at = format!("{at}.{name}");
        match (path.current_element_is_sequence(), value) {
            (true, Value::Array(items)) => {
                items.iter().try_for_each(|item| inner_lists(item, path, &at))?;
            }
            (true, _) => return Err(Invalid::structure(Some(at), "must be an array")),
            (false, Value::Array(_)) => return Err(Invalid::structure(Some(at), "must not be an array")),
            (false, one) => inner_lists(one, path, &at)?,
        }
        path.pop();
    }
    Ok(())
}

fn inner_lists(value: &Value, path: &mut ElementPath, at: &str) -> Result<(), Invalid> {
    let Value::Object(inner) = value else { return Ok(()) };
    match inner.get("resourceType").and_then(Value::as_str).filter(|_| path.current_element_is_resource()) {
        Some(kind) => {
            path.push(kind);
            lists(inner, path, at)?;
            path.pop();
            Ok(())
        }
        None => lists(inner, path, at),
    }
}

/// The first place where a name stands.
pub(super) fn place_of(object: &Object, path: &str, wanted: &str) -> Option<String> {
    if object.contains_key(wanted) {
        return Some(format!("{path}.{wanted}"));
    }
    object.iter().find_map(|(name, value)| match value {
        Value::Object(inner) => place_of(inner, &format!("{path}.{name}"), wanted),
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| {
            item.as_object().and_then(|inner| place_of(inner, &format!("{path}.{name}[{i}]"), wanted))
        }),
        _ => None,
    })
}

/// The same as an element, without what no search looks at: ids of elements and extensions of primitives.
pub(super) fn element(object: &Object) -> Element {
    let mut element = Element::with_capacity(object.len());
    for (name, value) in object.iter().filter(|(name, _)| !name.starts_with('_')) {
        let value = match value {
            Value::Array(items) => crate::Value::Sequence(items.iter().filter_map(|item| child(name, item)).collect()),
            Value::String(text) if name == "resourceType" => crate::Value::Primitive(Primitive::String(text.clone())),
            one => match child(name, one) {
                Some(child) => crate::Value::Element(child),
                None => continue,
            },
        };
        element.insert(name.clone(), value);
    }
    element
}

fn child(name: &str, value: &Value) -> Option<Element> {
    let primitive = match value {
        Value::Object(object) => return Some(element(object)),
        Value::Bool(flag) => Primitive::Bool(*flag),
        Value::String(text) => Primitive::String(text.clone()),
        Value::Number(number) => match number.as_i64().and_then(|n| i32::try_from(n).ok()) {
            Some(integer) if !matches!(name, "value" | "valueDecimal") => Primitive::Integer(integer),
            _ => Primitive::Decimal(number.to_string()),
        },
        Value::Null | Value::Array(_) => return None,
    };
    let mut child = Element::with_capacity(1);
    child.insert("value".to_owned(), crate::Value::Primitive(primitive));
    Some(child)
}
