//! Where a search parameter looks: element names joined by dots, choice types spelled out, with a filter on a child where
//! one is needed: `name.family`, `telecom[system=phone]`, `extension[url=http://…].valueDateTime`.

use serde::Deserialize;

use crate::fhir::{Element, Primitive, Value, read};

/// A path through a resource.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Path {
    steps: Vec<Step>,
}

/// An element name, and what a child must be for it to count.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    name: String,
    filter: Option<(String, String)>,
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a path such as name.family or telecom[system=phone]")]
pub struct InvalidPath(String);

impl TryFrom<String> for Path {
    type Error = InvalidPath;

    fn try_from(text: String) -> Result<Self, InvalidPath> {
        let mut steps = Vec::new();
        let mut rest = text.as_str();
        loop {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (name, after) = rest.split_at(end);
            let (filter, after) = match after.strip_prefix('[').map(|inside| inside.split_once(']')) {
                None => (None, after),
                Some(inside) => {
                    let (filter, after) = inside.ok_or_else(|| InvalidPath(text.clone()))?;
                    let (child, value) = filter.split_once('=').ok_or_else(|| InvalidPath(text.clone()))?;
                    (Some((child.to_owned(), value.to_owned())), after)
                }
            };
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                return Err(InvalidPath(text));
            }
            steps.push(Step { name: name.to_owned(), filter });
            match after.strip_prefix('.') {
                Some(more) => rest = more,
                None if after.is_empty() => return Ok(Self { steps }),
                None => return Err(InvalidPath(text)),
            }
        }
    }
}

impl Path {
    /// The elements it leads to, every repetition on the way included.
    pub fn elements<'a>(&self, root: &'a Element) -> Vec<&'a Element> {
        let mut level = vec![root];
        for step in &self.steps {
            let mut next = Vec::with_capacity(level.len());
            for element in level {
                match element.get(&step.name) {
                    Some(Value::Element(child)) => next.push(child),
                    Some(Value::Sequence(children)) => next.extend(children),
                    Some(Value::Primitive(_)) | None => {}
                }
            }
            if let Some((child, value)) = &step.filter {
                next.retain(|element| holds(element, child, value));
            }
            level = next;
        }
        level
    }

    /// The names alone.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.name.as_str())
    }
}

fn holds(element: &Element, child: &str, value: &str) -> bool {
    match element.get(child) {
        Some(Value::Primitive(Primitive::String(is))) => is == value,
        _ => read::string(element, child) == Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fhir::json;

    #[test]
    fn filters_choose_among_repetitions() {
        let patient = json::parse(
            br#"{"resourceType":"Patient","telecom":[{"system":"phone","value":"1"},{"system":"email","value":"2"}],
            "extension":[{"url":"http://a.b/c","valueString":"x"},{"url":"http://a.b/d","valueString":"y"}]}"#,
        )
        .unwrap();
        let path = |text: &str| Path::try_from(text.to_owned()).unwrap();
        let found = |text: &str| -> Vec<String> {
            let path = path(text);
            path.elements(&patient).into_iter().filter_map(|e| read::primitive_str(e).map(str::to_owned)).collect()
        };
        assert_eq!(found("telecom[system=email].value"), ["2"]);
        assert_eq!(found("telecom.value"), ["1", "2"]);
        assert_eq!(found("extension[url=http://a.b/d].valueString"), ["y"]);
        for bad in ["", ".", "a.", "a[b", "a[b]", "a[b=c]d", "a b"] {
            assert!(Path::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
