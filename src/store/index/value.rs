//! Datatypes as searchable values; they are told apart by shape.

use crate::fhir::{Element, Primitive, Value, read};
use crate::store::date::{BEGINNING, END, Span};

/// The reference of a Reference or canonical, without version: `Patient/x`.
pub(super) fn reference(element: &Element) -> Option<String> {
    read::string(element, "reference").map(normalize_reference)
}

/// `Patient/x` of `Patient/x/_history/3`; other texts as they are.
pub fn normalize_reference(text: &str) -> String {
    text.split_once("/_history/").map_or(text, |(resource, _)| resource).to_owned()
}

/// Hands every (system, code) of a CodeableConcept, Coding, Identifier, ContactPoint, code or boolean to `add`.
pub(in crate::store) fn tokens(element: &Element, add: &mut impl FnMut(&str, &str)) {
    let system = || read::string(element, "system").unwrap_or_default();
    match element.get("value") {
        Some(Value::Primitive(Primitive::String(code) | Primitive::Decimal(code))) => return add("", code),
        Some(Value::Primitive(Primitive::Bool(flag))) => return add("", if *flag { "true" } else { "false" }),
        Some(Value::Element(value)) => {
            // What names the system of a ContactPoint is a code of how to reach, and not a part of the value.
            let system = system();
            let system = if is_contact(system) { "" } else { system };
            return read::primitive_str(value).into_iter().for_each(|v| add(system, v));
        }
        _ => {}
    }
    for coding in read::elements(element, "coding") {
        tokens(coding, add);
    }
    if let Some(code) = read::string(element, "code") {
        add(system(), code);
    }
}

/// Whether the system is of a ContactPoint, whose values are searched without it. <https://hl7.org/fhir/R4/search.html#token>
fn is_contact(system: &str) -> bool {
    matches!(system, "phone" | "fax" | "email" | "pager" | "url" | "sms" | "other")
}

/// Hands (system of a type, `type code|value`) of an Identifier to `add`.
pub(super) fn typed_identifier(element: &Element, add: &mut impl FnMut(&str, &str)) {
    let Some(value) = read::string(element, "value") else { return };
    for coding in read::elements(element, "type.coding") {
        if let Some(code) = read::string(coding, "code") {
            add(read::string(coding, "system").unwrap_or_default(), &format!("{code}|{value}"));
        }
    }
}

/// Hands the texts of a string, HumanName, Address, CodeableConcept or Coding to `add`.
pub(super) fn texts(element: &Element, add: &mut impl FnMut(&str)) {
    const PARTS: [&str; 12] = [
        "text",
        "family",
        "given",
        "prefix",
        "suffix",
        "line",
        "city",
        "district",
        "state",
        "postalCode",
        "country",
        "display",
    ];
    if let Some(text) = read::primitive_str(element) {
        return add(text);
    }
    PARTS.iter().flat_map(|part| read::strings(element, part)).for_each(&mut *add);
    read::strings(element, "coding.display").into_iter().for_each(add);
}

/// The value of a Quantity, and its system, code and unit, empty where it has none.
pub(super) fn quantity(element: &Element) -> Option<(f64, [&str; 3])> {
    let value: f64 = read::string(element, "value")?.parse().ok().filter(|v: &f64| v.is_finite())?;
    Some((value, ["system", "code", "unit"].map(|name| read::string(element, name).unwrap_or_default())))
}

/// The span of a date, dateTime, instant or Period.
pub(super) fn span(element: &Element) -> Option<Span> {
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
