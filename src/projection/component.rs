//! `Observation.component`: panels, and intervals from beat to beat.
//! <https://hl7.org/fhir/R4/observation-definitions.html#Observation.component>

use super::ProjectionError;
use super::canonical::{DATA_ABSENT_REASON, code_system};
use super::code::{codings, low_quality};
use super::extension::beat_instant;
use crate::fhir::datatype::{coded, concept, quantity};
use crate::fhir::make::{decimal_digits, element, list, object, one};
use crate::fhir::{Element, Value};
use crate::registry::{Component, Signal, Unit};
use crate::signal::{AbsentReason, Beat};
use crate::time::{Instant, MICROS};

/// Microseconds a beat time rebuilt by adding intervals may be off before it is stated again.
const BEAT_TOLERANCE: f64 = 2000.0;

type Given = [(String, Result<f64, AbsentReason>)];

/// The components of a panel, in the row's order. A required one without a value says why it has none.
pub(crate) fn panel(row: &Signal, given: &Given, absent: AbsentReason) -> Result<Vec<Element>, ProjectionError> {
    if let Some((code, _)) = given.iter().find(|(code, _)| row.component(code).is_none()) {
        return Err(ProjectionError::UnknownComponent { signal: row.code.clone(), component: code.clone() });
    }
    let components = row.component.iter().filter_map(|component| {
        let value = given.iter().find(|(code, _)| *code == component.code).map(|(_, value)| *value);
        match value {
            None if !component.required => None,
            value => Some(panel_component(row, component, value.unwrap_or(Err(absent)))),
        }
    });
    Ok(components.collect())
}

fn panel_component(row: &Signal, component: &Component, value: Result<f64, AbsentReason>) -> Element {
    let own = component_code(row, component);
    let code = concept(codings(&component.loinc, (&own, &component.display), component.mdc.as_ref()));
    let value = value.and_then(|v| number(v, component.precision, &component.unit).ok_or(AbsentReason::NotANumber));
    element([
        ("code", Some(Value::Element(code))),
        ("valueQuantity", value.clone().ok()),
        ("dataAbsentReason", value.err().and_then(absent_reason)),
    ])
}

/// Our code of a component: unique over all panels.
pub(crate) fn component_code(row: &Signal, component: &Component) -> String {
    format!("{}-{}", row.code, component.code)
}

/// One component for each beat: the interval it ends, or no value where the beat before is not known.
///
/// The time of every beat can be rebuilt: a component states the beat's instant where adding the interval to the time
/// before would not give it, that is at the start and after every gap.
pub(crate) fn beats(row: &Signal, beats: &[Beat]) -> Vec<Element> {
    let unit = row.unit.clone().unwrap_or_else(|| Unit { code: "ms".to_owned(), display: "ms".to_owned() });
    let code = coded(&code_system("biosignal"), row.code.as_str(), None);
    let mut rebuilt: Option<f64> = None;
    let mut components = Vec::with_capacity(beats.len());
    for beat in beats {
        let interval = beat.interval_ms.and_then(|ms| decimal_digits(ms, row.precision));
        let expected = rebuilt.zip(interval.as_ref()).and_then(|(at, ms)| Some(at + ms.parse::<f64>().ok()? * 1000.0));
        let known = expected.filter(|at| (at - beat.at.0 as f64).abs() <= BEAT_TOLERANCE);
        rebuilt = Some(known.unwrap_or_else(|| stated(beat.at)));
        let extension = if known.is_none() { one(beat_instant(beat.at)) } else { None };
        let poor = beat.quality.index() < row.quality_threshold;
        components.push(element([
            ("extension", extension),
            ("code", Some(Value::Element(code.clone()))),
            ("valueQuantity", interval.as_deref().and_then(|ms| quantity(ms, &unit.display, &unit.code))),
            ("dataAbsentReason", if interval.is_none() { absent_reason(AbsentReason::Unknown) } else { None }),
            ("interpretation", if poor { one(low_quality()) } else { None }),
        ]));
    }
    components
}

/// The time as it reads back from the resource: whole milliseconds.
fn stated(at: Instant) -> f64 {
    let milli = MICROS / 1000;
    (at.0.div_euclid(milli) * milli) as f64
}

/// `valueQuantity` rounded to the row's places; none for what is no number.
pub(crate) fn number(value: f64, places: u8, unit: &Unit) -> Option<Value> {
    quantity(&decimal_digits(value, places)?, &unit.display, &unit.code)
}

/// `dataAbsentReason`.
pub(crate) fn absent_reason(reason: AbsentReason) -> Option<Value> {
    let display = match reason {
        AbsentReason::Error => "Error",
        AbsentReason::NotPerformed => "Not Performed",
        AbsentReason::Unknown => "Unknown",
        AbsentReason::NotANumber => "Not a Number (NaN)",
    };
    object([("coding", list(vec![crate::fhir::datatype::coding(DATA_ABSENT_REASON, reason.code(), Some(display))]))])
}
