//! Validates FHIR R4 resources against profiles that were compiled to tables beforehand.
//!
//! [`compile`] reads FHIR packages and writes [`table::Tables`]; a [`Validator`] reads those and judges resources.

pub mod json;
pub mod table;
pub mod instance;
pub mod narrative;
pub mod fhirpath;
pub mod primitive;
pub mod compile;
pub mod issue;
pub mod check;
#[cfg(test)]
mod tests;

pub use check::Validator;
pub use issue::{Issue, Severity};
