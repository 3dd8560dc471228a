//! Parameters of a search among our own definitions: `url` and `_id`.

use super::{Pairs, bounded, count, ignored, is_about_form};
use crate::capability::{Column, Conformance, ParameterType, ResourceRow};
use crate::fhir::outcome::Issue;
use crate::rest::error::Error;

/// Which definitions to answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct DefinitionParameters {
    urls: Vec<Vec<String>>,
    ids: Vec<Vec<String>>,
    /// Whether only their number was asked for.
    pub(crate) count_only: bool,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
    /// Reports about those that did not.
    pub(crate) ignored: Vec<Issue>,
}

impl DefinitionParameters {
    /// Reads the parameters.
    pub(crate) fn parse(row: &ResourceRow, pairs: Pairs) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for (name, value) in bounded(pairs)? {
            let values = || value.split(',').map(str::to_owned).collect();
            match (name.as_str(), row.parameter(&name).map(|p| (p.column, p.kind))) {
                (_, Some(_)) if value.is_empty() => return Err(Error::invalid(&name, "the value is empty")),
                (_, Some((Some(Column::Id), _))) => parsed.ids.push(values()),
                (_, Some((None, ParameterType::Uri))) => parsed.urls.push(values()),
                ("_count", _) => parsed.count_only |= count(&value)? == 0,
                ("_summary", _) if value == "count" => parsed.count_only = true,
                (name, _) if is_about_form(name) => {}
                (name, _) => {
                    parsed
                        .ignored
                        .push(ignored(name, &format!("{name} is not a search parameter of {}", row.resource)));
                    continue;
                }
            }
            parsed.used.push((name, value));
        }
        Ok(parsed)
    }

    /// Whether a definition is wanted.
    pub(crate) fn matches(&self, definition: &Conformance) -> bool {
        let all = |wanted: &[Vec<String>], is: &str| wanted.iter().all(|any| any.iter().any(|one| one == is));
        all(&self.urls, &definition.url) && all(&self.ids, &definition.id)
    }
}
