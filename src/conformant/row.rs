//! Whether what a registry's rows say agrees: LOINC codes, units and profiles with each other.

use serde_json::{Value, json};

use super::{Code, Issue, Severity, Validator};
use crate::registry::{CANONICAL_BASE, Component, Kind, LoincCoding, Registry, Signal, Unit};

/// What does not agree, a line each.
pub fn lint(registry: &Registry, validator: &Validator) -> Vec<String> {
    registry.signals.values().flat_map(|row| disagreements(row, validator)).collect()
}

fn disagreements(row: &Signal, validator: &Validator) -> Vec<String> {
    let mut found = Vec::new();
    for profile in row.profile.values().filter(|profile| !validator.knows(profile)) {
        found.push(format!("{}: the profile {profile} is not known", row.code));
    }
    // Ours ask for what only a measurement has, which tests/validator judges.
    let others = row.profile.values().map(String::as_str).filter(|url| !url.starts_with(CANONICAL_BASE));
    let profiles: Vec<&str> = others.filter(|url| validator.knows(url)).collect();
    let name = row.code.to_string();
    for issue in errors(validator, &observation(row), &profiles) {
        found.push(line(&name, &issue));
    }
    // A component is no Observation of its own; what R4 asks of a vital sign's unit holds for it all the same.
    for component in &row.component {
        let alone = json!({ "code": code(&component.loinc), "valueQuantity": quantity(Some(&component.unit)) });
        let is_unit = |issue: &Issue| {
            issue.expression.starts_with("Observation.value.") && matches!(issue.code, Code::Value | Code::CodeInvalid)
        };
        let units = errors(validator, &complete(row, alone), &[]).into_iter().filter(is_unit);
        let name = format!("{name}, {}", component.code);
        found.extend(units.map(|issue| line(&name, &issue)));
    }
    found
}

fn line(row: &str, issue: &Issue) -> String {
    let profile = issue.profile.as_deref().map(|profile| format!(" by {profile}")).unwrap_or_default();
    format!("{row}: {}: {}{profile}", issue.expression, issue.text)
}

fn errors(validator: &Validator, observation: &Value, profiles: &[&str]) -> Vec<Issue> {
    let mut issues = validator.validate(observation.to_string().as_bytes(), profiles);
    issues.retain(|issue| issue.severity == Severity::Error);
    issues
}

/// The least Observation that a row makes.
fn observation(row: &Signal) -> Value {
    let component = |component: &Component| json!({ "code": code(&component.loinc), "valueQuantity": quantity(Some(&component.unit)) });
    let value = match row.kind {
        Kind::Quantity => json!({ "valueQuantity": quantity(row.unit.as_ref()) }),
        Kind::Panel => json!({ "component": row.component.iter().map(component).collect::<Vec<_>>() }),
        Kind::Intervals => {
            json!({ "component": [{ "code": code(&row.loinc), "valueQuantity": quantity(row.unit.as_ref()) }] })
        }
        Kind::Classification => json!({ "valueCodeableConcept": { "text": row.display } }),
        Kind::SampledData => json!({ "valueSampledData": {
            "origin": quantity(row.unit.as_ref()), "period": 4, "dimensions": 1, "data": "0",
        } }),
    };
    let mut alone = value;
    alone["code"] = code(&row.loinc);
    complete(row, alone)
}

/// With what every Observation has.
fn complete(row: &Signal, mut observation: Value) -> Value {
    let (category, display) = row.category.code();
    let system = "http://terminology.hl7.org/CodeSystem/observation-category";
    observation["resourceType"] = json!("Observation");
    observation["status"] = json!("final");
    observation["category"] = json!([{ "coding": [{ "system": system, "code": category, "display": display }] }]);
    observation["subject"] = json!({ "reference": "Patient/p" });
    observation["performer"] = json!([{ "reference": "Organization/o" }]);
    observation["effectiveDateTime"] = json!("2026-01-18T14:32:00Z");
    if observation["code"]["coding"].as_array().is_some_and(Vec::is_empty) {
        let system = format!("{CANONICAL_BASE}/CodeSystem/biosignal");
        observation["code"] = json!({ "coding": [{ "system": system, "code": row.code.to_string() }] });
    }
    observation
}

fn code(loinc: &[LoincCoding]) -> Value {
    let coding =
        |loinc: &LoincCoding| json!({ "system": "http://loinc.org", "code": loinc.code, "display": loinc.display });
    let coding: Vec<Value> = loinc.iter().map(coding).collect();
    if coding.is_empty() { json!({ "text": "own" }) } else { json!({ "coding": coding }) }
}

fn quantity(unit: Option<&Unit>) -> Value {
    let mut quantity = json!({ "value": 1 });
    if let Some(unit) = unit {
        quantity["unit"] = json!(unit.display);
        quantity["system"] = json!("http://unitsofmeasure.org");
        quantity["code"] = json!(unit.code);
    }
    quantity
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(change: impl FnOnce(&mut Registry)) -> Vec<String> {
        let mut registry = Registry::builtin().unwrap();
        let validator = super::super::validator(&registry, None).unwrap();
        change(&mut registry);
        lint(&registry, &validator)
    }

    fn row<'r>(registry: &'r mut Registry, code: &str) -> &'r mut Signal {
        registry.signals.values_mut().find(|row| row.code.to_string() == code).unwrap()
    }

    #[test]
    fn the_rows_built_in_agree() {
        assert_eq!(found(|_| ()), Vec::<String>::new());
    }

    #[test]
    fn a_unit_that_a_code_does_not_have_is_found() {
        let lines = found(|registry| row(registry, "heart-rate").unit.as_mut().unwrap().code = "mm[Hg]".to_owned());
        assert!(lines.iter().any(|line| line.starts_with("heart-rate: Observation.value")), "{lines:?}");
    }

    #[test]
    fn a_code_of_something_else_is_found() {
        // Diastolic pressure under the heart rate's code.
        let lines = found(|registry| {
            let code = row(registry, "heart-rate").loinc.clone();
            row(registry, "blood-pressure").component[1].loinc = code;
        });
        assert!(lines.iter().any(|line| line.starts_with("blood-pressure")), "{lines:?}");
    }
}
