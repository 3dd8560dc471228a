//! Both kinds of patches on one Patient.

use serde_json::{Value, json};

use super::*;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"p","meta":{"versionId":"1"},"active":true,"name":[{"use":"official","family":"A","given":["x","y"]},{"use":"usual","family":"B"}],"deceasedBoolean":false,"birthDate":"1980"}"#;

fn patched(operations: Value) -> Result<Value, String> {
    let parameters = json!({"resourceType": "Parameters", "parameter": operations});
    let patch = Patch::parameters(parameters.to_string().as_bytes()).map_err(|e| e.to_string())?;
    let content = patch.apply("Patient", PATIENT.as_bytes()).map_err(|e| e.to_string())?;
    Ok(Value::Object(content.object().clone()))
}

fn operation(kind: &str, path: &str, more: Value) -> Value {
    let mut parts = vec![json!({"name": "type", "valueCode": kind}), json!({"name": "path", "valueString": path})];
    parts.extend(more.as_array().cloned().unwrap_or_default());
    json!([{"name": "operation", "part": parts}])
}

#[test]
fn fhirpath_patches_do_what_they_say() {
    let name = |text: &str| json!({"name": "name", "valueString": text});
    for (kind, path, more, pointer, expected) in [
        (
            "replace",
            "Patient.birthDate",
            json!([{"name": "value", "valueDate": "1990-01-02"}]),
            "/birthDate",
            json!("1990-01-02"),
        ),
        (
            "replace",
            "Patient.name.where(use = 'usual').family",
            json!([{"name": "value", "valueString": "C"}]),
            "/name/1/family",
            json!("C"),
        ),
        (
            "replace",
            "Patient.name[0].given[1]",
            json!([{"name": "value", "valueString": "z"}]),
            "/name/0/given",
            json!(["x", "z"]),
        ),
        (
            "replace",
            "Patient.deceased",
            json!([{"name": "value", "valueDateTime": "2020"}]),
            "/deceasedDateTime",
            json!("2020"),
        ),
        ("delete", "Patient.name.first().given.last()", json!([]), "/name/0/given", json!(["x"])),
        ("delete", "Patient.name[1]", json!([]), "/name/1", Value::Null),
        ("delete", "Patient.photo", json!([]), "/name/1/family", json!("B")),
        (
            "add",
            "Patient",
            json!([name("gender"), {"name": "value", "valueCode": "female"}]),
            "/gender",
            json!("female"),
        ),
        (
            "add",
            "Patient",
            json!([name("telecom"), {"name": "value", "valueContactPoint": {"value": "1"}}]),
            "/telecom",
            json!([{"value": "1"}]),
        ),
        (
            "add",
            "Patient.name[1]",
            json!([name("given"), {"name": "value", "valueString": "q"}]),
            "/name/1/given",
            json!(["q"]),
        ),
        (
            "add",
            "Patient",
            json!([name("multipleBirth"), {"name": "value", "valueInteger": 2}]),
            "/multipleBirthInteger",
            json!(2),
        ),
        (
            "add",
            "Patient",
            json!([name("contact"), {"name": "value", "part": [{"name": "gender", "valueCode": "male"}]}]),
            "/contact",
            json!([{"gender": "male"}]),
        ),
        (
            "insert",
            "Patient.name[0].given",
            json!([{"name": "index", "valueInteger": 1}, {"name": "value", "valueString": "m"}]),
            "/name/0/given",
            json!(["x", "m", "y"]),
        ),
        (
            "move",
            "Patient.name",
            json!([{"name": "source", "valueInteger": 1}, {"name": "destination", "valueInteger": 0}]),
            "/name/0/family",
            json!("B"),
        ),
    ] {
        let after = patched(operation(kind, path, more)).unwrap();
        assert_eq!(after.pointer(pointer).cloned().unwrap_or_default(), expected, "{kind} {path}");
    }
}

#[test]
fn what_a_patch_cannot_do_is_said() {
    let value = json!([{"name": "value", "valueString": "x"}]);
    for (kind, path, more) in [
        ("replace", "Patient.name.family", value.clone()),
        ("replace", "Patient.photo", value.clone()),
        ("replace", "Device.status", value.clone()),
        ("replace", "Patient", value.clone()),
        ("replace", "Patient.id", value.clone()),
        ("replace", "Patient.name.where(use='x'", value.clone()),
        ("replace", "Patient.name.exists()", value.clone()),
        ("replace", "Patient.name[x]", value.clone()),
        ("replace", "", value.clone()),
        ("replace", "Patient.active", json!([])),
        ("replace", "Patient.active", value.clone()),
        ("paint", "Patient.active", value.clone()),
        ("add", "Patient", json!([{"name": "name", "valueString": "colour"}, {"name": "value", "valueString": "red"}])),
        ("add", "Patient", json!([{"name": "name", "valueString": "active"}, {"name": "value", "valueBoolean": true}])),
        (
            "insert",
            "Patient.name",
            json!([{"name": "index", "valueInteger": 9}, {"name": "value", "valueHumanName": {"text": "x"}}]),
        ),
        (
            "insert",
            "Patient.birthDate",
            json!([{"name": "index", "valueInteger": 0}, {"name": "value", "valueDate": "1990"}]),
        ),
        ("move", "Patient.name", json!([{"name": "source", "valueInteger": 0}])),
        ("delete", "Patient.name", json!([])),
        ("delete", "Patient", json!([])),
    ] {
        assert!(patched(operation(kind, path, more)).is_err(), "{kind} {path}");
    }
}

#[test]
fn json_patches_keep_what_they_do_not_touch() {
    let apply =
        |patch: Value| Patch::json(patch.to_string().as_bytes()).and_then(|p| p.apply("Patient", PATIENT.as_bytes()));
    let after =
        apply(json!([{"op": "test", "path": "/active", "value": true}, {"op": "remove", "path": "/name/0/given/0"},
        {"op": "remove", "path": "/name/0/given/0"}, {"op": "add", "path": "/gender", "value": "other"}]))
        .unwrap();
    assert_eq!(after.object()["name"][0], json!({"use": "official", "family": "A"}));
    for bad in [
        json!([{"op": "test", "path": "/active", "value": false}]),
        json!([{"op": "remove", "path": "/none"}]),
        json!([{"op": "replace", "path": "/id", "value": "q"}]),
        json!([{"op": "replace", "path": "", "value": 5}]),
        json!([{"op": "add", "path": "/colour", "value": "red"}]),
        json!([{"op": "paint"}]),
        json!({}),
    ] {
        assert!(apply(bad.clone()).is_err(), "{bad}");
    }
}
