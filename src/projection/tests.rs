//! Snapshots of what is projected, and the properties identity must have.

use std::collections::BTreeMap;
use std::path::Path;

use super::fixture::{self, draw, organization};
use super::{
    Batch, Origin, PassedOver, ProjectionError, Prompt, Sensor, as_first_computed, has_series, observation_id, project,
    prompt, sensor, series, stub_patient, with_passed_over,
};
use crate::fhir::{json, read, stored};
use crate::id::{DeviceKey, ResourceId, TenantId};
use crate::registry::Registry;
use crate::resource::Resource;
use crate::session::priority::Reason;
use crate::signal::{Measured, Quality, Value};

fn projected(batch: &Batch) -> Vec<Resource> {
    with_sensor(batch, project(batch, &Registry::builtin().unwrap(), &organization(), &draw).unwrap())
}

/// What streams give, after the sensor it is of.
fn with_sensor(batch: &Batch, mut resources: Vec<Resource>) -> Vec<Resource> {
    let Origin { tenant, device, firmware, sdk, .. } = &batch.origin;
    let registry = Registry::builtin().unwrap();
    let model = batch.origin.model.as_ref().map(|m| &registry.devices[m]);
    let (firmware, sdk) = (firmware.as_deref(), sdk.as_deref());
    if batch.sources.is_empty() {
        resources.insert(0, sensor(&Sensor { tenant, device, model, firmware, sdk }, &organization()));
    }
    resources
}

fn pretty(resources: &[Resource]) -> String {
    let texts: Vec<String> = resources.iter().map(|r| json::to_string_pretty(&r.element).unwrap()).collect();
    texts.join("\n")
}

#[test]
fn ecg_with_intervals_heart_rate_strip_and_lineage() {
    insta::assert_snapshot!(pretty(&projected(&shortened(fixture::ecg(&Registry::builtin().unwrap())))));
}

#[test]
fn heart_rate_variability() {
    insta::assert_snapshot!(pretty(&projected(&fixture::hrv(&Registry::builtin().unwrap()))));
}

#[test]
fn pulse_rate_from_a_photoplethysmogram() {
    insta::assert_snapshot!(pretty(&projected(&shortened(fixture::ppg(&Registry::builtin().unwrap())))));
}

#[test]
fn an_alert_that_is_raised_and_then_over() {
    let registry = Registry::builtin().unwrap();
    insta::assert_snapshot!(fixture::alerts(&registry).map(|batch| pretty(&projected(&batch)[1..])).join("\n"));
}

#[test]
fn a_source_that_was_passed_over() {
    let registry = Registry::builtin().unwrap();
    let noted = passed_over(&registry);
    insta::assert_snapshot!(pretty(std::slice::from_ref(&noted)));
    let plain = as_first_computed("Provenance", noted.element);
    let projected = projected(&fixture::in_episode(&registry));
    assert!(projected.iter().any(|r| r.element == plain));
}

#[test]
fn blood_pressure_without_a_diastolic_value() {
    insta::assert_snapshot!(pretty(&projected(&fixture::half_a_blood_pressure())));
}

#[test]
fn temperature_in_another_unit() {
    insta::assert_snapshot!(pretty(&projected(&fixture::fahrenheit())));
}

#[test]
fn no_value_and_no_quality() {
    let registry = Registry::builtin().unwrap();
    let row = registry.signal(&fixture::code("spo2")).unwrap();
    insta::assert_snapshot!(pretty(&projected(&fixture::without_value(row))[1..2]));
}

#[test]
fn organization_and_patient() {
    let tenant = TenantId::new("sandbox").unwrap();
    let patient = stub_patient(&tenant, &ResourceId::new("p1").unwrap(), true);
    insta::assert_snapshot!(pretty(&[organization().resource(), patient]));
}

#[test]
fn episode_and_encounter() {
    insta::assert_snapshot!(pretty(&fixture::shown()));
}

#[test]
fn what_is_of_an_episode_refers_to_its_encounter() {
    let [_, encounter] = fixture::shown();
    for resource in projected(&fixture::in_episode(&Registry::builtin().unwrap())) {
        let named = match resource.kind.as_str() {
            "Observation" => read::strings(&resource.element, "encounter.reference"),
            "DocumentReference" => read::strings(&resource.element, "context.encounter.reference"),
            _ => continue,
        };
        assert_eq!(named, [encounter.reference()], "{}", resource.reference());
    }
}

#[test]
fn the_same_batch_gives_the_same_bytes() {
    let registry = Registry::builtin().unwrap();
    for (name, batch) in fixture::everything(&registry) {
        assert_eq!(pretty(&projected(&batch)), pretty(&projected(&batch)), "{name}");
    }
}

#[test]
fn ids_are_apart_within_a_batch_and_between_tenants_devices_and_streams() {
    let registry = Registry::builtin().unwrap();
    let batch = fixture::ecg(&registry);
    let mut other_tenant = batch.clone();
    other_tenant.origin.tenant = TenantId::new("other").unwrap();
    let mut other_device = batch.clone();
    other_device.origin.device = DeviceKey::new("patch-0002").unwrap();
    let ids = |batch: &Batch| projected(batch).iter().map(Resource::reference).collect::<Vec<_>>();
    let mut all = ids(&batch);
    all.extend(ids(&other_tenant));
    // An algorithm's Device is the same for every sensor.
    all.extend(projected(&other_device).iter().filter(|r| r.kind != "Device").map(Resource::reference));
    let count = all.len();
    all.sort();
    all.dedup();
    // But for the heart rate of a minute and its Provenance: a patient has one, whoever measured it.
    assert_eq!(all.len(), count - 2);
}

#[test]
fn a_new_algorithm_version_amends_the_same_observation() {
    let registry = Registry::builtin().unwrap();
    let mut batch = fixture::ecg(&registry);
    let before = projected(&batch);
    for measured in &mut batch.measured {
        measured.algorithm.iter_mut().for_each(|a| a.version = "2.0.0".to_owned());
    }
    let ids = |resources: &[Resource]| -> Vec<String> {
        resources.iter().filter(|r| r.kind == "Observation").map(Resource::reference).collect()
    };
    assert_eq!(ids(&before), ids(&projected(&batch)));
}

#[test]
fn every_reference_of_a_recording_resolves() {
    let registry = Registry::builtin().unwrap();
    let all = everything();
    for (name, resources) in batches() {
        for resource in resources {
            for target in references(&resource) {
                assert!(all.contains_key(target), "{name}: {} names {target}", resource.reference());
            }
        }
    }
    let ecg = fixture::ecg(&registry);
    let id = observation_id(&registry, &ecg.origin, &ecg.measured[0].signal, ecg.measured[0].interval, None);
    assert!(all.contains_key(&format!("Observation/{id}")));
}

#[test]
fn identifiers_that_leave_tell_nothing() {
    for (name, resources) in batches() {
        for observation in resources.iter().filter(|r| r.kind == "Observation") {
            let value = read::string(&observation.element, "identifier.value").unwrap();
            assert_eq!(value.len(), 36, "{name}");
            assert!(!value.contains("patch") && !value.contains("p1"), "{name}");
        }
    }
}

/// US Core vital signs may be derived from documents and other vital signs only; what they were computed from stands in the
/// strip's context and in Provenance.
#[test]
fn a_heart_rate_points_at_its_strip_and_its_provenance_at_the_intervals() {
    let registry = Registry::builtin().unwrap();
    let ecg = fixture::ecg(&registry);
    let [_, intervals, rate] = &ecg.measured[..] else { panic!("three measurements") };
    let id = |m: &Measured| observation_id(&registry, &ecg.origin, &m.signal, m.interval, m.algorithm.as_ref());
    let resources = projected(&ecg);
    let find = |id: &ResourceId| &resources.iter().find(|r| &r.id == id).unwrap().element;
    let sources = read::strings(find(&id(rate)), "derivedFrom.reference");
    assert!(matches!(sources[..], [strip] if strip.starts_with("DocumentReference/")), "{sources:?}");
    let strip = resources.iter().find(|r| r.kind == "DocumentReference").unwrap();
    let related = read::strings(&strip.element, "context.related.reference");
    let intervals = format!("Observation/{}", id(intervals));
    assert!(related.contains(&intervals.as_str()));
    let target = format!("Observation/{}", id(rate));
    let provenance =
        resources.iter().find(|r| read::strings(&r.element, "target.reference") == [target.as_str()]).unwrap();
    assert_eq!(read::strings(&provenance.element, "entity.what.reference"), [intervals.as_str()]);

    let mut unseen = ecg.clone();
    let Value::Samples(block) = &mut unseen.measured[0].value else { panic!("a waveform first") };
    block.values.fill(f32::NAN);
    let unseen = project(&unseen, &registry, &organization(), &draw).unwrap();
    let rate = unseen.iter().find(|r| r.id == id(rate)).unwrap();
    assert!(read::strings(&rate.element, "derivedFrom.reference").is_empty());
}

#[test]
fn values_and_series_are_all_there_is_and_no_resource_is_both() {
    let registry = Registry::builtin().unwrap();
    for (name, batch) in fixture::everything(&registry) {
        let Prompt { values: mut parts, contested } = prompt(&batch, &registry, &organization(), &draw).unwrap();
        let later = series(&batch, &registry, &organization(), &draw).unwrap();
        assert_eq!(has_series(&batch), !later.is_empty(), "{name}");
        parts.extend(later);
        parts.extend(contested.into_iter().flat_map(|one| one.resources));
        parts.sort_by_key(Resource::reference);
        parts.dedup();
        let by_reference = |all: Vec<Resource>| all.into_iter().map(|r| (r.reference(), r)).collect::<BTreeMap<_, _>>();
        let whole = project(&batch, &registry, &organization(), &draw).unwrap();
        assert_eq!(parts.len(), whole.len(), "{name}");
        assert_eq!(by_reference(parts), by_reference(whole), "{name}");
    }
}

#[test]
fn below_the_threshold_of_its_row_a_value_is_marked_and_kept() {
    let mut batch = fixture::fahrenheit();
    let marks = |batch: &Batch| {
        let resources = projected(batch);
        let observation = resources.iter().find(|r| r.kind == "Observation").unwrap();
        assert_eq!(read::string(&observation.element, "valueQuantity.value"), Some("37.00"));
        read::strings(&observation.element, "interpretation.coding.code").join(",")
    };
    batch.measured[0].quality = Quality::new(0.7);
    assert_eq!(marks(&batch), "");
    batch.measured[0].quality = Quality::new(0.699);
    assert_eq!(marks(&batch), "low-quality");
}

#[test]
fn a_value_of_the_wrong_kind_is_refused() {
    let registry = Registry::builtin().unwrap();
    let mut batch = fixture::fahrenheit();
    batch.measured[0].value = Value::Concept("warm".to_owned());
    let error = project(&batch, &registry, &organization(), &draw).unwrap_err();
    assert!(matches!(error, ProjectionError::WrongKind { .. }), "{error}");
}

#[test]
fn beat_times_can_be_rebuilt() {
    let window = fixture::minutes(7, 1);
    let registry = Registry::builtin().unwrap();
    let row = registry.signal(&fixture::code("rr-interval")).unwrap();
    let resources = projected(&fixture::of_row(row));
    let observation = resources.iter().find(|r| r.kind == "Observation").unwrap();
    let mut at = f64::NAN;
    let mut rebuilt = Vec::new();
    for component in read::elements(&observation.element, "component") {
        let interval = read::string(component, "valueQuantity.value").map(|ms| ms.parse::<f64>().unwrap());
        at += interval.unwrap_or(f64::NAN);
        if let Some(instant) = read::string(component, "extension.valueInstant") {
            at = crate::time::Instant::parse(instant).unwrap().0 as f64 / 1000.0;
        }
        rebuilt.push(at);
    }
    for (beat, at) in fixture::beats(window.start).iter().zip(&rebuilt) {
        assert!((beat.at.0 as f64 / 1000.0 - at).abs() < 2.0, "{rebuilt:?}");
    }
}

/// A new biosignal is a row: nothing else is touched to get from a value to its Observation.
#[test]
fn a_row_in_a_directory_is_enough_for_an_observation() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("signal")).unwrap();
    let row = r#"
        format_version = 1
        code = "skin-temperature"
        display = "Skin temperature"
        definition = "Temperature of the skin under the sensor."
        kind = "quantity"
        category = "exam"
        unit = { code = "Cel", display = "°C" }
        precision = 1
        plausible = { min = 0, max = 50 }
    "#;
    std::fs::write(directory.path().join("signal/skin-temperature.toml"), row).unwrap();
    let registry = Registry::load(Some(directory.path())).unwrap();
    let row = registry.signal(&fixture::code("skin-temperature")).unwrap();
    let resources = project(&fixture::of_row(row), &registry, &organization(), &draw).unwrap();
    let observation = resources.iter().find(|r| r.kind == "Observation").unwrap();
    assert_eq!(read::string(&observation.element, "code.coding.code"), Some("skin-temperature"));
    assert_eq!(read::string(&observation.element, "valueQuantity.value"), Some("25.0"));
    let generated = super::ig::generate(&registry).unwrap();
    assert!(generated.iter().any(|(_, json)| json.contains("skin-temperature")));
}

/// Writes every resource and every batch as a Bundle into `AFFERENT_EXAMPLES`, for the validator,
/// and the codes it cannot know as a CodeSystem beside them.
#[test]
#[ignore = "writes files; tests/validator/run asks for it"]
#[expect(clippy::disallowed_methods, reason = "a test has no configuration to get a directory from")]
fn dump_examples() {
    let directory = std::env::var("AFFERENT_EXAMPLES").unwrap();
    let directory = Path::new(&directory);
    let all = everything();
    for resource in all.values() {
        let file = format!("{}-{}.json", resource.kind, resource.id);
        std::fs::write(directory.join("resources").join(file), whole(resource)).unwrap();
    }
    std::fs::write(directory.join("nomenclature/CodeSystem-mdc.json"), nomenclature()).unwrap();
    for (name, resources) in batches() {
        let reachable = closure(&resources, &all);
        std::fs::write(directory.join(format!("resources/Bundle-{name}.json")), bundle(&reachable)).unwrap();
    }
}

/// The IEEE 11073-10101 codes of the registry as a fragment: the nomenclature itself is not to be had as a package.
fn nomenclature() -> Vec<u8> {
    let registry = Registry::builtin().unwrap();
    let rows = registry.signals.values();
    let codes = rows.flat_map(|row| row.mdc.iter().chain(row.component.iter().filter_map(|c| c.mdc.as_ref())));
    let codes: BTreeMap<&u32, &String> = codes.map(|(code, name)| (code, name)).collect();
    let concepts: Vec<_> =
        codes.iter().map(|(code, name)| serde_json::json!({ "code": code.to_string(), "display": name })).collect();
    let fragment = serde_json::json!({
        "resourceType": "CodeSystem", "id": "mdc", "url": "urn:iso:std:iso:11073:10101", "status": "active",
        "content": "fragment", "concept": concepts,
    });
    serde_json::to_vec_pretty(&fragment).unwrap()
}

/// The first samples only, so that a snapshot can be read.
fn shortened(mut batch: Batch) -> Batch {
    for measured in &mut batch.measured {
        if let Value::Samples(block) = &mut measured.value {
            block.values.truncate(8);
        }
    }
    batch
}

fn batches() -> Vec<(String, Vec<Resource>)> {
    let registry = Registry::builtin().unwrap();
    let mut all: Vec<_> =
        fixture::everything(&registry).into_iter().map(|(name, batch)| (name, projected(&batch))).collect();
    all.push(("passed-over".to_owned(), vec![passed_over(&registry)]));
    all
}

/// The Provenance of a heart rate another sensor told as well.
fn passed_over(registry: &Registry) -> Resource {
    let batch = fixture::in_episode(registry);
    let contested = prompt(&batch, registry, &organization(), &draw).unwrap().contested;
    let provenance = contested[0].resources.iter().find(|r| r.kind == "Provenance").unwrap();
    let device = crate::id::resource_id(&batch.origin.tenant, "Device", batch.origin.device.as_str());
    let source =
        |quality, reason| PassedOver { device: device.clone(), stream: batch.origin.stream.clone(), quality, reason };
    let notes = [source(Some(Quality::new(0.6)), Reason::Quality), source(None, Reason::Name)];
    Resource { element: with_passed_over(&provenance.element, &notes), ..provenance.clone() }
}

/// Every resource by reference, with the Organization and the Patient.
fn everything() -> BTreeMap<String, Resource> {
    let tenant = TenantId::new("sandbox").unwrap();
    let patient = stub_patient(&tenant, &ResourceId::new("p1").unwrap(), true);
    let given = batches().into_iter().flat_map(|(_, resources)| resources);
    given.chain([patient, organization().resource()]).chain(fixture::shown()).map(|r| (r.reference(), r)).collect()
}

/// Every relative reference of a resource.
fn references(resource: &Resource) -> Vec<&str> {
    let paths = [
        "subject",
        "patient",
        "encounter",
        "context.encounter",
        "episodeOfCare",
        "managingOrganization",
        "performer",
        "device",
        "derivedFrom",
        "owner",
        "author",
        "custodian",
        "context.related",
        "target",
        "agent.who",
        "agent.onBehalfOf",
        "entity.what",
        "securityContext",
    ];
    let referenced = paths.iter().flat_map(|path| read::strings(&resource.element, &format!("{path}.reference")));
    referenced.chain(read::strings(&resource.element, "content.attachment.url")).collect()
}

fn closure<'a>(resources: &'a [Resource], all: &'a BTreeMap<String, Resource>) -> Vec<&'a Resource> {
    let mut reached: BTreeMap<String, &Resource> = BTreeMap::new();
    let mut open: Vec<&Resource> = resources.iter().collect();
    while let Some(resource) = open.pop() {
        if reached.insert(resource.reference(), resource).is_none() {
            open.extend(references(resource).into_iter().filter_map(|r| all.get(r)));
        }
    }
    reached.into_values().collect()
}

fn whole(resource: &Resource) -> Vec<u8> {
    let tail = stored::tail(resource.element.clone()).unwrap();
    let mut bytes = Vec::new();
    stored::write(&mut bytes, &resource.kind, resource.id.as_str(), 1, "2026-01-18T15:00:00.000Z", &tail);
    bytes
}

fn bundle(resources: &[&Resource]) -> Vec<u8> {
    let entries = resources.iter().map(|resource| {
        let body: serde_json::Value = serde_json::from_slice(&whole(resource)).unwrap();
        serde_json::json!({ "fullUrl": format!("https://afferent.dev/fhir/R4/{}", resource.reference()), "resource": body })
    });
    let entries: Vec<_> = entries.collect();
    serde_json::to_vec_pretty(&serde_json::json!({ "resourceType": "Bundle", "type": "collection", "entry": entries }))
        .unwrap()
}
