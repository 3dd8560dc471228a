//! What the FHIR API can do, as data: resource types, interactions and search parameters. <https://hl7.org/fhir/R4/http.html>
//!
//! The rows of `capability/*.toml` are compiled into the binary. Router, CapabilityStatement, search parsing and the
//! store's search columns all derive from them, so that what is listed, what is indexed and what works are the same. A
//! search parameter's order in its file is its rank: from the one that narrows most to the one that narrows least.

mod conformance;
mod operation;
mod parameter;
mod path;
mod topic;

use std::collections::BTreeMap;
use std::path::PathBuf;

use include_dir::{Dir, include_dir};
use serde::Deserialize;

pub use conformance::Conformance;
pub use operation::{Level, Operation};
pub use parameter::{Column, Parameter, ParameterType};
pub use path::{InvalidPath, Path};
pub use topic::{Mark, Topic};

/// The newest `format_version` this code reads.
const FORMAT_VERSION: u32 = 1;

/// The file whose parameters every searchable type has, and whose interactions are those of the whole system.
const COMMON: &str = "Resource";

/// As many as there are bits for which of them a resource has values of, the common ones left out.
const MOST_PARAMETERS: usize = 56;

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/capability");

/// Every resource type the server knows.
#[derive(Debug, Clone, Default)]
pub struct Capability {
    resources: BTreeMap<String, ResourceRow>,
    /// Interactions on the whole system.
    pub system: Vec<Interaction>,
    topics: BTreeMap<String, Topic>,
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
    /// Whether there are so many that no search may go through all of them.
    #[serde(default)]
    pub many: bool,
    /// The token parameter whose first code tells one series of them from another, where they come in series.
    pub series: Option<String>,
    /// The elements every resource of the type has, choices as `value[x]`.
    #[serde(default)]
    pub mandatory: Vec<String>,
    /// Paths of the elements of a summary, choices as `value[x]`.
    #[serde(default)]
    pub summary: Vec<String>,
    /// Operations on the type and its instances.
    #[serde(default, rename = "operation")]
    pub operations: Vec<Operation>,
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
    /// All versions of all resources of the type.
    HistoryType,
    /// Search in one type.
    SearchType,
    /// Search over several types.
    SearchSystem,
    /// All versions of all resources.
    HistorySystem,
    /// Several interactions, each by itself.
    Batch,
    /// Several interactions, all or none.
    Transaction,
    /// A new resource; also under a condition.
    Create,
    /// A new version, or a new resource with an id of the client's; also under a condition.
    Update,
    /// A new version by what is to change in the current one; also under a condition.
    Patch,
    /// No more current version; also under a condition.
    Delete,
}

impl Interaction {
    /// The code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Vread => "vread",
            Self::HistoryInstance => "history-instance",
            Self::HistoryType => "history-type",
            Self::SearchType => "search-type",
            Self::SearchSystem => "search-system",
            Self::HistorySystem => "history-system",
            Self::Batch => "batch",
            Self::Transaction => "transaction",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
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
        let common = capability.resources.remove(COMMON);
        let (common, system) = common.map(|row| (row.parameters, row.interactions)).unwrap_or_default();
        capability.system = system;
        for row in capability.resources.values_mut() {
            if row.interactions.contains(&Interaction::SearchType) {
                row.parameters
                    .extend(common.iter().filter(|p| row.source == Source::Store || p.name == "_id").cloned());
            }
        }
        for file in BUILTIN.get_dir("topics").into_iter().flat_map(Dir::files) {
            let topic: Topic = toml::from_str(file.contents_utf8().unwrap_or_default())
                .map_err(|e| CapabilityError::Parse { path: file.path().to_owned(), source: Box::new(e) })?;
            capability.check_topic(&topic)?;
            capability.topics.insert(topic.id.clone(), topic);
        }
        Ok(capability)
    }

    /// The topic of this id.
    pub fn topic(&self, id: &str) -> Option<&Topic> {
        self.topics.get(id)
    }

    /// Every topic, by id.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        self.topics.values()
    }

    /// Whether a topic is about a type that is there, by parameters it has.
    fn check_topic(&self, topic: &Topic) -> Result<(), CapabilityError> {
        let refuse =
            |problem: String| Err(CapabilityError::Inconsistent { row: format!("topics/{}", topic.id), problem });
        if topic.format_version != FORMAT_VERSION {
            return refuse(format!("format_version {} is not {FORMAT_VERSION}", topic.format_version));
        }
        let Some(row) = self.resource(&topic.resource) else {
            return refuse(format!("{} is not listed", topic.resource));
        };
        match topic.filters.iter().find(|name| row.parameter(name).is_none()) {
            Some(name) => refuse(format!("filter {name} is no search parameter of {}", topic.resource)),
            None => Ok(()),
        }
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
    /// The parameters `parameter` stands for: those of its union, or itself.
    pub fn members<'a>(&'a self, parameter: &'a Parameter) -> Vec<&'a Parameter> {
        if parameter.union.is_empty() {
            return vec![parameter];
        }
        parameter.union.iter().filter_map(|name| self.parameter(name)).collect()
    }

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
    if let Some(operation) = row.operations.iter().find(|o| o.on.is_empty()) {
        return refuse(format!("operation {}: on: is empty", operation.name));
    }
    if row.parameters.len() > MOST_PARAMETERS {
        return refuse(format!("more than {MOST_PARAMETERS} parameters"));
    }
    for (i, p) in row.parameters.iter().enumerate() {
        if row.parameters.iter().take(i).any(|earlier| earlier.name == p.name) {
            return refuse(format!("parameter {} is listed twice", p.name));
        }
        let fits = match p.column {
            None => true,
            Some(Column::Id) => p.kind == ParameterType::Token,
            Some(Column::Updated | Column::Date) => p.kind == ParameterType::Date,
            Some(Column::Subject) => p.kind == ParameterType::Reference,
        };
        if !fits || (p.column.is_some() && p.part.is_some()) {
            return refuse(format!("parameter {}: column does not fit type {}", p.name, p.kind.code()));
        }
        if (p.kind == ParameterType::Reference) == p.target.is_empty() {
            return refuse(format!("parameter {}: target and type do not fit", p.name));
        }
        if let Err(problem) = check_source(row, p) {
            return refuse(format!("parameter {}: {problem}", p.name));
        }
    }
    Ok(())
}

/// Whether a parameter says in one way what it finds, and what it refers to is there.
fn check_source(row: &ResourceRow, p: &Parameter) -> Result<(), &'static str> {
    let others: Vec<&Parameter> = p.union.iter().chain(&p.components).filter_map(|name| row.parameter(name)).collect();
    if others.len() != p.union.len() + p.components.len() {
        return Err("union or components name a parameter that is not listed");
    }
    match (p.path.is_empty(), p.union.is_empty(), p.components.is_empty()) {
        (false, true, true) if p.kind != ParameterType::Composite => Ok(()),
        (true, false, true) if others.iter().all(|o| o.kind == p.kind && o.column.is_none() && o.union.is_empty()) => {
            Ok(())
        }
        (true, true, false) if p.kind == ParameterType::Composite => match others.as_slice() {
            [a, b] if a.part == b.part && a.column.is_none() && !a.path.is_empty() && !b.path.is_empty() => Ok(()),
            _ => Err("a composite joins two parameters that look at the same part"),
        },
        _ => Err("needs either a path, or a union of parameters of its type, or the components of a composite"),
    }
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
        assert!(capability.system.contains(&Interaction::SearchSystem));
    }

    /// The SearchParameter of one of our own is among the definitions we serve, which are those of `ig/`.
    #[test]
    fn every_parameter_is_defined_by_hl7_or_in_our_guide() {
        let ig = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ig");
        for row in Capability::builtin().unwrap().resources() {
            for p in &row.parameters {
                let own = p.definition.strip_prefix("https://afferent.dev/fhir/SearchParameter/");
                let is_ours = own.is_some_and(|id| ig.join(format!("SearchParameter-{id}.json")).is_file());
                let is_defined = p.definition.starts_with("http://hl7.org/fhir/") || is_ours;
                assert!(is_defined, "{}: {}", row.resource, p.definition);
            }
        }
    }
}
