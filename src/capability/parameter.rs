//! Search parameters as the table has them.

use serde::Deserialize;

use super::Path;
use crate::fhir::{Element, Value};

/// A search parameter.
///
/// It either looks at elements (`path`), or stands for what other parameters of its type find: any of them (`union`), or
/// the values of all of them in the same place (`components`, a composite).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name in a URL.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Element paths it looks at.
    #[serde(default)]
    pub path: Vec<Path>,
    /// The repeating element the paths start from, such as `component`: values of one repetition belong together.
    pub part: Option<String>,
    /// The parameters any of which may hold.
    #[serde(default)]
    pub union: Vec<String>,
    /// The parameters a composite joins.
    #[serde(default)]
    pub components: Vec<String>,
    /// Canonical URL of its SearchParameter.
    pub definition: String,
    /// The column it has to itself; otherwise its values are rows of their own.
    pub column: Option<Column>,
    /// Resource types a reference may lead to.
    #[serde(default)]
    pub target: Vec<String>,
    /// Whether one value picks out a handful of resources, however many there are. Values of other tokens, URIs and references
    /// should be shared by many resources about the same subject: they are kept once for all that share all of them.
    #[serde(default)]
    pub selective: bool,
    /// Whether the texts of a token can be searched (`:text`).
    #[serde(default)]
    pub text: bool,
}

/// Type of a search parameter. <https://hl7.org/fhir/R4/search.html#ptypes>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ParameterType {
    /// A coded value, an identifier or a boolean.
    Token,
    /// A reference to a resource.
    Reference,
    /// A point or span of time.
    Date,
    /// Text, found by its beginning whatever its case and accents.
    String,
    /// A URI, compared whole.
    Uri,
    /// A number with a unit.
    Quantity,
    /// Values of several parameters in the same place.
    Composite,
}

impl ParameterType {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Date => "date",
            Self::String => "string",
            Self::Uri => "uri",
            Self::Quantity => "quantity",
            Self::Composite => "composite",
        }
    }
}

/// A column of its own in every resource table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// Logical id.
    Id,
    /// `meta.lastUpdated`.
    Updated,
    /// Who it is about.
    Subject,
    /// When it is about.
    Date,
}

impl Parameter {
    /// What it looks at in a resource: the elements, each with the number of the repetition of `part` it is in, from 1; 0
    /// where there is no `part`.
    pub fn elements<'a>(&self, resource: &'a Element) -> Vec<(i64, &'a Element)> {
        let Some(part) = &self.part else {
            return self.path.iter().flat_map(|path| path.elements(resource)).map(|e| (0, e)).collect();
        };
        let parts = match resource.get(part) {
            Some(Value::Sequence(parts)) => parts.as_slice(),
            _ => &[],
        };
        let of_part = |(number, part): (i64, &'a Element)| {
            self.path.iter().flat_map(|path| path.elements(part)).map(|e| (number, e)).collect::<Vec<_>>()
        };
        (1..).zip(parts).flat_map(of_part).collect()
    }

    /// Whether a reference to `reference` counts: `Patient/x` where it may lead to a Patient, and whatever has no type.
    pub fn leads_to(&self, reference: &str) -> bool {
        reference
            .split_once('/')
            .is_none_or(|(kind, _)| !kind.starts_with(char::is_uppercase) || self.target.iter().any(|t| t == kind))
    }

    /// Whether each resource's values are kept for itself, and not once for all that share them.
    pub fn is_own(&self) -> bool {
        self.selective && self.part.is_none()
    }

    /// Whether it is about identifiers.
    pub fn is_identifier(&self) -> bool {
        self.kind == ParameterType::Token && self.name == "identifier"
    }
}
