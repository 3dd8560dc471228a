//! What the search columns of a resource hold, taken from it by the paths of `capability/`: never by an `if` per type.

use super::date::{BEGINNING, END, Span};
use super::table::{NO_DATE, number, term};
use crate::capability::{Column, Parameter, ParameterType, ResourceRow};
use crate::fhir::{Element, Primitive, Value, read};

/// The values of one resource's search columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Index {
    pub(in crate::store) subject: i64,
    pub(in crate::store) date: Span,
    /// (term, system), each pair once.
    pub(in crate::store) terms: Vec<(i64, i64)>,
}

impl Index {
    /// The values of `resource`, a resource of `row`'s type; nothing is searchable in a type without a row.
    pub(in crate::store) fn of(row: Option<&ResourceRow>, resource: &Element) -> Self {
        let mut index = Self { subject: 0, date: Span { from: NO_DATE, until: NO_DATE }, terms: Vec::new() };
        for parameter in row.map_or(&[][..], |row| &row.parameters) {
            let kind = row.map_or("", |row| &row.resource);
            let mut elements = parameter.path.iter().flat_map(|path| read::elements(resource, path));
            match parameter.column {
                Some(Column::Subject) => {
                    let mut references = elements.filter_map(reference).filter(|r| leads_to(r, parameter));
                    index.subject = references.next().map_or(index.subject, |r| number(&r));
                }
                Some(Column::Date) => index.date = elements.find_map(span).unwrap_or(index.date),
                Some(Column::Id | Column::Updated) => {}
                None => elements.for_each(|e| index.add(kind, parameter, e)),
            }
        }
        index.terms.sort_unstable();
        index.terms.dedup();
        index
    }

    fn add(&mut self, kind: &str, parameter: &Parameter, element: &Element) {
        let name = &parameter.name;
        if parameter.kind == ParameterType::Reference {
            self.terms.extend(reference(element).map(|r| (term(kind, name, &r), 0)));
        } else {
            tokens(element, &mut |system, code| self.terms.push((term(kind, name, code), number(system))));
        }
    }
}

/// The reference of a Reference, without base and version: `Patient/x`.
fn reference(element: &Element) -> Option<String> {
    read::string(element, "reference").map(normalize_reference)
}

/// `Patient/x` of `Patient/x/_history/3`; other texts as they are.
pub fn normalize_reference(text: &str) -> String {
    text.split_once("/_history/").map_or(text, |(resource, _)| resource).to_owned()
}

fn leads_to(reference: &str, parameter: &Parameter) -> bool {
    reference
        .split_once('/')
        .is_none_or(|(kind, _)| !kind.starts_with(char::is_uppercase) || parameter.target.iter().any(|t| t == kind))
}

/// Hands every (system, code) of a CodeableConcept, Coding, Identifier, code or boolean to `add`; they are told apart by shape.
fn tokens(element: &Element, add: &mut impl FnMut(&str, &str)) {
    let system = || read::string(element, "system").unwrap_or_default();
    match element.get("value") {
        Some(Value::Primitive(Primitive::String(code) | Primitive::Decimal(code))) => return add("", code),
        Some(Value::Primitive(Primitive::Bool(flag))) => return add("", if *flag { "true" } else { "false" }),
        Some(Value::Element(value)) => return read::primitive_str(value).into_iter().for_each(|v| add(system(), v)),
        _ => {}
    }
    for coding in read::elements(element, "coding") {
        tokens(coding, add);
    }
    if let Some(code) = read::string(element, "code") {
        add(system(), code);
    }
}

/// The span of a date, dateTime, instant or Period.
fn span(element: &Element) -> Option<Span> {
    if let Some(text) = read::primitive_str(element) {
        return Span::parse(text).ok();
    }
    let bound = |name| read::string(element, name).and_then(|t| Span::parse(t).ok());
    match (bound("start"), bound("end")) {
        (None, None) => None,
        (start, end) => {
            let from = start.map_or(BEGINNING, |s| s.from);
            Some(Span { from, until: end.map_or(END, |e| e.until).max(from) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::Capability;
    use crate::fhir::json;

    fn index(json: &str) -> Index {
        let resource = json::parse(json.as_bytes()).unwrap();
        let capability = Capability::builtin().unwrap();
        Index::of(capability.resource(read::resource_type(&resource).unwrap()), &resource)
    }

    #[test]
    fn an_observation_is_indexed_by_its_row() {
        let index = index(
            r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"},{"code":"own"}]},
            "subject":{"reference":"Patient/p/_history/2"},"effectivePeriod":{"start":"2026-01-18T14:00:00Z"},
            "derivedFrom":[{"reference":"Observation/a"},{"reference":"Observation/b"}]}"#,
        );
        assert_eq!(index.subject, number("Patient/p"));
        assert_eq!(index.date.until, END);
        let term = |p, v| term("Observation", p, v);
        let mut expected = vec![
            (term("code", "8867-4"), number("http://loinc.org")),
            (term("code", "own"), 0),
            (term("status", "final"), 0),
            (term("derived-from", "Observation/a"), 0),
            (term("derived-from", "Observation/b"), 0),
        ];
        expected.sort_unstable();
        assert_eq!(index.terms, expected);
    }

    #[test]
    fn booleans_and_identifiers_are_tokens() {
        let index = index(
            r#"{"resourceType":"Patient","active":true,"birthDate":"1980","identifier":[{"system":"s:x","value":"1"}]}"#,
        );
        assert!(index.terms.contains(&(term("Patient", "active", "true"), 0)));
        assert!(index.terms.contains(&(term("Patient", "identifier", "1"), number("s:x"))));
        assert_eq!(index.date, Span::parse("1980").unwrap());
    }
}
