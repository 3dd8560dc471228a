//! Parameters of search-type. <https://hl7.org/fhir/R4/search.html#Summary>

use super::{CURSOR, DEFAULT_COUNT, Pairs, bounded, count, ignored, is_about_form, refused, value};
use crate::capability::{Capability, Column, Interaction, Parameter, ParameterType, ResourceRow};
use crate::fhir::outcome::Issue;
use crate::rest::error::Error;
use crate::store::search::{Cursor, Filter, Include, Search, Sort};

/// A search as it was asked for.
#[derive(Debug, Clone)]
pub(crate) struct SearchParameters {
    /// What to look for.
    pub(crate) search: Search,
    /// Parameters that took effect, for the links.
    pub(crate) used: Pairs,
    /// Reports about those that did not.
    pub(crate) ignored: Vec<Issue>,
    /// The position asked for, as it came.
    pub(crate) cursor: Option<String>,
    /// What a position must belong to.
    pub(crate) fingerprint: String,
}

/// Why a parameter does not take effect.
enum Refusal {
    Ignored(Issue),
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl SearchParameters {
    /// Reads the parameters of a search for resources of `row`'s type.
    pub(crate) fn parse(capability: &Capability, row: &ResourceRow, base: &str, pairs: Pairs) -> Result<Self, Error> {
        let search = Search { kind: row.resource.clone(), count: DEFAULT_COUNT, ..Search::default() };
        let mut parsed =
            Self { search, used: Pairs::new(), ignored: Vec::new(), cursor: None, fingerprint: row.resource.clone() };
        for (name, value) in bounded(pairs)? {
            match parsed.take(capability, row, base, &name, &value) {
                Ok(()) if name == CURSOR => {}
                Ok(()) => parsed.used.push((name, value)),
                Err(Refusal::Ignored(issue)) => parsed.ignored.push(issue),
                Err(Refusal::Error(error)) => return Err(error),
            }
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

    fn take(
        &mut self,
        capability: &Capability,
        row: &ResourceRow,
        base: &str,
        name: &str,
        text: &str,
    ) -> Result<(), Refusal> {
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
            "_sort" => self.sort(row, text)?,
            "_include" => {
                self.search.includes.extend(include(capability, name, text, |include| include.kind == row.resource)?);
            }
            "_revinclude" => {
                self.search.revincludes.extend(include(capability, name, text, |include| {
                    let mut references = capability.references_to(&row.resource);
                    references.any(|(from, p)| from.resource == include.kind && p.name == include.parameter)
                })?);
            }
            _ => self.filter(row, base, name, text)?,
        }
        Ok(())
    }

    fn summary(&mut self, text: &str) -> Result<(), Refusal> {
        match text {
            "false" => Ok(()),
            "count" => {
                self.search.count = 0;
                self.search.total = true;
                Ok(())
            }
            "true" | "text" | "data" => {
                Err(Refusal::Ignored(ignored("_summary", "only _summary=count and false are supported")))
            }
            _ => Err(Error::invalid("_summary", "must be true, text, data, count or false").into()),
        }
    }

    fn sort(&mut self, row: &ResourceRow, text: &str) -> Result<(), Refusal> {
        for key in text.split(',') {
            let (name, descending) = key.strip_prefix('-').map_or((key, false), |name| (name, true));
            if name.is_empty() {
                return Err(Error::invalid("_sort", "a key is empty").into());
            }
            let column = row.parameter(name).and_then(|p| p.column);
            let Some(column) = column.filter(|c| *c != Column::Subject) else {
                self.search.sort.clear();
                return Err(Refusal::Ignored(ignored("_sort", "sorting is by date, _lastUpdated and _id only")));
            };
            if !self.search.sort.iter().any(|sort| sort.column == column) {
                self.search.sort.push(Sort { column, descending });
            }
        }
        Ok(())
    }

    fn filter(&mut self, row: &ResourceRow, base: &str, name: &str, text: &str) -> Result<(), Refusal> {
        let (plain, modifier) = name.split_once(':').map_or((name, None), |(plain, modifier)| (plain, Some(modifier)));
        let Some(parameter) = row.parameter(plain) else {
            let why = format!("{plain} is not a search parameter of {}", row.resource);
            return Err(Refusal::Ignored(ignored(name, &why)));
        };
        let filter = filter(parameter, modifier, base, name, text)?;
        self.search.filters.push(filter);
        Ok(())
    }
}

fn filter(parameter: &Parameter, modifier: Option<&str>, base: &str, name: &str, text: &str) -> Result<Filter, Error> {
    let of_type = parameter.kind == ParameterType::Reference;
    if let Some(modifier) = modifier.filter(|m| !(of_type && parameter.target.iter().any(|t| t == m))) {
        return Err(Error::invalid(name, format!("modifier :{modifier} is not supported")));
    }
    let name = &parameter.name;
    let term = |values| Filter::Term { parameter: name.clone(), values };
    Ok(match (parameter.column, parameter.kind) {
        (Some(Column::Id), _) => Filter::Id(value::ids(name, text)?),
        (Some(Column::Updated), _) => Filter::Updated(value::dates(name, text)?),
        (Some(Column::Subject), _) => Filter::Subject(value::references(parameter, modifier, base, text)?),
        (Some(Column::Date), _) | (None, ParameterType::Date) => Filter::Date(value::dates(name, text)?),
        (None, ParameterType::Token | ParameterType::Uri) => term(value::tokens(name, text)?),
        (None, ParameterType::Reference) => {
            let references = value::references(parameter, modifier, base, text)?;
            term(references.into_iter().map(crate::store::search::TermMatch::of).collect())
        }
    })
}

/// `Type:parameter` or `Type:parameter:Target`, if this server can follow it.
fn include(
    capability: &Capability,
    name: &str,
    text: &str,
    fits: impl Fn(&Include) -> bool,
) -> Result<Option<Include>, Refusal> {
    let mut parts = text.split(':');
    let (kind, parameter, target) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let Some(parameter) = parameter.filter(|p| !p.is_empty() && !kind.is_empty() && parts.next().is_none()) else {
        return Err(Error::invalid(name, "must be Type:parameter or Type:parameter:Target").into());
    };
    let include = Include { kind: kind.to_owned(), parameter: parameter.to_owned(), target: target.map(str::to_owned) };
    let row = capability.resource(kind).filter(|row| row.supports(Interaction::SearchType));
    let known = row.and_then(|row| row.references().find(|p| p.name == parameter));
    let reaches = known.is_some_and(|p| target.is_none_or(|target| p.target.iter().any(|t| t == target)));
    if reaches && fits(&include) {
        return Ok(Some(include));
    }
    Err(Refusal::Ignored(ignored(name, &format!("{name}={text} cannot be followed"))))
}
