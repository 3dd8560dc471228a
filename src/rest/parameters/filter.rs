//! One search parameter: its name with modifier, chain or `_has`, and its value. <https://hl7.org/fhir/R4/search.html#modifiers>

use std::collections::BTreeSet;

use super::composite::composite;
use super::{Context, Refusal, ignored, value};
use crate::capability::{Column, Interaction, Parameter, ParameterType, ResourceRow, Source};
use crate::rest::error::Error;
use crate::store::search::{Filter, How, TermMatch};
use crate::store::{OF_TYPE, identifier_of, text_of};

/// Most references a chain leads over.
const MOST_LINKS: usize = 3;

/// Reads the filters of a request.
pub(super) struct Reader<'a> {
    pub(super) context: &'a Context<'a>,
    /// The parameter as it came, for reports.
    pub(super) name: &'a str,
    /// The types that are searched on the way.
    pub(super) searched: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    /// What `name=text` asks of resources of `row`'s type; all of it must hold. `links` references have been followed.
    pub(super) fn filters(
        &mut self,
        row: &ResourceRow,
        name: &str,
        text: &str,
        links: usize,
    ) -> Result<Vec<Filter>, Refusal> {
        if links > MOST_LINKS {
            return Err(self.invalid(format!("leads over more than {MOST_LINKS} references")).into());
        }
        if let Some(rest) = name.strip_prefix("_has:") {
            return self.has(row, rest, text, links).map(|filter| vec![filter]);
        }
        let (first, rest) = name.split_once('.').map_or((name, None), |(first, rest)| (first, Some(rest)));
        let (plain, modifier) = first.split_once(':').map_or((first, None), |(plain, m)| (plain, Some(m)));
        let Some(parameter) = row.parameter(plain) else {
            let why = format!("{plain} is not a search parameter of {}", row.resource);
            return Err(Refusal::Ignored(ignored(self.name, &why)));
        };
        match rest {
            Some(rest) => self.chain(parameter, modifier, rest, text, links).map(|filter| vec![filter]),
            None => Ok(self.plain(row, parameter, modifier, text)?),
        }
    }

    /// `subject:Patient.name=…`
    fn chain(
        &mut self,
        parameter: &Parameter,
        modifier: Option<&str>,
        rest: &str,
        text: &str,
        links: usize,
    ) -> Result<Filter, Refusal> {
        if parameter.kind != ParameterType::Reference {
            return Err(self.invalid(format!("{} is no reference to follow", parameter.name)).into());
        }
        if let Some(kind) = modifier.filter(|kind| !parameter.target.iter().any(|t| t == kind)) {
            return Err(self.invalid(format!("{} does not lead to {kind}", parameter.name)).into());
        }
        let kinds = parameter.target.iter().filter(|t| modifier.is_none_or(|kind| kind == *t));
        let mut targets = Vec::new();
        for kind in kinds {
            let Some(row) = searchable(self.context, kind) else { continue };
            match self.filters(row, rest, text, links + 1) {
                Ok(filters) => {
                    self.searched.insert(kind.clone());
                    targets.push((kind.clone(), filters));
                }
                Err(Refusal::Ignored(_)) => {}
                Err(error) => return Err(error),
            }
        }
        if targets.is_empty() {
            let why = format!("{rest} is not a search parameter of what {} leads to", parameter.name);
            return Err(Refusal::Ignored(ignored(self.name, &why)));
        }
        Ok(Filter::Chain { parameter: parameter.name.clone(), targets })
    }

    /// `_has:Observation:patient:code=…`, what follows `_has:` in `rest`.
    fn has(&mut self, row: &ResourceRow, rest: &str, text: &str, links: usize) -> Result<Filter, Refusal> {
        let mut parts = rest.splitn(3, ':');
        let (Some(kind), Some(reference), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(self.invalid("must be _has:Type:reference:parameter").into());
        };
        let Some(from) = searchable(self.context, kind) else {
            return Err(self.invalid(format!("{kind} cannot be searched")).into());
        };
        let known = from.references().find(|p| p.name == reference && p.target.contains(&row.resource));
        let Some(parameter) = known else {
            return Err(self.invalid(format!("{kind}:{reference} is no reference to {}", row.resource)).into());
        };
        let filters = self.filters(from, name, text, links + 1)?;
        self.searched.insert(kind.to_owned());
        Ok(Filter::Has { kind: kind.to_owned(), parameter: parameter.name.clone(), filters })
    }

    /// A parameter of the type itself.
    fn plain(
        &self,
        row: &ResourceRow,
        parameter: &Parameter,
        modifier: Option<&str>,
        text: &str,
    ) -> Result<Vec<Filter>, Error> {
        if parameter.kind == ParameterType::Composite {
            return match modifier {
                None => composite(self, row, parameter, text),
                Some(modifier) => Err(self.no_modifier(modifier, parameter)),
            };
        }
        let Some(modifier) = modifier else { return self.value(parameter, text).map(|filter| vec![filter]) };
        let own = !matches!(parameter.column, Some(Column::Id | Column::Updated));
        let filter = match (parameter.kind, modifier) {
            (_, "missing") if own => {
                Filter::Missing { parameter: parameter.name.clone(), missing: value::flag(self.name, text)? }
            }
            (ParameterType::Token, "not") if own => Filter::Not(Box::new(self.value(parameter, text)?)),
            (ParameterType::Token, "text") if parameter.text => Filter::String {
                parameter: text_of(&parameter.name),
                values: value::strings(self.name, text, How::Start)?,
            },
            (ParameterType::Token, "of-type") if parameter.is_identifier() => {
                term(OF_TYPE.to_owned(), value::typed(self.name, text)?)
            }
            (ParameterType::Token, "in") if own => self.of_value_sets(parameter, text)?,
            (ParameterType::Token, "not-in") if own => Filter::Not(Box::new(self.of_value_sets(parameter, text)?)),
            (ParameterType::String, "exact") => self.strings(parameter, text, How::Exact)?,
            (ParameterType::String, "contains") => self.strings(parameter, text, How::Contains)?,
            (ParameterType::Reference, "identifier") => {
                term(identifier_of(&parameter.name), value::tokens(self.name, text)?)
            }
            (ParameterType::Reference, kind) if parameter.target.iter().any(|t| t == kind) => {
                self.references(parameter, Some(kind), text)?
            }
            _ => return Err(self.no_modifier(modifier, parameter)),
        };
        Ok(vec![filter])
    }

    /// The value of a parameter that is no composite, without a modifier.
    pub(super) fn value(&self, parameter: &Parameter, text: &str) -> Result<Filter, Error> {
        let name = self.name;
        let of = || parameter.name.clone();
        Ok(match (parameter.column, parameter.kind) {
            (Some(Column::Id), _) => Filter::Id(value::ids(name, text)?),
            (Some(Column::Updated), _) => Filter::Updated(value::dates(name, text)?),
            (Some(Column::Date), _) => Filter::Date(value::dates(name, text)?),
            (_, ParameterType::Reference) => self.references(parameter, None, text)?,
            (_, ParameterType::Token) => term(of(), value::tokens(name, text)?),
            (_, ParameterType::Uri) => term(of(), value::uris(name, text)?),
            (_, ParameterType::Date) => Filter::Moment { parameter: of(), values: value::dates(name, text)? },
            (_, ParameterType::String) => self.strings(parameter, text, How::Start)?,
            (_, ParameterType::Quantity) => {
                Filter::Quantity { parameter: of(), values: value::quantities(name, text)? }
            }
            (_, ParameterType::Composite) => return Err(self.invalid("a composite cannot be part of another")),
        })
    }

    fn references(&self, parameter: &Parameter, kind: Option<&str>, text: &str) -> Result<Filter, Error> {
        let references = value::references(parameter, (self.name, kind), self.context.base, text)?;
        Ok(if parameter.column == Some(Column::Subject) {
            Filter::Subject(references)
        } else {
            term(parameter.name.clone(), references.into_iter().map(TermMatch::of).collect())
        })
    }

    fn strings(&self, parameter: &Parameter, text: &str, how: How) -> Result<Filter, Error> {
        Ok(Filter::String { parameter: parameter.name.clone(), values: value::strings(self.name, text, how)? })
    }

    /// The codes of value sets, given by their canonical URLs.
    fn of_value_sets(&self, parameter: &Parameter, text: &str) -> Result<Filter, Error> {
        let mut codes = Vec::new();
        for url in value::uris(self.name, text)? {
            let expanded = self.context.definitions.codes_of(&url.value);
            codes.extend(expanded.ok_or_else(|| self.invalid("this value set is not known here"))?);
        }
        Ok(term(parameter.name.clone(), codes))
    }

    fn no_modifier(&self, modifier: &str, parameter: &Parameter) -> Error {
        let kind = parameter.kind.code();
        self.invalid(format!("modifier :{modifier} does not apply to the {kind} parameter {}", parameter.name))
    }

    pub(super) fn invalid(&self, problem: impl ToString) -> Error {
        Error::invalid(self.name, problem)
    }
}

fn term(parameter: String, values: Vec<TermMatch>) -> Filter {
    Filter::Term { parameter, values }
}

/// The row of a type that can be searched among what is stored.
fn searchable<'a>(context: &Context<'a>, kind: &str) -> Option<&'a ResourceRow> {
    let row = context.capability.resource(kind);
    row.filter(|row| row.supports(Interaction::SearchType) && row.source == Source::Store)
}
