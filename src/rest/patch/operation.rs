//! The operations of a FHIRPath Patch. <https://hl7.org/fhir/R4/fhirpatch.html>

use serde_json::{Map, Value};

use super::fhirpath::{Path, Place, Step};
use crate::fhir::content::{self, Object};
use crate::rest::error::Error;

/// One operation.
#[derive(Debug)]
pub(in crate::rest) struct Operation {
    path: Path,
    action: Action,
}

#[derive(Debug)]
enum Action {
    Add { name: String, value: Given },
    Insert { index: usize, value: Given },
    Delete,
    Replace { value: Given },
    Move { source: usize, destination: usize },
}

/// A value with the type it was given as, `Quantity` of `valueQuantity`.
#[derive(Debug, Clone)]
struct Given {
    kind: String,
    value: Value,
}

/// Reads Parameters.
pub(super) fn parse(parameters: &Object) -> Result<Vec<Operation>, Error> {
    let list = parameters.get("parameter").and_then(Value::as_array).cloned().unwrap_or_default();
    if list.is_empty() {
        return Err(Error::refused("Parameters.parameter", "there is no operation"));
    }
    let one = |(i, parameter): (usize, &Value)| {
        operation(parameter).map_err(|problem| Error::refused(format!("Parameters.parameter[{i}]"), problem))
    };
    list.iter().enumerate().map(one).collect()
}

fn operation(parameter: &Value) -> Result<Operation, String> {
    if parameter.get("name").and_then(Value::as_str) != Some("operation") {
        return Err("name must be operation".to_owned());
    }
    let parts = parameter.get("part").and_then(Value::as_array).ok_or("part is missing")?;
    let part = |name: &str| parts.iter().find(|part| part.get("name").is_some_and(|n| n == name));
    let text = |name: &'static str| {
        let given = part(name).and_then(given).and_then(|given| given.value.as_str().map(str::to_owned));
        given.ok_or_else(|| format!("part {name} is missing"))
    };
    let number = |name: &'static str| {
        let given = part(name).and_then(given).and_then(|given| given.value.as_u64()?.try_into().ok());
        given.ok_or_else(|| format!("part {name} is missing or no index"))
    };
    let value = || part("value").and_then(given).ok_or("part value is missing");
    let path = Path::parse(&text("path")?)?;
    let action = match text("type")?.as_str() {
        "add" => Action::Add { name: text("name")?, value: value()? },
        "insert" => Action::Insert { index: number("index")?, value: value()? },
        "delete" => Action::Delete,
        "replace" => Action::Replace { value: value()? },
        "move" => Action::Move { source: number("source")?, destination: number("destination")? },
        other => return Err(format!("type {other} is none of add, insert, delete, replace, move")),
    };
    Ok(Operation { path, action })
}

/// The `value[x]` of a part, or what its own parts make up.
fn given(part: &Value) -> Option<Given> {
    let part = part.as_object()?;
    if let Some((name, value)) = part.iter().find(|(name, _)| name.starts_with("value")) {
        return Some(Given { kind: name.trim_start_matches("value").to_owned(), value: value.clone() });
    }
    let mut members = Map::new();
    for inner in part.get("part")?.as_array()? {
        members.insert(inner.get("name")?.as_str()?.to_owned(), given(inner)?.value);
    }
    Some(Given { kind: String::new(), value: Value::Object(members) })
}

impl Operation {
    /// Does it; gives what kept it from being done.
    pub(super) fn apply(&self, kind: &str, resource: &mut Value) -> Result<(), String> {
        if self.path.kind != kind {
            return Err(format!("the path must start with {kind}"));
        }
        match &self.action {
            Action::Delete => match self.path.places(resource).as_slice() {
                [] => Ok(()),
                [one] => remove(resource, one).map(|_| ()),
                _ => Err("the path points at several elements".to_owned()),
            },
            Action::Replace { value } => self.replace(resource, value),
            Action::Add { name, value } => {
                let place = only(&self.path, resource)?;
                add(kind, resource, &place, name, value)
            }
            Action::Insert { index, value } => {
                let items = self.list(kind, resource)?;
                if *index > items.len() {
                    return Err(format!("index {index} is beyond the end of the list"));
                }
                items.insert(*index, value.value.clone());
                Ok(())
            }
            Action::Move { source, destination } => {
                let items = self.list(kind, resource)?;
                if *source >= items.len() || *destination >= items.len() {
                    return Err("source or destination is beyond the end of the list".to_owned());
                }
                let item = items.remove(*source);
                items.insert(*destination, item);
                Ok(())
            }
        }
    }

    fn replace(&self, resource: &mut Value, value: &Given) -> Result<(), String> {
        let place = only(&self.path, resource)?;
        let (Some(name), Some(Step::Name(stem))) = (place.last(), self.path.steps.last()) else {
            return put(resource, &place, value.value.clone());
        };
        // A choice of types changes its name with the type.
        if name != stem && !value.kind.is_empty() && name.starts_with(stem.as_str()) && name.parse::<usize>().is_err() {
            remove(resource, &place)?;
            let mut place = place.clone();
            place.pop();
            place.push(format!("{stem}{}", value.kind));
            return put(resource, &place, value.value.clone());
        }
        put(resource, &place, value.value.clone())
    }

    /// The list the path points at as a whole; made where there is none yet.
    fn list<'a>(&self, kind: &str, resource: &'a mut Value) -> Result<&'a mut Vec<Value>, String> {
        let Some((Step::Name(name), before)) = self.path.steps.split_last() else {
            return Err("the path must end with the name of a list".to_owned());
        };
        let parent = Path { kind: self.path.kind.clone(), steps: before.to_vec() };
        let place = only(&parent, resource)?;
        if !is_list(kind, &place, name) {
            return Err(format!("{name} is no list"));
        }
        let element = at_mut(resource, &place).and_then(Value::as_object_mut).ok_or("the path points at no element")?;
        let list = element.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
        list.as_array_mut().ok_or_else(|| format!("{name} is no list"))
    }
}

fn only(path: &Path, resource: &Value) -> Result<Place, String> {
    match path.places(resource).as_slice() {
        [one] => Ok(one.clone()),
        [] => Err("the path points at nothing".to_owned()),
        _ => Err("the path points at several elements".to_owned()),
    }
}

fn add(kind: &str, resource: &mut Value, place: &Place, name: &str, value: &Given) -> Result<(), String> {
    let typed = format!("{name}{}", value.kind);
    let names: Vec<&str> = place.iter().map(String::as_str).filter(|t| t.parse::<usize>().is_err()).collect();
    let name = if content::is_element(kind, &names, name) { name } else { typed.as_str() };
    let is_list = is_list(kind, place, name);
    let element = at_mut(resource, place).and_then(Value::as_object_mut).ok_or("the path points at no element")?;
    match element.get_mut(name) {
        Some(Value::Array(items)) => items.push(value.value.clone()),
        Some(_) => return Err(format!("{name} is there already")),
        None => {
            let value = value.value.clone();
            element.insert(name.to_owned(), if is_list { Value::Array(vec![value]) } else { value });
        }
    }
    Ok(())
}

fn is_list(kind: &str, place: &Place, name: &str) -> bool {
    let names: Vec<&str> = place.iter().map(String::as_str).filter(|t| t.parse::<usize>().is_err()).collect();
    content::is_list(kind, &names, name)
}

fn at_mut<'a>(resource: &'a mut Value, place: &[String]) -> Option<&'a mut Value> {
    place.iter().try_fold(resource, |value, token| match value {
        Value::Array(items) => items.get_mut(token.parse::<usize>().ok()?),
        Value::Object(members) => members.get_mut(token),
        _ => None,
    })
}

fn put(resource: &mut Value, place: &Place, value: Value) -> Result<(), String> {
    let (name, parent) = place.split_last().ok_or("the resource as a whole cannot be replaced")?;
    match at_mut(resource, parent) {
        Some(Value::Object(members)) => {
            members.insert(name.clone(), value);
            Ok(())
        }
        Some(Value::Array(items)) => {
            let slot = name.parse().ok().and_then(|i: usize| items.get_mut(i)).ok_or("there is no such element")?;
            *slot = value;
            Ok(())
        }
        _ => Err("there is no such element".to_owned()),
    }
}

fn remove(resource: &mut Value, place: &Place) -> Result<Value, String> {
    let (name, parent) = place.split_last().ok_or("the resource as a whole cannot be deleted by a patch")?;
    let removed = match at_mut(resource, parent) {
        Some(Value::Object(members)) => members.shift_remove(name),
        Some(Value::Array(items)) => {
            let index: Option<usize> = name.parse().ok().filter(|i| *i < items.len());
            index.map(|i| items.remove(i))
        }
        _ => None,
    };
    removed.ok_or_else(|| "there is no such element".to_owned())
}
