//! Provenance: device, algorithm, packets. <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-provenance.html>
//!
//! One for everything an algorithm (or the device itself) gave for a window, so that `GET Provenance?target=Observation/x`
//! answers the whole lineage: which packets with which hash, sent by which firmware, through which algorithm version.

use super::canonical::us_core;
use super::identifier::Identity;
use super::narrative::narrative;
use super::observation::source_reference;
use super::revision::{created, updated};
use super::{Context, Group, Origin, extension, identifier, sensor_id, sole, start};
use crate::fhir::datatype::{coded, period, reference};
use crate::fhir::make::{element, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::resource::Resource;
use crate::signal::{Alert, AlgorithmRef, Measured, PacketRange};
use crate::time::Interval;

const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const US_CORE_PARTICIPANT: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type";

/// The Provenance of `targets`, which are what a group `measured`.
pub(crate) fn provenance(
    context: &Context<'_>,
    group: &Group<'_>,
    measured: &[&Measured],
    targets: &[String],
) -> Resource {
    let algorithm = group.algorithm;
    let window = group.sole.map_or(context.batch.window, |(_, interval)| interval);
    let mut signals: Vec<&str> = measured.iter().map(|m| m.signal.as_str()).collect();
    signals.dedup();
    let id = identity(context, group, window, &signals.join(" ")).id;
    let (from, to) = (window.start.to_fhir(), window.end.to_fhir());
    let by = algorithm.map_or_else(|| "as the device sent it".to_owned(), |a| format!("by {} {}", a.id, a.version));
    let mut body = start("Provenance", &id, Some(us_core("us-core-provenance")));
    body.extend(element([
        ("text", narrative(&format!("{} {by}, {from} to {to}", signals.join(", ")))),
        ("target", list(targets.iter().map(|t| reference(t)).collect())),
        ("occurredPeriod", period(&from, &to)),
        ("recorded", text(to.as_str())),
        ("activity", Some(Value::Element(created()))),
        ("agent", list(agents(context, algorithm))),
        ("entity", list(entities(context, measured))),
    ]));
    Resource { kind: "Provenance".to_owned(), id, element: body }
}

/// The Provenance of `targets`, which an alert is shown by: one of its being raised, another of its being over.
pub(super) fn of_alert(context: &Context<'_>, alert: &Alert, targets: &[String]) -> Resource {
    let origin = &context.batch.origin;
    let (kind, activity) = match alert.over {
        None => ("Provenance", created()),
        Some(_) => ("Provenance/over", updated()),
    };
    let id = identifier::alert(origin, kind, &alert.rule.id, alert.onset).id;
    let (from, to) = (alert.onset.to_fhir(), alert.over.unwrap_or(alert.raised).to_fhir());
    let rule = &alert.rule;
    let mut body = start("Provenance", &id, Some(us_core("us-core-provenance")));
    body.extend(element([
        ("text", narrative(&format!("Alert by {} {}, {from} to {to}", rule.id, rule.version))),
        ("target", list(targets.iter().map(|t| reference(t)).collect())),
        ("occurredPeriod", period(&from, &to)),
        ("recorded", text(to.as_str())),
        ("activity", Some(Value::Element(activity))),
        ("agent", list(agents(context, Some(rule)))),
        ("entity", list(alert.packets.iter().map(|range| packets(origin, range)).collect())),
    ]));
    Resource { kind: "Provenance".to_owned(), id, element: body }
}

fn identity(context: &Context<'_>, group: &Group<'_>, window: Interval, signals: &str) -> Identity {
    let (origin, window) = (&context.batch.origin, context.batch.identified(window));
    match (group.sole, group.algorithm) {
        // Whoever measured it.
        (Some((signal, interval)), _) if sole::is_anybodys(context.registry, signal, interval) => {
            identifier::provenance(&origin.together(), window, None, signals)
        }
        // An algorithm gives a window once, whatever it finds in it; a device may give several signals at one moment.
        (None, Some(algorithm)) => identifier::provenance(origin, window, Some(algorithm), ""),
        (_, algorithm) => identifier::provenance(origin, window, algorithm, signals),
    }
}

fn agents(context: &Context<'_>, algorithm: Option<&AlgorithmRef>) -> Vec<Element> {
    let organization = context.organization_reference();
    let agent = |system: &str, code: &str, display: &str, who: &str, for_organization: bool| {
        let on_behalf_of = for_organization.then(|| Value::Element(reference(&organization)));
        element([
            ("type", Some(Value::Element(coded(system, code, Some(display))))),
            ("who", Some(Value::Element(reference(who)))),
            ("onBehalfOf", on_behalf_of),
        ])
    };
    let sensors = context.batch.contributors();
    let mut sensors: Vec<String> = sensors.iter().map(|(of, _)| format!("Device/{}", sensor_id(of))).collect();
    sensors.dedup();
    let mut agents: Vec<Element> =
        sensors.iter().map(|sensor| agent(PARTICIPANT, "author", "Author", sensor, true)).collect();
    agents.extend(
        algorithm.map(|a| agent(PARTICIPANT, "assembler", "Assembler", &context.device_reference(Some(a)), true)),
    );
    agents.push(agent(US_CORE_PARTICIPANT, "transmitter", "Transmitter", &organization, false));
    agents
}

fn entities(context: &Context<'_>, measured: &[&Measured]) -> Vec<Element> {
    let mut sources: Vec<String> =
        measured.iter().flat_map(|m| &m.derived_from).map(|s| source_reference(context, s)).collect();
    let mut seen = std::collections::BTreeSet::new();
    sources.retain(|s| seen.insert(s.clone()));
    let derivation =
        sources.iter().map(|s| element([("role", text("derivation")), ("what", Some(Value::Element(reference(s))))]));
    let contributors = context.batch.contributors();
    contributors.into_iter().map(|(origin, range)| packets(origin, range)).chain(derivation).collect()
}

fn packets(origin: &Origin, packets: &PacketRange) -> Element {
    let value = format!("{}/{}/{}-{}", origin.device, origin.stream, packets.first, packets.last);
    let what = object([
        ("identifier", Some(Value::Element(identifier::identifier("packet", &value)))),
        ("display", text(format!("Packets {} to {} of {}", packets.first, packets.last, origin.stream))),
    ]);
    element([("extension", one(extension::packet_range(origin, packets))), ("role", text("source")), ("what", what)])
}
