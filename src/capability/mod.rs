//! What the FHIR API can do, as data: resource types, interactions and search parameters. <https://hl7.org/fhir/R4/http.html>
//!
//! The rows of `capability/*.toml` are compiled into the binary. Router, CapabilityStatement, search parsing and the
//! store's search columns all derive from them, so that what is listed, what is indexed and what works are the same. A
//! search parameter's order in its file is its rank: from the one that narrows most to the one that narrows least.

mod conformance;

use std::collections::BTreeMap;
use std::path::PathBuf;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

pub use conformance::Conformance;

/// The newest `format_version` this code reads.
const FORMAT_VERSION: u32 = 1;

/// The file whose parameters every searchable type has.
const COMMON: &str = "Resource";

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/capability");

/// Every resource type the server knows.
#[derive(Debug, Clone, Default)]
pub struct Capability {
    resources: BTreeMap<String, ResourceRow>,
}

/// One file of `capability/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceRow {
    format_version: u32,
    /// `resourceType`.
    pub resource: String,
    /// Interactions on the type and its instances.
    #[serde(default)]
    pub interactions: Vec<Interaction>,
    /// Where its resources are.
    #[serde(default)]
    pub source: Source,
    /// Canonical URLs of the profiles its resources may claim.
    #[serde(default)]
    pub profiles: Vec<String>,
    /// A note for the CapabilityStatement.
    pub documentation: Option<String>,
    /// Search parameters, the most selective first; the common ones last.
    #[serde(default, rename = "parameter")]
    pub parameters: Vec<Parameter>,
}

/// A FHIR interaction on a type or an instance. <https://hl7.org/fhir/R4/valueset-type-restful-interaction.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Interaction {
    /// Current version by id.
    Read,
    /// One version by id.
    Vread,
    /// All versions of one resource.
    HistoryInstance,
    /// Search in one type.
    SearchType,
}

impl Interaction {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::HistoryInstance => "history-instance",
            Self::SearchType => "search-type",
        }
    }
}

/// Where the resources of a type are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// In the tenant's store.
    #[default]
    Store,
    /// Generated from the registry, the same for every tenant.
    Conformance,
}

/// A search parameter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// Its name in a URL.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ParameterType,
    /// Element paths it looks at, names joined by dots, choice types spelled out.
    pub path: Vec<String>,
    /// Canonical URL of its SearchParameter.
    pub definition: String,
    /// The column it has to itself; otherwise its values are terms.
    pub column: Option<Column>,
    /// Resource types a reference may lead to.
    #[serde(default)]
    pub target: Vec<String>,
    /// Whether one value picks out a handful of resources, however many there are.
    #[serde(default)]
    pub selective: bool,
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
    /// A URI, compared whole.
    Uri,
}

impl ParameterType {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Reference => "reference",
            Self::Date => "date",
            Self::Uri => "uri",
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

/// A row that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CapabilityError {
    /// The file is not a row.
    #[error("capability/{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and field.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The row contradicts itself or another row.
    #[error("capability row {row}: {problem}")]
    Inconsistent {
        /// Its `resource`.
        row: String,
        /// Field and reason.
        problem: String,
    },
}

impl Capability {
    /// The rows compiled into this binary.
    ///
    /// # Errors
    /// A row is malformed or inconsistent; a test keeps that from being released.
    pub fn builtin() -> Result<Self, CapabilityError> {
        let mut capability = Self::default();
        for file in BUILTIN.files().filter(|f| f.path().extension().is_some_and(|e| e == "toml")) {
            let row: ResourceRow = toml::from_str(file.contents_utf8().unwrap_or_default())
                .map_err(|e| CapabilityError::Parse { path: file.path().to_owned(), source: Box::new(e) })?;
            check(&row)?;
            capability.resources.insert(row.resource.clone(), row);
        }
        let common = capability.resources.remove(COMMON).map(|row| row.parameters).unwrap_or_default();
        for row in capability.resources.values_mut() {
            if row.interactions.contains(&Interaction::SearchType) {
                row.parameters
                    .extend(common.iter().filter(|p| row.source == Source::Store || p.name == "_id").cloned());
            }
        }
        Ok(capability)
    }

    /// The row of a resource type.
    pub fn resource(&self, kind: &str) -> Option<&ResourceRow> {
        self.resources.get(kind)
    }

    /// Every row, by name.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceRow> {
        self.resources.values()
    }

    /// The references to `kind`: every (type, parameter) that `_revinclude` can follow to it.
    pub fn references_to<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a ResourceRow, &'a Parameter)> {
        self.resources().flat_map(move |row| {
            row.references().filter(move |p| p.target.iter().any(|t| t == kind)).map(move |p| (row, p))
        })
    }
}

impl ResourceRow {
    /// The search parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The parameter that has `column` to itself.
    pub fn by_column(&self, column: Column) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.column == Some(column))
    }

    /// The reference parameters: what `_include` can follow.
    pub fn references(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.iter().filter(|p| p.kind == ParameterType::Reference)
    }

    /// Whether `interaction` is listed.
    pub fn supports(&self, interaction: Interaction) -> bool {
        self.interactions.contains(&interaction)
    }
}

fn check(row: &ResourceRow) -> Result<(), CapabilityError> {
    let refuse = |problem: String| Err(CapabilityError::Inconsistent { row: row.resource.clone(), problem });
    if row.format_version != FORMAT_VERSION {
        return refuse(format!("format_version {} is not {FORMAT_VERSION}", row.format_version));
    }
    for (i, p) in row.parameters.iter().enumerate() {
        if row.parameters.iter().take(i).any(|earlier| earlier.name == p.name) {
            return refuse(format!("parameter {} is listed twice", p.name));
        }
        let fits = match p.column {
            None => p.kind != ParameterType::Date,
            Some(Column::Id) => p.kind == ParameterType::Token,
            Some(Column::Updated | Column::Date) => p.kind == ParameterType::Date,
            Some(Column::Subject) => p.kind == ParameterType::Reference,
        };
        if !fits {
            return refuse(format!("parameter {}: column does not fit type {}", p.name, p.kind.code()));
        }
        if p.path.is_empty() || (p.kind == ParameterType::Reference) == p.target.is_empty() {
            return refuse(format!("parameter {}: path missing, or target and type do not fit", p.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_rows_are_consistent() {
        let capability = Capability::builtin().unwrap();
        let observation = capability.resource("Observation").unwrap();
        assert_eq!(observation.parameter("date").unwrap().column, Some(Column::Date));
        assert!(observation.parameter("_lastUpdated").is_some());
        assert!(
            capability.references_to("Observation").any(|(row, p)| row.resource == "Provenance" && p.name == "target")
        );
        assert!(capability.resource(COMMON).is_none());
    }
}
