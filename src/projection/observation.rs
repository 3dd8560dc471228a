//! Observation. <https://hl7.org/fhir/R4/observation.html>
//!
//! Vital signs keep to US Core: `effectiveDateTime` at the end of their window (invariant vs-1 refuses a Period), and
//! `derivedFrom` only what the vital signs profile allows: documents and other vital signs.

use super::canonical::{SNOMED, code_system};
use super::code::{category, low_quality, profile, signal_codings};
use super::component::{absent_reason, beats, number, panel};
use super::document_reference::Strip;
use super::narrative::narrative;
use super::sampled_data::sampled_data;
use super::{Context, ProjectionError, extension, identifier, sole, start};
use crate::fhir::datatype::{coded, coding, concept, period, reference};
use crate::fhir::make::{element, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::id::SignalCode;
use crate::registry::{Category, Kind, Signal};
use crate::resource::Resource;
use crate::signal::{self, AbsentReason, Measured, Source};

/// The part of an Observation that says what was measured.
#[derive(Default)]
struct Content {
    value: Option<(&'static str, Option<Value>)>,
    components: Vec<Element>,
    absent: Option<AbsentReason>,
    summary: String,
}

/// The Observation of one measurement.
pub(crate) fn observation(
    context: &Context<'_>,
    measured: &Measured,
    strips: &[Strip<'_>],
) -> Result<Resource, ProjectionError> {
    let origin = &context.batch.origin;
    let row = context.row(&measured.signal)?;
    let interval = context.batch.identified(measured.interval);
    let identity = sole::identity(context.registry, origin, &measured.signal, interval, measured.algorithm.as_ref());
    let content = content(row, measured)?;
    let poor = measured.quality.index() < row.quality_threshold;
    let when = measured.interval.end.to_fhir();

    let mut body = start("Observation", &identity.id, Some(profile(row)));
    body.extend(element([
        ("text", narrative(&format!("{}: {}, {when}", row.display, content.summary))),
        ("extension", list(extensions(context, row, measured))),
        ("identifier", one(identifier::identifier("observation", &identity.value))),
        ("status", text("final")),
        ("category", one(category(row.category))),
        ("code", object([("coding", list(signal_codings(row))), ("text", text(row.display.as_str()))])),
        ("subject", Some(Value::Element(reference(&format!("Patient/{}", origin.patient))))),
        ("encounter", context.encounter_reference().map(Value::Element)),
    ]));
    body.extend([effective(row, measured)].into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.extend(element([("performer", one(reference(&context.organization_reference())))]));
    body.extend(content.value.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    body.extend(element([
        ("dataAbsentReason", content.absent.and_then(absent_reason)),
        ("interpretation", if poor { one(low_quality()) } else { None }),
        ("bodySite", body_site(row)),
        ("method", method(context, measured)?),
        ("device", Some(Value::Element(reference(&context.device_reference(measured.algorithm.as_ref()))))),
        ("derivedFrom", list(derived_from(context, row, measured, strips))),
        ("component", list(content.components)),
    ]));
    Ok(Resource { kind: "Observation".to_owned(), id: identity.id, element: body })
}

fn extensions(context: &Context<'_>, row: &Signal, measured: &Measured) -> Vec<Element> {
    let mut all = vec![extension::signal_quality(measured.quality)];
    let off = context.batch.origin.clock.filter(|clock| !clock.is_corrected);
    all.extend(off.map(|clock| extension::clock_skew(clock.off_ms)));
    if row.kind == Kind::SampledData {
        all.extend(context.batch.origin.lead.as_deref().map(extension::lead));
    }
    all
}

/// A point at the end of the window for scalars, the span for series.
fn effective(row: &Signal, measured: &Measured) -> (&'static str, Option<Value>) {
    let interval = measured.interval;
    match row.kind {
        Kind::SampledData | Kind::Intervals => {
            ("effectivePeriod", period(&interval.start.to_fhir(), &interval.end.to_fhir()))
        }
        Kind::Quantity | Kind::Panel | Kind::Classification => ("effectiveDateTime", text(interval.end.to_fhir())),
    }
}

fn content(row: &Signal, measured: &Measured) -> Result<Content, ProjectionError> {
    match (row.kind, &measured.value) {
        (Kind::Quantity, signal::Value::Quantity(value)) => Ok(scalar(row, measured, *value)),
        (Kind::Panel, signal::Value::Components(given)) => panel_content(row, given, AbsentReason::Unknown),
        (Kind::Panel, signal::Value::Absent(reason)) => panel_content(row, &[], *reason),
        (Kind::Classification, signal::Value::Concept(code)) => classification(row, code),
        (Kind::Intervals, signal::Value::Beats(series)) if !series.is_empty() => Ok(Content {
            components: beats(row, series),
            summary: format!("{} beats", series.len()),
            ..Content::default()
        }),
        (Kind::Intervals, signal::Value::Beats(_)) => Ok(absent(AbsentReason::Unknown)),
        (Kind::SampledData, signal::Value::Samples(block)) => Ok(waveform(row, block)),
        (_, signal::Value::Absent(reason)) => Ok(absent(*reason)),
        _ => Err(ProjectionError::WrongKind { signal: row.code.clone(), kind: row.kind }),
    }
}

fn absent(reason: AbsentReason) -> Content {
    Content { absent: Some(reason), summary: format!("no value ({})", reason.code()), ..Content::default() }
}

fn scalar(row: &Signal, measured: &Measured, value: f64) -> Content {
    let unit = row.unit.clone().unwrap_or_else(crate::registry::Unit::one);
    let Some(digits) = crate::fhir::make::decimal_digits(value, row.precision) else {
        return absent(AbsentReason::NotANumber);
    };
    let original = measured.original.as_ref().and_then(|(value, unit)| extension::original_value(*value, unit));
    let mut quantity = number(value, row.precision, &unit);
    if let (Some(original), Some(Value::Element(element))) = (original, &mut quantity) {
        element.insert("extension".to_owned(), Value::Sequence(vec![original]));
    }
    Content {
        value: Some(("valueQuantity", quantity)),
        summary: format!("{digits} {}", unit.display),
        ..Content::default()
    }
}

fn panel_content(
    row: &Signal,
    given: &[(String, Result<f64, AbsentReason>)],
    reason: AbsentReason,
) -> Result<Content, ProjectionError> {
    let said = row.component.iter().filter_map(|component| {
        let (_, value) = given.iter().find(|(code, _)| *code == component.code)?;
        let digits = crate::fhir::make::decimal_digits(value.ok()?, component.precision)?;
        Some(format!("{} {digits} {}", component.display, component.unit.display))
    });
    let said: Vec<String> = said.collect();
    let summary = if said.is_empty() { format!("no value ({})", reason.code()) } else { said.join(", ") };
    Ok(Content { components: panel(row, given, reason)?, summary, ..Content::default() })
}

fn classification(row: &Signal, code: &str) -> Result<Content, ProjectionError> {
    let Some(value) = row.value.iter().find(|v| v.code == code) else {
        return Err(ProjectionError::UnknownCode { signal: row.code.clone(), code: code.to_owned() });
    };
    let concept = coded(&code_system(row.code.as_str()), &value.code, Some(&value.display));
    Ok(Content {
        value: Some(("valueCodeableConcept", Some(Value::Element(concept)))),
        summary: value.display.clone(),
        ..Content::default()
    })
}

fn waveform(row: &Signal, block: &signal::SampleBlock) -> Content {
    let data =
        row.sampled_data.as_ref().zip(row.unit.as_ref()).and_then(|(form, unit)| sampled_data(block, unit, form));
    if data.is_none() {
        return absent(AbsentReason::Unknown);
    }
    Content {
        value: Some(("valueSampledData", data)),
        summary: format!("{} samples at {} Hz", block.len(), block.rate_hz),
        ..Content::default()
    }
}

fn body_site(row: &Signal) -> Option<Value> {
    let (code, display) = row.body_site.as_ref()?;
    Some(Value::Element(coded(SNOMED, code, Some(display))))
}

fn method(context: &Context<'_>, measured: &Measured) -> Result<Option<Value>, ProjectionError> {
    let Some(algorithm) = &measured.algorithm else { return Ok(None) };
    let display = context.algorithm_display(algorithm)?;
    let code = coding(&code_system("method"), &super::device::method_code(algorithm), Some(&display));
    Ok(Some(Value::Element(concept(vec![code]))))
}

/// Observations it was computed from; for a vital sign the strip documents that show them, where its profile allows no
/// more.
fn derived_from(context: &Context<'_>, row: &Signal, measured: &Measured, strips: &[Strip<'_>]) -> Vec<Element> {
    let mut references: Vec<String> = Vec::new();
    for source in &measured.derived_from {
        if row.category != Category::VitalSigns || is_vital_sign(context, &source.signal) {
            references.push(source_reference(context, source));
            continue;
        }
        let shown = strips.iter().filter(|s| s.shows(context.registry, source, measured.interval));
        references.extend(shown.map(Strip::reference));
    }
    let mut seen = std::collections::BTreeSet::new();
    references.retain(|r| seen.insert(r.clone()));
    references.iter().map(|r| reference(r)).collect()
}

/// `Observation/{id}` of a source.
pub(crate) fn source_reference(context: &Context<'_>, source: &Source) -> String {
    let mut origin = std::borrow::Cow::Borrowed(&context.batch.origin);
    if let Some((device, stream)) = &source.stream {
        let origin = origin.to_mut();
        (origin.device, origin.stream) = (device.clone(), stream.clone());
    }
    let algorithm = source.algorithm.as_ref();
    let id = sole::observation_id(context.registry, &origin, &source.signal, source.interval, algorithm);
    format!("Observation/{id}")
}

fn is_vital_sign(context: &Context<'_>, signal: &SignalCode) -> bool {
    context.registry.signal(signal).is_some_and(|row| row.category == Category::VitalSigns)
}
