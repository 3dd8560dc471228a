//! What the search columns and rows of a resource hold, taken from it by the paths of `capability/`: never by an `if` per type.

mod rebuild;
mod value;
mod write;

pub use value::normalize_reference;
pub(in crate::store) use value::tokens;
pub(in crate::store) use write::{forget, insert};

use std::collections::BTreeSet;

use super::date::Span;
use super::search::{QuantityMatch, holds};
use super::series::Series;
use super::table::{
    NO_DATE, cohort, measure, number, parameter as number_of, subject, system as number_of_system, term, term_in,
};
use super::text::normalize;
use crate::capability::{Column, Parameter, ParameterType, ResourceRow};
use crate::fhir::{Element, read};
use crate::id::TenantId;

/// Changes when the code below indexes differently by the same table.
const VERSION: u32 = 3;

/// The values of one resource's search columns and rows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::store) struct Index {
    pub(in crate::store) subject: i64,
    pub(in crate::store) date: Span,
    /// One bit per search parameter it has values of.
    pub(in crate::store) present: i64,
    /// What it is one of: see [`cohort`]; 0 where it has no common values.
    pub(in crate::store) cohort: i64,
    /// Values it shares with few resources: (term, number of the system), each pair once.
    terms: Vec<(i64, i64)>,
    /// Values it shares with many: (term, part), each pair once. A code is there twice, with its system and without; one in a
    /// part as well for all parts, as 0, as for the one it is in, from 1.
    common: Vec<(i64, i64)>,
    /// (parameter, searched form, hash of the text).
    strings: Vec<(i64, String, i64)>,
    /// (parameter, span).
    dates: Vec<(i64, Span)>,
    quantities: Vec<Quantity>,
    /// What it is one of, where its type comes in series.
    series: Option<Series>,
}

/// A number with a unit.
#[derive(Debug, Clone, PartialEq)]
struct Quantity {
    part: i64,
    measure: i64,
    value: f64,
    /// Parameter, system, code and unit.
    unit: [String; 4],
}

impl Index {
    /// The values of `resource`, a resource of `row`'s type; nothing is searchable in a type without a row.
    pub(in crate::store) fn of(tenant: &TenantId, row: Option<&ResourceRow>, resource: &Element) -> Self {
        let mut index = Self {
            subject: 0,
            date: Span { from: NO_DATE, until: NO_DATE },
            present: 0,
            cohort: 0,
            terms: Vec::new(),
            common: Vec::new(),
            strings: Vec::new(),
            dates: Vec::new(),
            quantities: Vec::new(),
            series: None,
        };
        let Some(row) = row else { return index };
        for (bit, parameter) in row.parameters.iter().enumerate() {
            let mut added = false;
            for (part, element) in parameter.elements(resource) {
                if row.series.as_ref() == Some(&parameter.name) && index.series.is_none() {
                    value::tokens(element, &mut |system, code| {
                        index.series.get_or_insert(Series { system: system.to_owned(), code: code.to_owned() });
                    });
                }
                added |= match parameter.column {
                    Some(Column::Id | Column::Updated) => false,
                    Some(Column::Subject) => index.set_subject(tenant, row, parameter, element),
                    Some(Column::Date) => index.set_date(element),
                    None => index.add(tenant, row, parameter, part, element),
                };
            }
            index.present |= i64::from(added) << bit;
        }
        index.terms.sort_unstable();
        index.terms.dedup();
        index.common.sort_unstable();
        index.common.dedup();
        if !index.common.is_empty() {
            index.cohort = cohort(index.subject, &index.common);
        }
        index.dates.sort_unstable();
        index.dates.dedup();
        index.strings.sort_unstable_by_key(|(parameter, _, exact)| (*parameter, *exact));
        index.strings.dedup_by_key(|(parameter, _, exact)| (*parameter, *exact));
        index.quantities.dedup();
        index
    }

    fn set_subject(&mut self, tenant: &TenantId, row: &ResourceRow, parameter: &Parameter, element: &Element) -> bool {
        let reference = value::reference(element).filter(|r| parameter.leads_to(r));
        if let Some(reference) = &reference {
            self.subject = subject(tenant, reference);
        }
        reference.is_some() | self.add_identifier(tenant, row, parameter, element)
    }

    fn set_date(&mut self, element: &Element) -> bool {
        let span = value::span(element).filter(|_| self.date.from == NO_DATE);
        self.date = span.unwrap_or(self.date);
        span.is_some()
    }

    fn add(
        &mut self,
        tenant: &TenantId,
        row: &ResourceRow,
        parameter: &Parameter,
        part: i64,
        element: &Element,
    ) -> bool {
        let (kind, name) = (row.resource.as_str(), parameter.name.as_str());
        match parameter.kind {
            ParameterType::Token => {
                let before = self.values();
                value::tokens(element, &mut |system, code| {
                    let any = term(tenant, kind, name, code);
                    if parameter.is_own() {
                        self.terms.push((any, number_of_system(system)));
                    } else {
                        self.add_common(any, part);
                        self.add_common(term_in(tenant, kind, name, system, code), part);
                    }
                });
                if parameter.is_identifier() {
                    value::typed_identifier(element, &mut |system, code| {
                        self.terms.push((term(tenant, kind, OF_TYPE, code), number_of_system(system)));
                    });
                }
                if parameter.text {
                    self.add_texts(number_of(tenant, kind, &text_of(name)), element);
                }
                self.values() > before
            }
            ParameterType::Uri => {
                let Some(uri) = read::primitive_str(element) else { return false };
                // A canonical with its version is found without it as well.
                let plain = uri.split_once('|').map(|(plain, _)| plain);
                for uri in plain.into_iter().chain([uri]) {
                    self.add_plain(parameter, term(tenant, kind, name, uri), part);
                }
                true
            }
            ParameterType::Reference => {
                let reference = value::reference(element).filter(|r| parameter.leads_to(r));
                if let Some(reference) = &reference {
                    self.add_plain(parameter, term(tenant, kind, name, reference), part);
                }
                reference.is_some() | self.add_identifier(tenant, row, parameter, element)
            }
            ParameterType::Date => {
                let span = value::span(element);
                self.dates.extend(span.map(|span| (number_of(tenant, kind, name), span)));
                span.is_some()
            }
            ParameterType::String => self.add_texts(number_of(tenant, kind, name), element),
            ParameterType::Quantity => {
                let Some((value, unit)) = value::quantity(element) else { return false };
                let measure = measure(tenant, kind, name, unit);
                let unit = [name, unit[0], unit[1], unit[2]].map(str::to_owned);
                self.quantities.push(Quantity { part, measure, value, unit });
                true
            }
            ParameterType::Composite => false,
        }
    }

    /// Adds a value that has no system.
    fn add_plain(&mut self, parameter: &Parameter, term: i64, part: i64) {
        if parameter.is_own() {
            self.terms.push((term, 0));
        } else {
            self.add_common(term, part);
        }
    }

    fn add_common(&mut self, term: i64, part: i64) {
        self.common.push((term, 0));
        if part > 0 {
            self.common.push((term, part));
        }
    }

    /// How many terms it has.
    fn values(&self) -> usize {
        self.terms.len() + self.common.len()
    }

    /// Whether it has a value of a parameter; `system` is empty for none, and `None` for any.
    pub(in crate::store) fn has(
        &self,
        tenant: &TenantId,
        kind: &str,
        parameter: &str,
        (system, value): (Option<&str>, &str),
    ) -> bool {
        let any = term(tenant, kind, parameter, value);
        let common = system.map_or(any, |system| term_in(tenant, kind, parameter, system, value));
        let is_own = |&(own, of): &(i64, i64)| own == any && system.is_none_or(|system| of == number_of_system(system));
        self.terms.iter().any(is_own) || self.common.contains(&(common, 0))
    }

    /// The parts a common value is in; where the parameter has none, nothing in particular.
    pub(in crate::store) fn parts_of(
        &self,
        tenant: &TenantId,
        (kind, parameter): (&str, &str),
        (system, value): (Option<&str>, &str),
        has_part: bool,
    ) -> Vec<Option<i64>> {
        if !has_part {
            let is_there = self.has(tenant, kind, parameter, (system, value));
            return if is_there { vec![None] } else { Vec::new() };
        }
        let any = term(tenant, kind, parameter, value);
        let common = system.map_or(any, |system| term_in(tenant, kind, parameter, system, value));
        let of_value = self.common.iter().filter(|(term, part)| *term == common && *part > 0);
        of_value.map(|(_, part)| Some(*part)).collect()
    }

    /// Whether a number of a parameter matches, in one part where one is asked for.
    pub(in crate::store) fn has_quantity(&self, parameter: &str, part: Option<i64>, value: &QuantityMatch) -> bool {
        let of_parameter = self.quantities.iter().filter(|q| q.unit[0] == parameter);
        of_parameter.filter(|q| part.is_none_or(|part| q.part == part)).any(|q| {
            let [_, system, code, unit] = q.unit.each_ref().map(String::as_str);
            holds(value, [system, code, unit], q.value)
        })
    }

    /// What subscriptions can be found by: its subject and the numbers of its terms.
    pub(in crate::store) fn keys(&self) -> impl Iterator<Item = i64> {
        let common = self.common.iter().filter(|(_, part)| *part == 0).map(|(term, _)| *term);
        let mut own: Vec<i64> = self.terms.iter().map(|(term, _)| *term).collect();
        own.dedup();
        std::iter::once(self.subject).filter(|subject| *subject != 0).chain(own).chain(common)
    }

    /// The identifier by which a reference names what it leads to.
    fn add_identifier(
        &mut self,
        tenant: &TenantId,
        row: &ResourceRow,
        parameter: &Parameter,
        element: &Element,
    ) -> bool {
        let name = identifier_of(&parameter.name);
        let before = self.terms.len();
        for identifier in read::elements(element, "identifier") {
            value::tokens(identifier, &mut |system, value| {
                self.terms.push((term(tenant, &row.resource, &name, value), number_of_system(system)));
            });
        }
        self.terms.len() > before
    }

    fn add_texts(&mut self, parameter: i64, element: &Element) -> bool {
        let before = self.strings.len();
        value::texts(element, &mut |text| {
            let searched = normalize(text);
            if !searched.is_empty() {
                self.strings.push((parameter, searched, number(text)));
            }
        });
        self.strings.len() > before
    }

    /// The units of its quantities.
    fn units(&self) -> BTreeSet<&[String; 4]> {
        self.quantities.iter().map(|quantity| &quantity.unit).collect()
    }
}

/// What identifiers with a type stand under (`identifier:of-type`).
pub const OF_TYPE: &str = "identifier:of-type";

/// What the texts of a token parameter stand under.
pub fn text_of(parameter: &str) -> String {
    format!("{parameter}:text")
}

/// What the identifiers in a reference stand under.
pub fn identifier_of(parameter: &str) -> String {
    format!("{parameter}:identifier")
}

#[cfg(test)]
mod tests {
    use super::super::date::END;
    use super::super::fixture::tenant;
    use super::*;
    use crate::capability::Capability;
    use crate::fhir::json;

    fn index(json: &str) -> Index {
        let resource = json::parse(json.as_bytes()).unwrap();
        let capability = Capability::builtin().unwrap();
        Index::of(&tenant("a"), capability.resource(read::resource_type(&resource).unwrap()), &resource)
    }

    #[test]
    fn an_observation_is_indexed_by_its_row() {
        let index = index(
            r#"{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"8867-4"},{"code":"own"}]},
            "subject":{"reference":"Patient/p/_history/2"},"effectivePeriod":{"start":"2026-01-18T14:00:00Z"},
            "derivedFrom":[{"reference":"Observation/a"},{"reference":"Observation/b"}],
            "valueQuantity":{"value":60.5,"unit":"bpm","system":"http://unitsofmeasure.org","code":"/min"},
            "component":[{"code":{"text":"none"}},{"code":{"coding":[{"system":"s:x","code":"c"}]},"valueQuantity":{"value":2}}]}"#,
        );
        assert_eq!(index.subject, subject(&tenant("a"), "Patient/p"));
        assert_eq!(index.date.until, END);
        let tenant = tenant("a");
        let term = |p, v| term(&tenant, "Observation", p, v);
        let mut own = vec![(term("derived-from", "Observation/a"), 0), (term("derived-from", "Observation/b"), 0)];
        own.sort_unstable();
        assert_eq!(index.terms, own);
        let term_in = |p, s, v| term_in(&tenant, "Observation", p, s, v);
        let mut common = vec![
            (term("code", "8867-4"), 0),
            (term_in("code", "http://loinc.org", "8867-4"), 0),
            (term("code", "own"), 0),
            (term_in("code", "", "own"), 0),
            (term("status", "final"), 0),
            (term_in("status", "", "final"), 0),
            (term("component-code", "c"), 0),
            (term("component-code", "c"), 2),
            (term_in("component-code", "s:x", "c"), 0),
            (term_in("component-code", "s:x", "c"), 2),
        ];
        common.sort_unstable();
        assert_eq!((index.cohort, index.common), (cohort(index.subject, &common), common));
        let quantities: Vec<(i64, f64)> = index.quantities.iter().map(|q| (q.part, q.value)).collect();
        assert_eq!(quantities, [(0, 60.5), (2, 2.0)]);
        assert_eq!(index.present.count_ones(), 9);
    }

    #[test]
    fn booleans_identifiers_and_names_are_indexed() {
        let index = index(
            r#"{"resourceType":"Patient","active":true,"birthDate":"1980","identifier":[{"system":"s:x","value":"1",
            "type":{"coding":[{"system":"t:y","code":"MR"}]}}],"name":[{"family":"Müller","given":["Eva","Ada"]}],
            "deceasedDateTime":"2026-01","telecom":[{"system":"phone","value":"1"}]}"#,
        );
        let has = |parameter, value| index.has(&tenant("a"), "Patient", parameter, value);
        assert!(has("active", (None, "true")) && has("active", (Some(""), "true")));
        assert!(has("identifier", (Some("s:x"), "1")) && has("identifier", (None, "1")));
        assert!(!has("identifier", (Some(""), "1")) && !has("identifier", (None, "2")));
        assert!(has(OF_TYPE, (Some("t:y"), "MR|1")));
        assert!(has("phone", (None, "1")));
        assert_eq!(index.date, Span::parse("1980").unwrap());
        assert_eq!(index.dates, [(number_of(&tenant("a"), "Patient", "death-date"), Span::parse("2026-01").unwrap())]);
        let name = number_of(&tenant("a"), "Patient", "name");
        let mut names: Vec<&str> =
            index.strings.iter().filter(|(p, ..)| *p == name).map(|(_, value, _)| value.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ada", "eva", "muller"]);
    }
}
