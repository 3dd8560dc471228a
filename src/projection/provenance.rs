//! Provenance: device, algorithm, packets. <https://hl7.org/fhir/us/core/STU6.1/StructureDefinition-us-core-provenance.html>
//!
//! One for everything an algorithm (or the device itself) gave for a window, so that `GET Provenance?target=Observation/x`
//! answers the whole lineage: which packets with which hash, sent by which firmware, through which algorithm version.

use super::canonical::us_core;
use super::narrative::narrative;
use super::observation::source_reference;
use super::{Context, Origin, extension, identifier, sensor_id, start};
use crate::fhir::datatype::{coded, period, reference};
use crate::fhir::make::{element, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::resource::Resource;
use crate::signal::{AlgorithmRef, Measured, PacketRange};

const DATA_OPERATION: &str = "http://terminology.hl7.org/CodeSystem/v3-DataOperation";
const PARTICIPANT: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
const US_CORE_PARTICIPANT: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-provenance-participant-type";

/// The Provenance of `targets`, which `algorithm` (or the device) gave as `measured`.
pub(crate) fn provenance(
    context: &Context<'_>,
    algorithm: Option<&AlgorithmRef>,
    measured: &[&Measured],
    targets: &[String],
) -> Resource {
    let window = context.batch.window;
    let mut signals: Vec<&str> = measured.iter().map(|m| m.signal.as_str()).collect();
    signals.dedup();
    // An algorithm gives a window once, whatever it finds in it; a device may give several signals at one moment.
    let given = if algorithm.is_some() { String::new() } else { signals.join(" ") };
    let id = identifier::provenance(&context.batch.origin, context.batch.identified(window), algorithm, &given).id;
    let (from, to) = (window.start.to_fhir(), window.end.to_fhir());
    let by = algorithm.map_or_else(|| "as the device sent it".to_owned(), |a| format!("by {} {}", a.id, a.version));
    let mut body = start("Provenance", &id, Some(us_core("us-core-provenance")));
    body.extend(element([
        ("text", narrative(&format!("{} {by}, {from} to {to}", signals.join(", ")))),
        ("target", list(targets.iter().map(|t| reference(t)).collect())),
        ("occurredPeriod", period(&from, &to)),
        ("recorded", text(to.as_str())),
        ("activity", Some(Value::Element(coded(DATA_OPERATION, "CREATE", Some("create"))))),
        ("agent", list(agents(context, algorithm))),
        ("entity", list(entities(context, measured))),
    ]));
    Resource { kind: "Provenance".to_owned(), id, element: body }
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
