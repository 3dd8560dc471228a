//! The part of FHIRPath that points at elements. <http://hl7.org/fhirpath/>

use serde_json::Value;

/// Longest path read.
const LONGEST: usize = 1024;

/// A path, its first name left out: it says the type of the resource.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Path {
    pub(super) kind: String,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Name(String),
    Index(usize),
    First,
    Last,
    OfType(String),
    /// All of them: a path of names and the value it must have.
    Where(Vec<(Vec<String>, Value)>),
}

/// From the resource to an element: JSON Pointer tokens.
pub(super) type Place = Vec<String>;

impl Path {
    /// Reads a path.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("the path is longer than {LONGEST} characters"));
        }
        let mut reader = Reader { rest: text.trim() };
        let kind = reader.name()?;
        let mut steps = Vec::new();
        while !reader.rest.is_empty() {
            if reader.take('[') {
                let digits = reader.until(']')?;
                steps.push(Step::Index(digits.trim().parse().map_err(|_| format!("[{digits}] is no index"))?));
                continue;
            }
            if !reader.take('.') {
                return Err(format!("'{}' is not understood", reader.rest));
            }
            let name = reader.name()?;
            if !reader.take('(') {
                steps.push(Step::Name(name));
                continue;
            }
            steps.extend(reader.function(&name)?);
        }
        Ok(Self { kind, steps })
    }

    /// Where the elements are that it points at.
    pub(super) fn places(&self, resource: &Value) -> Vec<Place> {
        let mut places = vec![Place::new()];
        for step in &self.steps {
            places = match step {
                Step::Name(name) => places.iter().flat_map(|place| children(resource, place, name)).collect(),
                Step::Index(index) => places.into_iter().skip(*index).take(1).collect(),
                Step::First => places.into_iter().take(1).collect(),
                Step::Last => places.pop().into_iter().collect(),
                Step::OfType(kind) => places.into_iter().filter(|place| is_of_type(place, kind)).collect(),
                Step::Where(conditions) => {
                    let holds = |place: &Place| {
                        let element = at(resource, place);
                        conditions.iter().all(|(names, value)| element.is_some_and(|e| any_is(e, names, value)))
                    };
                    places.into_iter().filter(holds).collect()
                }
            };
        }
        places
    }
}

/// What stands at a place.
fn at<'a>(resource: &'a Value, place: &[String]) -> Option<&'a Value> {
    place.iter().try_fold(resource, |value, token| match value {
        Value::Array(items) => items.get(token.parse::<usize>().ok()?),
        Value::Object(members) => members.get(token),
        _ => None,
    })
}

/// The elements of a name, those of a choice included: `value` is `valueQuantity`.
fn children(resource: &Value, place: &Place, name: &str) -> Vec<Place> {
    let Some(Value::Object(members)) = at(resource, place) else { return Vec::new() };
    let is_choice = |key: &String| key.strip_prefix(name).is_some_and(|rest| rest.starts_with(char::is_uppercase));
    let key =
        if members.contains_key(name) { Some(name) } else { members.keys().find(|k| is_choice(k)).map(String::as_str) };
    let Some((key, value)) = key.and_then(|key| Some((key, members.get(key)?))) else { return Vec::new() };
    let with = |tokens: &[&str]| place.iter().cloned().chain(tokens.iter().map(|&t| t.to_owned())).collect::<Place>();
    match value {
        Value::Array(items) => (0..items.len()).map(|i| with(&[key, &i.to_string()])).collect(),
        _ => vec![with(&[key])],
    }
}

fn is_of_type(place: &Place, kind: &str) -> bool {
    let upper: String = kind.chars().take(1).flat_map(char::to_uppercase).chain(kind.chars().skip(1)).collect();
    place.iter().rev().find(|token| token.parse::<usize>().is_err()).is_some_and(|name| name.ends_with(&upper))
}

fn any_is(value: &Value, names: &[String], wanted: &Value) -> bool {
    match (value, names.split_first()) {
        (Value::Array(items), _) => items.iter().any(|item| any_is(item, names, wanted)),
        (Value::Object(members), Some((first, rest))) => members.get(first).is_some_and(|v| any_is(v, rest, wanted)),
        (value, None) => value == wanted,
        _ => false,
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn take(&mut self, c: char) -> bool {
        let after = self.rest.trim_start().strip_prefix(c);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn name(&mut self) -> Result<String, String> {
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        if name.is_empty() {
            return Err("an element name is missing".to_owned());
        }
        self.rest = rest;
        Ok(name.to_owned())
    }

    fn until(&mut self, c: char) -> Result<String, String> {
        let (inside, rest) = self.rest.split_once(c).ok_or_else(|| format!("{c} is missing"))?;
        self.rest = rest;
        Ok(inside.to_owned())
    }

    /// After the opening parenthesis.
    fn function(&mut self, name: &str) -> Result<Vec<Step>, String> {
        let steps = match name {
            "first" => vec![Step::First],
            "last" => vec![Step::Last],
            "ofType" => vec![Step::OfType(self.name()?)],
            "extension" => {
                let url = self.literal()?;
                vec![Step::Name("extension".to_owned()), Step::Where(vec![(vec!["url".to_owned()], url)])]
            }
            "where" => vec![Step::Where(self.conditions()?)],
            other => return Err(format!("{other}() is not supported in a path")),
        };
        if self.take(')') { Ok(steps) } else { Err(format!(") of {name}() is missing")) }
    }

    fn conditions(&mut self) -> Result<Vec<(Vec<String>, Value)>, String> {
        let mut conditions = Vec::new();
        loop {
            let mut names = vec![self.name()?];
            while self.take('.') {
                names.push(self.name()?);
            }
            if !self.take('=') {
                return Err("a condition must be name = literal".to_owned());
            }
            conditions.push((names, self.literal()?));
            match self.rest.trim_start().strip_prefix("and ") {
                Some(rest) => self.rest = rest,
                None => return Ok(conditions),
            }
        }
    }

    fn literal(&mut self) -> Result<Value, String> {
        if self.take('\'') {
            return Ok(Value::String(self.until('\'')?));
        }
        let text = self.rest.trim_start();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c)).unwrap_or(text.len());
        let (word, rest) = text.split_at(end);
        self.rest = rest;
        serde_json::from_str(word)
            .ok()
            .filter(|v: &Value| v.is_number() || v.is_boolean())
            .ok_or_else(|| "a literal must be 'text', a number, true or false".to_owned())
    }
}
