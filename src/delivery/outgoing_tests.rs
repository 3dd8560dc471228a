use super::*;

const DEVICE: &str = "0f0e0d0c-0b0a-5908-8706-050403020100";

fn tenant() -> TenantId {
    TenantId::new("a").unwrap()
}

fn key(kind: &str, id: &str) -> Key {
    (kind.to_owned(), id.to_owned())
}

fn made(key: Key, body: Value, binding: PatientBinding) -> Outgoing {
    let Value::Object(body) = body else { panic!() };
    let beside = Beside {
        binaries: [("b1".to_owned(), json!({"data": "QUJD"}))].into(),
        encounters: [("e1".to_owned(), json!({"system": "https://ehr.example/visit", "value": "v-1"}))].into(),
    };
    Outgoing::new(&tenant(), (0, key, 3), body, binding, &beside)
}

fn observation() -> Value {
    json!({
        "resourceType": "Observation", "id": "o1",
        "meta": {"versionId": "3", "lastUpdated": "2026-01-01T00:00:00Z", "profile": ["http://p"]},
        "subject": {"reference": "Patient/jane-doe-1970"}, "encounter": {"reference": "Encounter/e1"},
        "device": {"reference": format!("Device/{DEVICE}")}, "derivedFrom": [{"reference": "Observation/o0"}],
        "valueQuantity": {"value": 61.50},
    })
}

#[test]
fn nothing_that_names_a_patient_goes_out() {
    let sent = made(key("Observation", "o1"), observation(), PatientBinding::Logical);
    let body = Value::Object(sent.rendered(|_| None));
    assert!(!body.to_string().contains("jane"), "{body}");
    assert!(!sent.business.query().contains("o1"), "an id somebody chose is hashed");
    assert_eq!(body["subject"]["type"], "Patient");
    assert_eq!(body["subject"]["identifier"]["system"], "https://afferent.dev/fhir/identifier/patient");
    assert_eq!(body["encounter"]["identifier"]["value"], "v-1");
    assert_eq!(body["meta"], json!({"profile": ["http://p"]}));
    assert_eq!(body.get("id"), None);
}

#[test]
fn references_are_what_they_are_there_or_by_identifier() {
    let sent = made(key("Observation", "o1"), observation(), PatientBinding::Included);
    assert_eq!(sent.refers.len(), 3);
    let device = key("Device", DEVICE);
    let body = Value::Object(sent.rendered(|key| (*key == device).then(|| "Device/there".to_owned())));
    assert_eq!(body["device"], json!({"reference": "Device/there"}));
    assert_eq!(body["derivedFrom"][0]["type"], "Observation");
    assert_eq!(body["derivedFrom"][0].get("reference"), None);
    assert_eq!(Business::of(&tenant(), &device).value, DEVICE);
}

#[test]
fn a_provenance_is_found_by_its_tag_and_a_strip_carries_its_picture() {
    let provenance =
        json!({"resourceType": "Provenance", "target": [{"reference": "Binary/b1"}, {"reference": "Observation/o1"}]});
    let sent = made(key("Provenance", DEVICE), provenance, PatientBinding::Logical);
    let body = Value::Object(sent.rendered(|_| None));
    assert_eq!(body["meta"]["tag"][0]["code"], DEVICE);
    assert_eq!(body["target"].as_array().unwrap().len(), 1);
    assert_eq!(sent.business.query(), format!("_tag=https://afferent.dev/fhir/CodeSystem/resource|{DEVICE}"));
    let document =
        json!({"resourceType": "DocumentReference", "content": [{"attachment": {"url": "Binary/b1", "title": "x"}}]});
    let sent = made(key("DocumentReference", DEVICE), document, PatientBinding::Logical);
    let body = Value::Object(sent.rendered(|_| None));
    assert_eq!(body["content"][0]["attachment"], json!({"data": "QUJD", "title": "x"}));
}

#[test]
fn the_digest_is_of_the_content_and_not_of_where_it_goes() {
    let first = made(key("Observation", "o1"), observation(), PatientBinding::Logical);
    let mut later = observation();
    later["meta"]["versionId"] = json!("4");
    assert_eq!(first.digest, made(key("Observation", "o1"), later.clone(), PatientBinding::Logical).digest);
    later["valueQuantity"]["value"] = json!(62);
    assert_ne!(first.digest, made(key("Observation", "o1"), later, PatientBinding::Logical).digest);
}

#[test]
fn a_receiver_may_add_and_not_change() {
    let sent = json!({"status": "final", "value": 1.0, "identifier": [{"value": "a"}]});
    let there = json!({"id": "x", "status": "final", "value": 1, "identifier": [{"value": "b"}, {"value": "a", "use": "usual"}]});
    assert!(is_stored(&sent, &there));
    for (place, value) in
        [("/status", json!("amended")), ("/value", json!(2)), ("/identifier", json!([{"value": "b"}]))]
    {
        let mut changed = there.clone();
        *changed.pointer_mut(place).unwrap() = value;
        assert!(!is_stored(&sent, &changed), "{place}");
    }
}
