//! Search criteria that are to match one resource or none. <https://hl7.org/fhir/R4/http.html#cond-update>

use crate::capability::{Interaction, ResourceRow};
use crate::rest::error::Error;
use crate::rest::parameters::{SearchParameters, pairs};
use crate::rest::state::RestState;
use crate::store::Condition;

/// Reads criteria, `query` of a URL. Every one of them must be understood: a condition that means less than it says writes
/// to the wrong resource. `element` names them in an error.
pub(in crate::rest) fn parse_condition(
    state: &RestState,
    kind: &str,
    base: &str,
    query: &str,
    element: &str,
) -> Result<Condition, Error> {
    let row = searchable(state, kind).ok_or_else(|| Error::refused(element, format!("{kind} cannot be searched")))?;
    let mut pairs = pairs(Some(query));
    pairs.retain(|(name, _)| !matches!(name.as_str(), "_format" | "_pretty"));
    if pairs.is_empty() {
        return Err(Error::refused(element, "there are no search criteria"));
    }
    if let Some((name, _)) = pairs.iter().find(|(name, _)| is_result_parameter(name)) {
        return Err(Error::refused(element, format!("{name} is no search criterion")));
    }
    pairs.sort();
    let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let parsed =
        SearchParameters::parse(&state.context(base), row, pairs).map_err(|error| Error::refused(element, error))?;
    match parsed.ignored.first() {
        Some(issue) => Err(Error::refused(element, issue.details.trim_end_matches("; the parameter was ignored"))),
        None => Ok(Condition { search: parsed.search, text }),
    }
}

/// The row of a type that may be looked for by criteria.
pub(super) fn searchable<'a>(state: &'a RestState, kind: &str) -> Option<&'a ResourceRow> {
    let row = state.capability.resource(kind)?;
    (row.supports(Interaction::SearchType) && row.supports(Interaction::Create)).then_some(row)
}

/// What says how to answer a search and not what to look for. <https://hl7.org/fhir/R4/search.html#Summary>
pub(in crate::rest) fn is_result_parameter(name: &str) -> bool {
    let plain = name.split(':').next().unwrap_or(name);
    matches!(
        plain,
        "_sort"
            | "_count"
            | "_include"
            | "_revinclude"
            | "_summary"
            | "_total"
            | "_elements"
            | "_contained"
            | "_containedType"
            | "_cursor"
    )
}
