//! Judging a resource.
//!
//! First its shape ([`instance::build`]), then all that R4 says of its elements (`base`), then
//! what each profile adds (`profile`), which resources claim in `meta.profile` or the caller asks for.

mod base;
mod binding;
mod bundle;
mod extension;
mod profile;
mod reference;
mod run;
mod slicing;
mod terminology;
mod url;
mod value;
mod vital;

use std::collections::HashMap;

use crate::fhirpath::{self, Expression};
use crate::instance::{self, TypeIndex};
use crate::issue::{Code, Issue, Severity};
use crate::json::Json;
use crate::table::{Context, Profile, Rule, Tables, Test};
use run::Run;

/// Why tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// They were not written by this version.
    #[error("the profile tables cannot be read")]
    Tables(#[from] postcard::Error),
    /// They are not compressed as expected.
    #[error("the profile tables cannot be unpacked")]
    Unpack(#[from] std::io::Error),
    /// An expression in them is not supported.
    #[error("the tables have an expression that is not supported: {expression}")]
    Expression {
        /// The expression.
        expression: String,
        /// Why not.
        #[source]
        source: fhirpath::Error,
    },
}

/// Judges resources by tables.
pub struct Validator {
    tables: Tables,
    index: TypeIndex,
    /// Invariants, as the tables number them.
    invariants: Vec<Expression>,
    /// Discriminators and contexts by their text.
    paths: HashMap<String, Expression>,
}

impl std::fmt::Debug for Validator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Validator").field("packages", &self.tables.packages).finish_non_exhaustive()
    }
}

impl Validator {
    /// A validator with tables.
    pub fn new(tables: Tables) -> Result<Self, Error> {
        let parse = |text: &str| {
            fhirpath::parse(text).map_err(|source| Error::Expression { expression: text.to_owned(), source })
        };
        let invariants: Result<_, _> = tables.constraints.iter().map(|known| parse(&known.expression)).collect();
        let mut texts = Vec::new();
        for profile in tables.profiles.values() {
            discriminators(&profile.rule, &mut texts);
            texts.extend(profile.context_invariants.iter().map(String::as_str));
            texts.extend(profile.contexts.iter().filter_map(|context| match context {
                Context::Path(path) => Some(path.as_str()),
                _ => None,
            }));
        }
        // What a definition says of where it may be can be wrong itself: that is no reason to refuse all others.
        let paths = texts.into_iter().filter_map(|text| parse(text).ok().map(|path| (text.to_owned(), path)));
        let paths = paths.collect();
        let index = tables.types.iter().enumerate().map(|(id, kind)| (kind.name.clone(), id as u16)).collect();
        Ok(Self { invariants: invariants?, paths, index, tables })
    }

    /// A validator with packed tables.
    pub fn unpack(packed: &[u8]) -> Result<Self, Error> {
        Self::new(Tables::unpack(packed)?)
    }

    /// The tables.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Whether a profile is known.
    pub fn knows(&self, profile: &str) -> bool {
        self.profile(profile).is_some() || self.index.contains_key(short(profile))
    }

    fn profile(&self, url: &str) -> Option<&Profile> {
        self.tables.profiles.get(short(url))
    }

    /// Judges a resource by R4, by the profiles that it claims and by those given; what is worst comes first.
    pub fn validate(&self, text: &[u8], profiles: &[&str]) -> Vec<Issue> {
        let fatal = |text: String| {
            let (severity, code) = (Severity::Error, Code::Structure);
            vec![Issue { severity, code, text, expression: String::new(), constraint: None, profile: None }]
        };
        let json = match Json::parse(text) {
            Ok(json) => json,
            Err(error) => return fatal(format!("no JSON: {error}")),
        };
        let (instance, faults) = match instance::build(&self.tables, &self.index, &json) {
            Ok(built) => built,
            Err(text) => return fatal(text),
        };
        let run = Run::new(self, &instance);
        let mut issues = run.resource(profiles, &faults);
        issues.sort_by_key(|issue| issue.severity);
        issues
    }
}

fn discriminators<'t>(rule: &'t Rule, texts: &mut Vec<&'t str>) {
    for (_, child) in &rule.children {
        discriminators(child, texts);
    }
    for slice in rule.slicing.iter().flat_map(|slicing| &slicing.slices) {
        discriminators(&slice.rule, texts);
        texts.extend(slice.tests.iter().map(|test| match test {
            Test::Value(path, _)
            | Test::Member(path, _)
            | Test::Exists(path, _)
            | Test::Type(path, _)
            | Test::Profile(path, _) => path.as_str(),
        }));
    }
}

/// The name by which tables know a profile: without its version, R4's own by their last part.
fn short(url: &str) -> &str {
    let url = url.split('|').next().unwrap_or(url);
    url.strip_prefix("http://hl7.org/fhir/StructureDefinition/").unwrap_or(url)
}
