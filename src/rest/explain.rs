//! A search as operators write it down, for `afferent admin explain`.

use super::conformance::Definitions;
use super::error::Error;
use super::parameters::{Context, SearchParameters, pairs};
use crate::capability::{Capability, Conformance, Interaction, Source};
use crate::store::search::Search;

/// The search of `Type?parameters`; every parameter must be known.
///
/// # Errors
/// The type cannot be searched, or a parameter is malformed or not known.
pub fn search_of(capability: &Capability, definitions: Vec<Conformance>, text: &str) -> Result<Search, Error> {
    let text = text.trim_start_matches('/');
    let (kind, query) = text.split_once('?').map_or((text, None), |(kind, query)| (kind, Some(query)));
    let row = capability.resource(kind);
    let row = row.filter(|row| row.source == Source::Store && row.supports(Interaction::SearchType));
    let row = row.ok_or_else(|| Error::UnknownType(kind.to_owned()))?;
    let definitions = Definitions::new(definitions);
    let context = Context { capability, definitions: &definitions, base: "" };
    let parsed = SearchParameters::parse(&context, row, pairs(query))?;
    match parsed.refused().first() {
        Some(issue) => Err(Error::invalid("query", &issue.details)),
        None => Ok(parsed.search),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_read_to_the_last_parameter() {
        let capability = Capability::builtin().unwrap();
        let read = |text: &str| search_of(&capability, Vec::new(), text);
        let search = read("Observation?patient=p1&code=8867-4&_sort=-date").unwrap();
        assert_eq!((search.kind.as_str(), search.filters.len(), search.sort.len()), ("Observation", 2, 1));
        assert!(read("/Patient").is_ok());
        for bad in ["Spaceship", "CodeSystem?url=x", "Observation?colour=red", "Observation?date=soon"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
