//! Our implementation guide, `ig/`: what in it follows from the registry, and the check that it is up to date.
//! <https://hl7.org/fhir/R4/codesystem.html>, <https://hl7.org/fhir/R4/valueset.html>
//!
//! Profiles, extensions and the small code systems beside it are written by hand. `afferent check` compares, `afferent check
//! --write` writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::canonical::{canonical, code_system};
use super::component::component_code;
use super::narrative::narrative;
use crate::fhir::json::{ParseError, WriteError, parse, to_string_pretty};
use crate::fhir::make::{boolean, element, integer, list, object, one, text};
use crate::fhir::{Element, Primitive, Value, read};
use crate::registry::{Kind, Registry, Signal};

/// A concept of a code system: code, display, definition.
type Concept = (String, String, String);

/// Why the guide could not be generated or compared.
#[derive(Debug, thiserror::Error)]
pub enum IgError {
    /// A generated resource cannot be written.
    #[error("{name}: {source}")]
    Write {
        /// File name.
        name: String,
        /// Why.
        #[source]
        source: WriteError,
    },
    /// A file of the guide is no FHIR resource.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ParseError,
    },
    /// A resource has no id that can be stored.
    #[error("{}: its id is none", .0.display())]
    Identity(PathBuf),
    /// A file or the directory cannot be read or written.
    #[error("{}: cannot be read or written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// What [`check`] found, by file name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Generated files that were up to date.
    pub current: Vec<String>,
    /// Generated files that were missing or differed; written if so asked.
    pub stale: Vec<String>,
    /// Files whose name or canonical URL does not say what they hold.
    pub misnamed: Vec<String>,
}

impl Report {
    /// Whether nothing is to be done.
    pub fn is_clean(&self) -> bool {
        self.stale.is_empty() && self.misnamed.is_empty()
    }
}

/// The files that follow from the registry: file name and indented JSON.
///
/// # Errors
/// A resource cannot be written as R4.
pub fn generate(registry: &Registry) -> Result<Vec<(String, String)>, IgError> {
    let mut resources = terminology("biosignal", "Biosignal", BIOSIGNAL, signals(registry));
    resources.extend(terminology("method", "Method", METHOD, methods(registry)));
    resources.extend(terminology("alert", "Alert", ALERT, alerts(registry)));
    for row in registry.signals.values().filter(|row| row.kind == Kind::Classification) {
        resources.extend(terminology(row.code.as_str(), &row.display, &row.definition, values(row)));
    }
    resources.into_iter().map(|(name, resource)| write(name, &resource)).collect()
}

/// Compares the files in `ig_dir` with the generated ones, writing those that differ when `write` is set, and reads every
/// other file.
///
/// # Errors
/// A file cannot be read, written or parsed.
pub fn check(registry: &Registry, ig_dir: &Path, write: bool) -> Result<Report, IgError> {
    let mut report = Report::default();
    for (name, wanted) in generate(registry)? {
        let path = ig_dir.join(&name);
        if std::fs::read_to_string(&path).is_ok_and(|found| found == wanted) {
            report.current.push(name);
            continue;
        }
        if write {
            std::fs::write(&path, wanted).map_err(|source| IgError::File { path, source })?;
        }
        report.stale.push(name);
    }
    for path in files(ig_dir)? {
        let bytes = std::fs::read(&path).map_err(|source| IgError::File { path: path.clone(), source })?;
        let resource = parse(&bytes).map_err(|source| IgError::Parse { path: path.clone(), source })?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !well_named(&name, &resource) {
            report.misnamed.push(name);
        }
    }
    Ok(report)
}

const BIOSIGNAL: &str =
    "What is measured, sampled or derived: one code for each row of the signal registry and each component of a panel.";
const METHOD: &str = "Algorithms by id and version: how a derived value was computed.";

const ALERT: &str = "What calls for attention: one code for each rule that raises a Flag.";

fn alerts(registry: &Registry) -> Vec<Concept> {
    let rules = registry.alerts.values();
    rules.map(|rule| (rule.id.clone(), rule.display.clone(), rule.definition.clone())).collect()
}

fn signals(registry: &Registry) -> Vec<Concept> {
    let mut concepts = BTreeMap::new();
    for row in registry.signals.values() {
        concepts.insert(row.code.to_string(), (row.display.clone(), row.definition.clone()));
        for component in &row.component {
            concepts.insert(component_code(row, component), (component.display.clone(), component.definition.clone()));
        }
    }
    concepts.into_iter().map(|(code, (display, definition))| (code, display, definition)).collect()
}

fn methods(registry: &Registry) -> Vec<Concept> {
    registry.algorithms.values().map(|a| (a.method_code(), a.display.clone(), a.definition.clone())).collect()
}

fn values(row: &Signal) -> Vec<Concept> {
    row.value.iter().map(|v| (v.code.clone(), v.display.clone(), v.definition.clone())).collect()
}

/// The CodeSystem of these concepts and the ValueSet of all of them.
fn terminology(id: &str, title: &str, description: &str, concepts: Vec<Concept>) -> Vec<(String, Element)> {
    let url = code_system(id);
    let mut system = head("CodeSystem", id, title, description);
    system.extend(element([
        ("caseSensitive", boolean(true)),
        ("valueSet", text(canonical("ValueSet", id))),
        ("content", text("complete")),
        ("count", i32::try_from(concepts.len()).ok().and_then(integer)),
        ("concept", list(concepts.into_iter().map(concept).collect())),
    ]));
    let mut set = head("ValueSet", id, title, description);
    set.extend(element([("compose", object([("include", one(element([("system", text(url))])))]))]));
    vec![(format!("CodeSystem-{id}.json"), system), (format!("ValueSet-{id}.json"), set)]
}

fn concept((code, display, definition): Concept) -> Element {
    element([("code", text(code)), ("display", text(display)), ("definition", text(definition))])
}

/// What every canonical resource of ours starts with.
fn head(kind: &str, id: &str, title: &str, description: &str) -> Element {
    element([
        ("resourceType", Some(Value::Primitive(Primitive::String(kind.to_owned())))),
        ("id", text(id)),
        ("text", narrative(description)),
        ("url", text(canonical(kind, id))),
        ("version", text(env!("CARGO_PKG_VERSION"))),
        ("name", text(pascal_case(id))),
        ("title", text(title)),
        ("status", text("active")),
        ("experimental", boolean(false)),
        ("publisher", text("Afferent")),
        ("description", text(description)),
    ])
}

/// `hrv-autonomic-state` to `HrvAutonomicState`.
fn pascal_case(id: &str) -> String {
    id.split('-')
        .flat_map(|word| {
            let mut chars = word.chars();
            chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars)
        })
        .collect()
}

fn write(name: String, resource: &Element) -> Result<(String, String), IgError> {
    match to_string_pretty(resource) {
        Ok(json) => Ok((name, json + "\n")),
        Err(source) => Err(IgError::Write { name, source }),
    }
}

fn files(ig_dir: &Path) -> Result<Vec<PathBuf>, IgError> {
    let error = |source| IgError::File { path: ig_dir.to_owned(), source };
    let entries = std::fs::read_dir(ig_dir).map_err(error)?;
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
    paths.sort();
    Ok(paths)
}

/// `{kind}-{id}.json` with the canonical `{base}/{kind}/{id}`.
fn well_named(name: &str, resource: &Element) -> bool {
    let kind = read::resource_type(resource).unwrap_or_default();
    let id = read::string(resource, "id").unwrap_or_default();
    name == format!("{kind}-{id}.json") && read::string(resource, "url") == Some(&canonical(kind, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_guide_follows_the_registry() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("ig");
        let report = check(&Registry::builtin().unwrap(), &directory, false).unwrap();
        assert!(report.is_clean(), "run `afferent check --write`: {report:?}");
    }

    #[test]
    fn writing_once_is_enough() {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::builtin().unwrap();
        assert!(!check(&registry, directory.path(), true).unwrap().is_clean());
        assert!(check(&registry, directory.path(), false).unwrap().is_clean());
    }
}
