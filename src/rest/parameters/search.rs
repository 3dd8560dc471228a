//! Parameters of search-type. <https://hl7.org/fhir/R4/search.html#Summary>

use std::collections::BTreeSet;

use super::filter::Reader;
use super::include::{Way, includes};
use super::shape::elements;
use super::{CURSOR, Context, DEFAULT_COUNT, Pairs, Refusal, Shape, bounded, count, ignored, is_about_form, refused};
use crate::capability::{Column, ParameterType, ResourceRow};
use crate::fhir::outcome::Issue;
use crate::rest::error::Error;
use crate::store::search::{Cursor, Search, Sort, SortKey};

/// A search as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct SearchParameters {
    /// What to look for.
    pub(crate) search: Search,
    /// How much of each resource to answer.
    pub(crate) shape: Shape,
    /// Types that are searched on the way, which the caller must be allowed to.
    pub(crate) searched: BTreeSet<String>,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
    /// Reports about those that did not.
    pub(crate) ignored: Vec<Issue>,
    /// The position asked for, as it came.
    pub(crate) cursor: Option<String>,
    /// What a position must belong to.
    pub(crate) fingerprint: String,
}

impl SearchParameters {
    /// Reads the parameters of a search for resources of `row`'s type.
    pub(crate) fn parse(context: &Context<'_>, row: &ResourceRow, pairs: Pairs) -> Result<Self, Error> {
        let search = Search { kind: row.resource.clone(), count: DEFAULT_COUNT, ..Search::default() };
        let mut parsed = Self {
            search,
            shape: Shape::default(),
            searched: BTreeSet::new(),
            used: Pairs::new(),
            ignored: Vec::new(),
            cursor: None,
            fingerprint: row.resource.clone(),
        };
        for (name, value) in bounded(pairs)? {
            match parsed.take(context, row, &name, &value) {
                Ok(()) if name == CURSOR => {}
                Ok(()) => parsed.used.push((name, value)),
                Err(Refusal::Ignored(issue)) => parsed.ignored.push(issue),
                Err(Refusal::Error(error)) => return Err(error),
            }
        }
        if parsed.shape == Shape::Text && !(parsed.search.includes.is_empty() && parsed.search.revincludes.is_empty()) {
            return Err(Error::invalid("_summary", "text cannot be asked for together with _include or _revinclude"));
        }
        for (name, value) in parsed.used.iter().filter(|(name, _)| name != "_count" && !is_about_form(name)) {
            parsed.fingerprint.extend(["\u{1f}", name, "\u{1f}", value]);
        }
        if let Some(cursor) = &parsed.cursor {
            let after =
                Cursor::decode(cursor, &parsed.fingerprint).map_err(|problem| Error::invalid(CURSOR, problem))?;
            parsed.search.after = Some(after);
        }
        Ok(parsed)
    }

    /// The reports as errors.
    pub(crate) fn refused(&self) -> Vec<Issue> {
        refused(&self.ignored)
    }

    fn take(&mut self, context: &Context<'_>, row: &ResourceRow, name: &str, text: &str) -> Result<(), Refusal> {
        match name {
            _ if is_about_form(name) => {}
            "_count" => {
                self.search.count = count(text)?;
                self.search.total |= self.search.count == 0;
            }
            CURSOR => self.cursor = Some(text.to_owned()),
            "_total" => match text {
                "none" => {}
                "estimate" | "accurate" => self.search.total = true,
                _ => return Err(Error::invalid(name, "must be none, estimate or accurate").into()),
            },
            "_summary" => self.summary(text)?,
            "_elements" => self.shape = elements(name, text)?,
            "_sort" => self.sort(row, text)?,
            _ if Way::of(name).is_none() && (name.starts_with("_include:") || name.starts_with("_revinclude:")) => {
                return Err(Error::invalid(name, "has no modifier but iterate").into());
            }
            _ => {
                if let Some(way) = Way::of(name) {
                    let found = includes(context.capability, row, name, text, way)?;
                    let all = if way.0 == Way::To { &mut self.search.includes } else { &mut self.search.revincludes };
                    all.extend(found);
                } else {
                    let mut reader = Reader { context, name, searched: &mut self.searched };
                    let filters = reader.filters(row, name, text, 0)?;
                    self.search.filters.extend(filters);
                }
            }
        }
        Ok(())
    }

    fn summary(&mut self, text: &str) -> Result<(), Error> {
        if text == "count" {
            self.search.count = 0;
            self.search.total = true;
            self.shape = Shape::Whole;
        } else {
            self.shape = Shape::of_summary(text)?;
        }
        Ok(())
    }

    fn sort(&mut self, row: &ResourceRow, text: &str) -> Result<(), Refusal> {
        let mut sort: Vec<Sort> = Vec::new();
        for name in text.split(',') {
            let (name, descending) = name.strip_prefix('-').map_or((name, false), |name| (name, true));
            if name.is_empty() {
                return Err(Error::invalid("_sort", "a key is empty").into());
            }
            let Some(key) = sort_key(row, name) else {
                return Err(Refusal::Ignored(ignored(
                    "_sort",
                    &format!("{} cannot be sorted by {name}", row.resource),
                )));
            };
            if !sort.iter().any(|sort| sort.key == key) {
                sort.push(Sort { key, descending });
            }
        }
        self.search.sort = sort;
        Ok(())
    }
}

/// What `name` sorts by: a column, or of types there are not too many of the texts and dates of a parameter. Codes and
/// references have no order that is kept.
fn sort_key(row: &ResourceRow, name: &str) -> Option<SortKey> {
    let parameter = row.parameter(name)?;
    match (parameter.column, parameter.kind) {
        (Some(Column::Subject), _) => None,
        (Some(column), _) => Some(SortKey::Column(column)),
        (None, ParameterType::String) if !row.many => Some(SortKey::String(name.to_owned())),
        (None, ParameterType::Date) if !row.many => Some(SortKey::Moment(name.to_owned())),
        (None, _) => None,
    }
}
