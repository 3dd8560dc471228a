//! A heart rate as this server makes it, and what is wrong with it once an element is changed.

use crate::{Issue, Severity, Validator};
use serde_json::{Value, json};

const HEART_RATE: &str = include_str!("benches/heart-rate.json");
const PROFILE: &str = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-heart-rate";

fn validator() -> Validator {
    let tables = concat!(env!("CARGO_MANIFEST_DIR"), "/../../ig/tables/profiles.bin");
    Validator::unpack(&std::fs::read(tables).unwrap()).unwrap()
}

/// A heart rate without what only our own guide defines.
fn heart_rate() -> Value {
    let mut resource: Value = serde_json::from_str(HEART_RATE).unwrap();
    resource.as_object_mut().unwrap().remove("extension");
    resource
}

fn errors(resource: &Value) -> Vec<Issue> {
    let mut issues = validator().validate(resource.to_string().as_bytes(), &[]);
    issues.retain(|issue| issue.severity == Severity::Error);
    issues
}

/// Changes an element of a heart rate, and expects the first error there, with the invariant if it is one's.
#[track_caller]
fn check(pointer: &str, value: Value, expression: &str, constraint: Option<&str>) {
    let mut resource = heart_rate();
    let (holder, name) = pointer.rsplit_once('/').unwrap();
    match (resource.pointer_mut(holder).unwrap(), name) {
        (Value::Object(object), name) if value == Value::Null => drop(object.remove(name)),
        (Value::Object(object), name) => drop(object.insert(name.to_owned(), value)),
        (Value::Array(items), at) => items[at.parse::<usize>().unwrap()] = value,
        _ => panic!("{holder} has no {name}"),
    }
    let errors = errors(&resource);
    let found = errors.iter().find(|error| {
        error.expression == expression && (constraint.is_none() || error.constraint.as_deref() == constraint)
    });
    assert!(found.is_some(), "{errors:#?}");
}

#[test]
fn a_heart_rate_of_ours_is_right() {
    assert_eq!(errors(&heart_rate()), []);
}

#[test]
fn missing_elements_are_found() {
    check("/status", Value::Null, "Observation", None);
    check("/category", Value::Null, "Observation", None);
    check("/subject", Value::Null, "Observation", None);
    check("/valueQuantity", Value::Null, "Observation", Some("vs-2"));
}

#[test]
fn what_is_of_another_shape_is_found() {
    check("/status", json!(["final"]), "Observation", None);
    check("/category", json!({}), "Observation", None);
    check("/statuses", json!("final"), "Observation", None);
    check("/valueQuantity/value", json!("180"), "Observation.value.ofType(Quantity).value", None);
    check("/valueString", json!("180"), "Observation", None);
    check("/subject", json!({}), "Observation.subject", None);
}

#[test]
fn values_have_the_format_of_their_type() {
    check("/effectiveDateTime", json!("2026-02-30"), "Observation.effective.ofType(dateTime)", None);
    check("/effectiveDateTime", json!("2026-01-18T14:38"), "Observation.effective.ofType(dateTime)", None);
    check("/id", json!("a b"), "Observation.id", None);
    check("/identifier/0/system", json!("a b"), "Observation.identifier[0].system", None);
    check("/text/div", json!("<div>x</div>"), "Observation.text.div", None);
}

#[test]
fn codes_are_of_their_value_sets_and_systems() {
    check("/status", json!("done"), "Observation.status", None);
    check("/valueQuantity/code", json!("bpm"), "Observation.value.ofType(Quantity)", None);
    check("/code/coding/0/code", json!("8867-5"), "Observation.code.coding[0]", None);
    check("/category/0/coding/0/display", json!("Signs of life"), "Observation.category[0].coding[0]", None);
}

#[test]
fn slices_and_fixed_values_of_profiles_are_asked_for() {
    check("/category/0/coding/0/code", json!("laboratory"), "Observation", None);
    check("/valueQuantity/code", json!("/s"), "Observation.value.ofType(Quantity).code", None);
    check(
        "/meta/profile/0",
        json!("http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"),
        "Observation",
        None,
    );
}

#[test]
fn references_and_extensions_are_followed() {
    check("/subject/reference", json!("#p"), "Observation.subject", Some("ref-1"));
    check("/extension", json!([{ "url": "http://unknown.dev/x", "valueCode": "x" }]), "Observation.extension[0]", None);
    let misplaced = json!([{ "url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": { "city": "x" } }]);
    check("/extension", misplaced, "Observation.extension[0]", None);
    check("/contained", json!([{ "resourceType": "Patient", "id": "p" }]), "Observation", Some("dom-3"));
}

#[test]
fn a_profile_can_be_asked_for() {
    let mut resource = heart_rate();
    resource["meta"].as_object_mut().unwrap().remove("profile");
    resource["code"]["coding"].as_array_mut().unwrap().remove(0);
    assert_eq!(errors(&resource), []);
    let issues = validator().validate(resource.to_string().as_bytes(), &[PROFILE]);
    assert!(issues.iter().any(|issue| issue.severity == Severity::Error && issue.profile.as_deref() == Some(PROFILE)));
}

#[test]
fn a_reference_in_a_bundle_leads_to_what_its_profile_asks_for() {
    let patient = "urn:uuid:7e0a6d0a-8a4f-4a1b-9d5c-0a1b2c3d4e5f";
    let mut observation = heart_rate();
    observation["subject"]["reference"] = json!(patient);
    let entry = |url: &str, resource: Value| json!({ "fullUrl": url, "resource": resource });
    let other = "urn:uuid:7e0a6d0a-8a4f-4a1b-9d5c-0a1b2c3d4e50";
    let bundle = |of: Value| json!({ "resourceType": "Bundle", "type": "collection", "entry": [entry(other, observation.clone()), entry(patient, of)] });
    let named = json!({ "resourceType": "Patient", "gender": "unknown", "name": [{ "family": "x" }], "identifier": [{ "system": "urn:x", "value": "y" }] });
    assert_eq!(errors(&bundle(named)), []);
    let nameless = errors(&bundle(json!({ "resourceType": "Patient" })));
    assert_eq!(nameless[0].expression, "Bundle.entry[0].resource.subject");
    let device = errors(&bundle(json!({ "resourceType": "Device" })));
    assert_eq!(device[0].expression, "Bundle.entry[0].resource.subject");
}

#[test]
fn an_entry_that_is_in_a_bundle_twice_is_found() {
    let entry = |n: u8| {
        let url = format!("urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e{n}");
        json!({ "fullUrl": url, "resource": { "resourceType": "Basic", "code": { "text": "x" } } })
    };
    let bundle = |entries: [Value; 2]| json!({ "resourceType": "Bundle", "type": "collection", "entry": entries });
    assert_eq!(errors(&bundle([entry(0), entry(1)])), []);
    let found = errors(&bundle([entry(0), entry(0)]));
    assert!(found.iter().any(|error| error.constraint.as_deref() == Some("bdl-7")), "{found:#?}");
}
