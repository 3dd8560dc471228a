//! Signals a patient has only one of: what sources that measure them at once have to be weighed against each other with.
//!
//! A heart has one rate. Where two sensors tell it for the same window, the record has one Observation of it, whose identity
//! names neither; its Provenance tells whose value it is and which sources were passed over. Readings at moments of their own
//! keep the identity of their source. Who counts is decided where all sources are known: see [`crate::session::priority`].

use super::canonical::structure_definition;
use super::document_reference::Strip;
use super::identifier::{self, Identity};
use super::{Context, Group, Origin, ProjectionError, resources};
use crate::fhir::datatype::reference;
use crate::fhir::make::{complex_extension, decimal, decimal_digits, extension, list, text};
use crate::fhir::{Element, Value};
use crate::id::{ResourceId, SignalCode, StreamName};
use crate::registry::Registry;
use crate::resource::Resource;
use crate::session::priority::Reason;
use crate::signal::{self, AlgorithmRef, Measured, Quality};
use crate::time::Interval;

const EXTENSION: &str = "extension";

/// A measurement other sources may have made as well.
#[derive(Debug, Clone, PartialEq)]
pub struct Contested {
    /// What was measured.
    pub signal: SignalCode,
    /// When.
    pub interval: Interval,
    /// Its quality; none where there is no value.
    pub quality: Option<Quality>,
    /// What is stored if it counts: algorithm's Device, Observation, Provenance.
    pub resources: Vec<Resource>,
}

/// A source that does not count.
#[derive(Debug, Clone, PartialEq)]
pub struct PassedOver {
    /// Logical id of its Device.
    pub device: ResourceId,
    /// Its stream.
    pub stream: StreamName,
    /// Quality of what it measured; none where it had no value.
    pub quality: Option<Quality>,
    /// What decided.
    pub reason: Reason,
}

/// A measurement with what is stored if it counts.
pub(super) fn contested<'a>(
    context: &Context<'a>,
    group: Group<'a>,
    measured: &'a Measured,
    strips: &[Strip<'a>],
) -> Result<Contested, ProjectionError> {
    Ok(Contested {
        signal: measured.signal.clone(),
        interval: measured.interval,
        quality: (!matches!(measured.value, signal::Value::Absent(_))).then_some(measured.quality),
        resources: resources(context, [(group, vec![measured])].into(), strips)?,
    })
}

/// Whether a patient has only one of it.
pub(super) fn is_sole(registry: &Registry, signal: &SignalCode) -> bool {
    registry.signal(signal).is_some_and(|row| row.sole)
}

/// Whether what is measured is the same whoever measures it: the window of a signal a patient has only one of.
pub(super) fn is_anybodys(registry: &Registry, signal: &SignalCode, interval: Interval) -> bool {
    interval.start < interval.end && is_sole(registry, signal)
}

/// The logical id of the Observation of `signal` over `interval`: what `derivedFrom` names without a look-up.
pub fn observation_id(
    registry: &Registry,
    origin: &Origin,
    signal: &SignalCode,
    interval: Interval,
    algorithm: Option<&AlgorithmRef>,
) -> ResourceId {
    identity(registry, origin, signal, interval, algorithm).id
}

/// Identity of an Observation.
pub(super) fn identity(
    registry: &Registry,
    origin: &Origin,
    signal: &SignalCode,
    interval: Interval,
    algorithm: Option<&AlgorithmRef>,
) -> Identity {
    if is_anybodys(registry, signal, interval) {
        return identifier::observation(&origin.together(), signal, interval, None);
    }
    identifier::observation(origin, signal, interval, algorithm)
}

/// A Provenance that also names sources that were passed over.
#[must_use]
pub fn with_passed_over(provenance: &Element, passed_over: &[PassedOver]) -> Element {
    let notes = list(passed_over.iter().map(note).collect());
    let mut noted = Element::with_capacity(provenance.len() + 1);
    for (name, value) in provenance {
        if name == "target" {
            noted.extend(notes.clone().map(|notes| (EXTENSION.to_owned(), notes)));
        }
        noted.insert(name.clone(), value.clone());
    }
    noted
}

/// A Provenance as it is where no source was passed over.
#[must_use]
pub(super) fn without_passed_over(mut provenance: Element) -> Element {
    provenance.shift_remove(EXTENSION);
    provenance
}

/// `Provenance.extension` passed-over.
fn note(source: &PassedOver) -> Element {
    let device = reference(&format!("Device/{}", source.device));
    let quality = source.quality.and_then(|quality| decimal_digits(quality.index(), 2));
    let mut parts = vec![
        extension("device", ("valueReference", Some(Value::Element(device)))),
        extension("stream", ("valueString", text(source.stream.as_str()))),
    ];
    parts.extend(quality.map(|digits| extension("quality", ("valueDecimal", decimal(digits)))));
    parts.push(extension("reason", ("valueCode", text(source.reason.code()))));
    complex_extension(&structure_definition("passed-over"), parts)
}
