//! Operations of a resource type. <https://hl7.org/fhir/R4/operations.html>

use serde::Deserialize;

/// An operation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its name, without the `$`.
    pub name: String,
    /// Canonical URL of its OperationDefinition.
    pub definition: String,
    /// What it is invoked on.
    pub on: Vec<Level>,
    /// Names of the parameters it takes.
    #[serde(default)]
    pub parameters: Vec<String>,
}

/// What an operation is invoked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// A resource type: `[base]/Observation/$lastn`.
    Type,
    /// A resource: `[base]/Patient/1/$everything`.
    Instance,
}
