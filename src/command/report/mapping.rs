//! `afferent report mapping`: what each signal becomes.

use super::sheet::Sheet;
use crate::id::SignalCode;
use crate::projection::profile;
use crate::registry::{CANONICAL_BASE, InputUnit, Kind, LoincCoding, Registry, Signal, Unit};

const HEADER: [&str; 10] = [
    "Signal",
    "Name",
    "Resource",
    "Element",
    "Category",
    "Codes",
    "Unit or values",
    "Units taken in",
    "Profile",
    "From",
];

/// Every signal, with the parts of those that have some.
pub(super) fn sheets(registry: &Registry) -> Vec<Sheet> {
    let rows = registry.signals.values().flat_map(|row| lines(registry, row)).collect();
    vec![Sheet { title: "Signals".to_owned(), header: HEADER.to_vec(), rows }]
}

fn lines(registry: &Registry, row: &Signal) -> Vec<Vec<String>> {
    let (category, _) = row.category.code();
    let values: Vec<&str> = row.value.iter().map(|value| value.code.as_str()).collect();
    let line = |name: String, display: &str, element: &str, codes: String, unit: String, taken: String| {
        let (category, profiles) = (category.to_owned(), profiles(row));
        let observation = "Observation".to_owned();
        vec![
            name,
            display.to_owned(),
            observation,
            element.to_owned(),
            category,
            codes,
            unit,
            taken,
            profiles,
            from(registry, row),
        ]
    };
    let codes_of_row = codes(&row.loinc, row.code.as_str(), row.mdc.as_ref());
    let unit = if values.is_empty() { self::unit(row.unit.as_ref()) } else { values.join("; ") };
    let whole = line(row.code.to_string(), &row.display, element(row.kind), codes_of_row, unit, taken(&row.input_unit));
    let parts = row.component.iter().map(|part| {
        let own = format!("{}-{}", row.code, part.code);
        let codes = codes(&part.loinc, &own, part.mdc.as_ref());
        let name = format!("{} / {}", row.code, part.code);
        let unit = self::unit(Some(&part.unit));
        line(name, &part.display, "component.valueQuantity", codes, unit, taken(&part.input_unit))
    });
    std::iter::once(whole).chain(parts).collect()
}

/// Where in an Observation the value is.
fn element(kind: Kind) -> &'static str {
    match kind {
        Kind::Quantity => "valueQuantity",
        Kind::Panel => "component",
        Kind::Classification => "valueCodeableConcept",
        Kind::Intervals => "component.valueQuantity, one an interval",
        Kind::SampledData => "valueSampledData",
    }
}

fn codes(loinc: &[LoincCoding], own: &str, mdc: Option<&(u32, String)>) -> String {
    let mut all: Vec<String> = loinc.iter().map(|l| format!("LOINC {} {}", l.code, l.display)).collect();
    all.push(format!("{CANONICAL_BASE}/CodeSystem/biosignal {own}"));
    all.extend(mdc.map(|(code, name)| format!("IEEE 11073 {code} {name}")));
    all.join("; ")
}

fn unit(unit: Option<&Unit>) -> String {
    unit.map_or_else(String::new, |unit| unit.code.clone())
}

fn taken(units: &[InputUnit]) -> String {
    units.iter().map(|unit| unit.code.as_str()).collect::<Vec<_>>().join("; ")
}

/// What its Observations claim, and what the row names for other targets.
fn profiles(row: &Signal) -> String {
    let claimed = profile(row);
    let others = row.profile.iter().filter(|(_, url)| **url != claimed).map(|(target, url)| format!("{target}: {url}"));
    std::iter::once(claimed.clone()).chain(others).collect::<Vec<_>>().join("; ")
}

/// Who gives it: algorithms, or devices as they measured it.
fn from(registry: &Registry, row: &Signal) -> String {
    let by = registry.algorithms.values().filter(|algorithm| algorithm.outputs.contains(&row.code));
    let by: Vec<String> = by
        .map(|algorithm| {
            let inputs: Vec<&str> = algorithm.inputs().map(SignalCode::as_str).collect();
            format!("{} {} of {}", algorithm.id, algorithm.version, inputs.join(", "))
        })
        .collect();
    if by.is_empty() { "devices".to_owned() } else { by.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_is_in_it_with_what_its_observations_have() {
        let registry = Registry::builtin().unwrap();
        let sheet = sheets(&registry).remove(0);
        let names: Vec<&str> = sheet.rows.iter().map(|row| row[0].as_str()).collect();
        for row in registry.signals.values() {
            assert!(names.contains(&row.code.as_str()), "{}", row.code);
        }
        assert!(names.contains(&"blood-pressure / systolic"), "{names:?}");
        assert!(sheet.rows.iter().all(|row| row.len() == HEADER.len() && !row[8].is_empty()));
        let rate = sheet.rows.iter().find(|row| row[0] == "heart-rate").unwrap();
        assert_eq!((rate[3].as_str(), rate[6].as_str()), ("valueQuantity", "/min"));
        assert!(rate[5].starts_with("LOINC 8867-4 Heart rate; ") && rate[8].contains("us-core-heart-rate"), "{rate:?}");
    }
}
