//! Flag: what calls for attention, with the strip that shows why. <https://hl7.org/fhir/R4/flag.html>
//!
//! A Flag has no element for what it rests on: `flag-detail`, of FHIR's own extensions, points to the strip.
//! <http://hl7.org/fhir/StructureDefinition/flag-detail>, <http://hl7.org/fhir/StructureDefinition/flag-priority>

use super::canonical::{SNOMED, code_system, structure_definition};
use super::identifier::{self, Identity};
use super::narrative::narrative;
use super::{Context, Origin, ProjectionError, device, document_reference, provenance, start};
use crate::fhir::datatype::{coded, coding, reference};
use crate::fhir::make::{element, extension, list, object, one, text};
use crate::fhir::{Element, Value};
use crate::registry::{Alert as Rule, Priority};
use crate::resource::Resource;
use crate::signal::Alert;
use crate::time::Instant;

const DETAIL: &str = "http://hl7.org/fhir/StructureDefinition/flag-detail";
const PRIORITY: &str = "http://hl7.org/fhir/StructureDefinition/flag-priority";
const PRIORITY_CODE: &str = "http://hl7.org/fhir/flag-priority-code";
const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/flag-category";

/// The resources of a batch's alerts: the rules' Devices, strips, Flags and Provenance.
pub(super) fn resources(context: &Context<'_>) -> Result<Vec<Resource>, ProjectionError> {
    let mut resources = Vec::new();
    for alert in &context.batch.alerts {
        let rule = context.registry.alerts.get(&alert.rule.id);
        let rule = rule.ok_or_else(|| ProjectionError::UnknownAlgorithm(alert.rule.id.clone()))?;
        resources.push(device::algorithm(context, &alert.rule)?);
        let block = alert.evidence.as_ref().and_then(|evidence| evidence.block.as_ref());
        let strip = block.and_then(|block| document_reference::evidence(context, alert, block));
        // What was drawn when it was raised stays what shows it.
        let is_shown = strip.is_some() || (alert.evidence.is_some() && block.is_none());
        let shown = |kind| format!("{kind}/{}", identity(context, alert, kind).id);
        let strips = if is_shown { vec![shown("DocumentReference"), shown("Binary")] } else { Vec::new() };
        let flag = flag(context, rule, alert, strips.first());
        let made = strips.into_iter().filter(|_| alert.over.is_none());
        let targets: Vec<String> = std::iter::once(flag.reference()).chain(made).collect();
        resources.extend(strip.into_iter().flatten());
        resources.extend([flag, provenance::of_alert(context, alert, &targets)]);
    }
    Ok(resources)
}

/// The reference of the Flag a rule raises, or will, of what has held since `onset`.
pub fn flag_reference(origin: &Origin, rule: &str, onset: Instant) -> String {
    format!("Flag/{}", identifier::alert(origin, "Flag", rule, onset).id)
}

/// The reference of the strip that shows an alert; none where nothing does.
pub fn shown_by(origin: &Origin, alert: &Alert) -> Option<String> {
    alert.evidence.as_ref()?;
    let kind = "DocumentReference";
    Some(format!("{kind}/{}", identifier::alert(origin, kind, &alert.rule.id, alert.onset).id))
}

/// Identity of a resource an alert is shown by.
pub(super) fn identity(context: &Context<'_>, alert: &Alert, kind: &str) -> Identity {
    identifier::alert(&context.batch.origin, kind, &alert.rule.id, alert.onset)
}

fn flag(context: &Context<'_>, rule: &Rule, alert: &Alert, strip: Option<&String>) -> Resource {
    let origin = &context.batch.origin;
    let identity = identity(context, alert, "Flag");
    let start_time = alert.onset.to_fhir();
    let over = alert.over.map(Instant::to_fhir);
    let summary = match &over {
        None => format!("{} since {start_time}", rule.display),
        Some(over) => format!("{}, {start_time} to {over}", rule.display),
    };
    let (code, display) = &rule.snomed;
    let codings =
        vec![coding(SNOMED, code, Some(display)), coding(&code_system("alert"), &rule.id, Some(&rule.display))];
    let detail = strip.map(|strip| extension(DETAIL, ("valueReference", Some(Value::Element(reference(strip))))));
    let mut body = start("Flag", &identity.id, Some(structure_definition("biosignal-alert")));
    body.extend(element([
        ("text", narrative(&summary)),
        ("extension", list(detail.into_iter().chain([priority(rule.priority)]).collect())),
        ("identifier", one(identifier::identifier("flag", &identity.value))),
        ("status", text(if over.is_some() { "inactive" } else { "active" })),
        ("category", one(coded(CATEGORY, "clinical", Some("Clinical")))),
        ("code", object([("coding", list(codings)), ("text", text(rule.display.as_str()))])),
        ("subject", Some(Value::Element(reference(&format!("Patient/{}", origin.patient))))),
        ("period", object([("start", text(start_time)), ("end", over.and_then(text))])),
        ("encounter", context.encounter_reference().map(Value::Element)),
        ("author", Some(Value::Element(reference(&context.device_reference(Some(&alert.rule)))))),
    ]));
    Resource { kind: "Flag".to_owned(), id: identity.id, element: body }
}

/// IEC 60601-1-8 knows three priorities; FHIR's code system has the same, and one for none.
fn priority(priority: Priority) -> Element {
    let (code, display) = match priority {
        Priority::Low => ("PL", "Low priority"),
        Priority::Medium => ("PM", "Medium priority"),
        Priority::High => ("PH", "High priority"),
    };
    extension(PRIORITY, ("valueCodeableConcept", Some(Value::Element(coded(PRIORITY_CODE, code, Some(display))))))
}
