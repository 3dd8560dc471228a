//! Parameters of a search over several types. <https://hl7.org/fhir/R4/http.html#search>

use std::collections::BTreeSet;

use super::include::Way;
use super::{CURSOR, Context, Pairs, SearchParameters, bounded, ignored, refused};
use crate::capability::ResourceRow;
use crate::fhir::outcome::Issue;
use crate::rest::error::Error;

/// A search over several types as it was asked for.
#[derive(Debug)]
pub(crate) struct SystemParameters {
    /// The search in each type, in the order they are answered.
    pub(crate) types: Vec<SearchParameters>,
    /// The type this page starts in.
    pub(crate) place: usize,
    /// Most matches on the page.
    pub(crate) count: usize,
    /// Whether to count all matches.
    pub(crate) total: bool,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
    /// Reports about those that did not.
    pub(crate) ignored: Vec<Issue>,
    /// The position asked for, as it came.
    pub(crate) cursor: Option<String>,
}

impl SystemParameters {
    /// Reads the parameters of a search among `types`, or those types that `_type` names and `named` lets pass.
    pub(crate) fn parse<'a>(
        context: &Context<'_>,
        mut types: Vec<&'a ResourceRow>,
        pairs: Pairs,
        named: impl Fn(&str) -> Result<&'a ResourceRow, Error>,
    ) -> Result<Self, Error> {
        let pairs = bounded(pairs)?;
        if let Some((_, kinds)) = pairs.iter().find(|(name, _)| name == "_type") {
            types = kinds.split(',').map(named).collect::<Result<_, Error>>()?;
            types.sort_by(|a, b| a.resource.cmp(&b.resource));
            types.dedup_by(|a, b| a.resource == b.resource);
        }
        let cursor = pairs.iter().find(|(name, _)| name == CURSOR).map(|(_, cursor)| cursor.clone());
        let (place, position) = match &cursor {
            Some(cursor) => position(&types, cursor)?,
            None => (0, ""),
        };
        let mut reports = Vec::new();
        let mut of_types: Pairs = pairs.iter().filter(|(name, _)| name != "_type" && name != CURSOR).cloned().collect();
        if types.len() > 1 {
            of_types.retain(|(name, _)| {
                let across = name == "_sort" || Way::of(name).is_some();
                if across {
                    reports.push(ignored(name, "searches over several types have it not"));
                }
                !across
            });
        }
        // What one of the types does not have is no parameter of the search.
        let mut parsed = each(context, &types, &of_types, None)?;
        let missing: BTreeSet<String> =
            parsed.iter().flat_map(|p| &p.ignored).filter_map(|issue| issue.expression.clone()).collect();
        reports.extend(missing.iter().map(|name| ignored(name, "not a search parameter of every type searched")));
        of_types.retain(|(name, _)| !missing.contains(name));
        if !missing.is_empty() || !position.is_empty() {
            parsed = each(context, &types, &of_types, Some((place, position)))?;
        }
        let first = parsed.first().ok_or_else(|| Error::invalid("_type", "there is no type to search in"))?;
        let (count, total) = (first.search.count, first.search.total);
        let mut used: Pairs = pairs.into_iter().filter(|(name, _)| name == "_type").take(1).collect();
        used.extend(of_types);
        Ok(Self { types: parsed, place, count, total, used, ignored: reports, cursor })
    }

    /// The reports as errors.
    pub(crate) fn refused(&self) -> Vec<Issue> {
        refused(&self.ignored)
    }
}

/// The search in each type; that of the type at `place` goes on from `position`.
fn each(
    context: &Context<'_>,
    types: &[&ResourceRow],
    pairs: &Pairs,
    from: Option<(usize, &str)>,
) -> Result<Vec<SearchParameters>, Error> {
    let one = |(number, row): (usize, &&ResourceRow)| {
        let position = from.filter(|(place, position)| *place == number && !position.is_empty());
        let position = position.map(|(_, position)| (CURSOR.to_owned(), position.to_owned()));
        SearchParameters::parse(context, row, pairs.iter().cloned().chain(position).collect())
    };
    types.iter().enumerate().map(one).collect()
}

/// `Type.position in it`: which of `types`, and the position, empty for its beginning.
fn position<'a>(types: &[&ResourceRow], cursor: &'a str) -> Result<(usize, &'a str), Error> {
    let (kind, position) = cursor.split_once('.').unwrap_or((cursor, ""));
    let place = types.iter().position(|row| row.resource == kind);
    let place = place.ok_or_else(|| Error::invalid(CURSOR, crate::store::search::InvalidCursor))?;
    Ok((place, position))
}
