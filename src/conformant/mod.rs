//! The validator with what this server knows: R4, the profiles compiled into `ig/tables`, and our own guide.

mod row;

pub use row::lint;

use std::path::Path;

pub use afferent_conformance::issue::{Code, outcome};
pub use afferent_conformance::{Issue, Severity, Validator, check, compile, table};
use compile::{Package, Resource};
use table::Tables;

use crate::capability::Conformance;
use crate::projection;
use crate::registry::Registry;

/// Why there is no validator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of tables could not be read.
    #[error("tables of profiles cannot be read")]
    Read(#[from] std::io::Error),
    /// Tables are not what they should be.
    #[error("tables of profiles cannot be used")]
    Tables(#[from] check::Error),
    /// A definition of ours is no FHIR resource.
    #[error("the implementation guide cannot be read")]
    Guide(#[from] projection::ig::IgError),
}

/// A validator for what a registry makes, by the tables built in or by those of a file.
///
/// # Errors
/// The file or a definition of ours cannot be read.
pub fn validator(registry: &Registry, tables: Option<&Path>) -> Result<Validator, Error> {
    of(&projection::served(registry)?, tables)
}

/// A validator that knows definitions of ours too.
///
/// # Errors
/// The file cannot be read.
pub fn of(definitions: &[Conformance], tables: Option<&Path>) -> Result<Validator, Error> {
    let mut known = match tables {
        Some(path) => Tables::unpack(&std::fs::read(path)?)?,
        None => Tables::unpack(projection::tables())?,
    };
    // A test sees to it that nothing of ours is left out.
    compile::compile(&mut known, &[guide(definitions)]);
    Ok(Validator::new(known)?)
}

/// Definitions of ours as a package.
fn guide(definitions: &[Conformance]) -> Package {
    let resource = |definition: &Conformance| Resource {
        name: format!("{}-{}.json", definition.kind, definition.id),
        kind: definition.kind.clone(),
        json: definition.json.clone(),
    };
    Package { name: "ig".to_owned(), resources: definitions.iter().map(resource).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(text: &str) -> Vec<String> {
        let validator = validator(&Registry::builtin().unwrap(), None).unwrap();
        let issues = validator.validate(text.as_bytes(), &[]);
        issues.into_iter().filter(|issue| issue.severity == Severity::Error).map(|issue| issue.expression).collect()
    }

    #[test]
    fn our_guide_is_understood_whole() {
        let mut tables = Tables::unpack(projection::tables()).unwrap();
        let own = projection::served(&Registry::builtin().unwrap()).unwrap();
        assert_eq!(compile::compile(&mut tables, &[guide(&own)]), Vec::<String>::new());
        assert!(tables.profiles.contains_key("https://afferent.dev/fhir/StructureDefinition/heart-rate-variability"));
    }

    /// tests/validator/run judges the same with the official validator.
    #[test]
    fn every_type_of_the_api_has_an_example_that_is_valid() {
        let registry = Registry::builtin().unwrap();
        let own = projection::served(&registry).unwrap();
        let mut all: Vec<(String, Vec<u8>)> = own.iter().map(|one| (one.kind.clone(), one.json.clone())).collect();
        for example in projection::examples().unwrap() {
            all.push((example.kind, crate::fhir::json::to_vec(&example.element).unwrap()));
        }
        let validator = of(&own, None).unwrap();
        for (kind, text) in &all {
            let mut issues = validator.validate(text, &[]);
            issues.retain(|issue| issue.severity == Severity::Error);
            assert_eq!(issues, [], "{kind}");
        }
        let capability = crate::capability::Capability::builtin().unwrap();
        let has = |kind: &str| all.iter().any(|(known, _)| known == kind);
        let without: Vec<&str> =
            capability.resources().map(|row| row.resource.as_str()).filter(|kind| !has(kind)).collect();
        assert_eq!(without, Vec::<&str>::new());
    }

    #[test]
    fn a_number_with_a_point_is_a_decimal() {
        let observation = r#"{ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "valueQuantity": { "value": 0.93 } }"#;
        assert_eq!(errors(observation), Vec::<String>::new());
    }

    #[test]
    fn a_unit_that_is_none_is_found_where_it_is() {
        let observation = r#"{ "resourceType": "Observation", "status": "final", "code": { "text": "x" },
            "valueQuantity": { "value": 1, "system": "http://unitsofmeasure.org", "code": "bpm" } }"#;
        assert_eq!(errors(observation), ["Observation.value.ofType(Quantity)"]);
    }
}
