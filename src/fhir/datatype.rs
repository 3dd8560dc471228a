//! The R4 datatypes the server writes: Coding, CodeableConcept, Quantity, Reference, Identifier, Period.
//! <https://hl7.org/fhir/R4/datatypes.html>

use crate::make::{decimal, element, list, object, text};
use crate::{Element, Value};

/// The canonical of UCUM, `Quantity.system` of every unit.
pub const UCUM: &str = "http://unitsofmeasure.org";
/// The canonical of LOINC.
pub const LOINC: &str = "http://loinc.org";

/// Coding.
pub fn coding(system: &str, code: &str, display: Option<&str>) -> Element {
    element([("system", text(system)), ("code", text(code)), ("display", display.and_then(text))])
}

/// CodeableConcept with these codings, in order.
pub fn concept(codings: Vec<Element>) -> Element {
    element([("coding", list(codings))])
}

/// CodeableConcept with a single coding.
pub fn coded(system: &str, code: &str, display: Option<&str>) -> Element {
    concept(vec![coding(system, code, display)])
}

/// Quantity in a UCUM unit; `digits` are written as they are.
pub fn quantity(digits: &str, unit: &str, code: &str) -> Option<Value> {
    object([("value", decimal(digits)), ("unit", text(unit)), ("system", text(UCUM)), ("code", text(code))])
}

/// Reference by relative URL, `Patient/p1`.
pub fn reference(target: &str) -> Element {
    element([("reference", text(target))])
}

/// Identifier.
pub fn identifier(system: &str, value: &str) -> Element {
    element([("system", text(system)), ("value", text(value))])
}

/// Period from two dateTimes.
pub fn period(start: &str, end: &str) -> Option<Value> {
    object([("start", text(start)), ("end", text(end))])
}
