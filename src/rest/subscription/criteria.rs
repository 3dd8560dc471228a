//! `Subscription.criteria`: a topic with filters, or a search.

use serde_json::Value;

use super::KIND;
use super::extension::{backport, values};
use crate::capability::{Interaction, Source, Topic};
use crate::fhir::content::Object;
use crate::id::ResourceId;
use crate::rest::error::Error;
use crate::rest::parameters::{SearchParameters, pairs};
use crate::rest::state::RestState;
use crate::rest::write::is_result_parameter;
use crate::store::search::Filter;

const CRITERIA: &str = "Subscription.criteria";
const FILTER: &str = "Subscription.criteria.extension(backport-filter-criteria)";

/// What is asked for.
#[derive(Debug)]
pub(super) struct Criteria {
    /// As it was given.
    pub(super) text: String,
    /// Id of the topic.
    pub(super) topic: Option<String>,
    /// Resource type.
    pub(super) focus: String,
    /// Searches without the type.
    pub(super) filters: Vec<String>,
}

/// Reads the criteria. Every part of them must be understood: what means less than it says would tell of more.
pub(super) fn read(state: &RestState, base: &str, subscription: &Object) -> Result<Criteria, Error> {
    let text = subscription.get("criteria").and_then(Value::as_str).unwrap_or_default();
    let filters = values(subscription.get("_criteria"), &backport("filter-criteria"));
    let filters: Vec<&str> = filters.into_iter().filter_map(Value::as_str).collect();
    if text.starts_with("http://") || text.starts_with("https://") || text.starts_with("urn:") {
        return of_topic(state, base, text, &filters);
    }
    if !filters.is_empty() {
        return Err(Error::refused(FILTER, "filters belong to a topic"));
    }
    let (kind, query) = text.split_once('?').unwrap_or((text, ""));
    let row = state.capability.resource(kind);
    let can = row.is_some_and(|row| {
        row.source == Source::Store && row.supports(Interaction::SearchType) && row.resource != KIND
    });
    if !can {
        return Err(Error::refused(
            CRITERIA,
            "must be the canonical URL of a topic, or Type?search of a type that can be searched",
        ));
    }
    parse(state, base, kind, query).map_err(|error| Error::refused(CRITERIA, error))?;
    let filters = vec![query.to_owned()];
    Ok(Criteria { text: text.to_owned(), topic: None, focus: kind.to_owned(), filters })
}

fn of_topic(state: &RestState, base: &str, text: &str, given: &[&str]) -> Result<Criteria, Error> {
    let url = text.split_once('|').map_or(text, |(url, _)| url);
    let topic = state.capability.topics().find(|topic| topic.url() == url);
    let topic = topic.ok_or_else(|| Error::refused(CRITERIA, "this topic is not supported"))?;
    let mut filters = Vec::with_capacity(given.len());
    for filter in given {
        let query = match filter.split_once('?') {
            Some((kind, query)) if kind == topic.resource => query,
            Some(_) => return Err(Error::refused(FILTER, format!("this topic is about {}", topic.resource))),
            None => filter,
        };
        allowed(topic, query)?;
        parse(state, base, &topic.resource, query).map_err(|error| Error::refused(FILTER, error))?;
        filters.push(query.to_owned());
    }
    let focus = topic.resource.clone();
    Ok(Criteria { text: text.to_owned(), topic: Some(topic.id.clone()), focus, filters })
}

/// Refuses criteria that do not name one patient: who has scopes of that one subscribes to nothing else, rather than being
/// told of less than was asked for.
pub(super) fn require_patient(
    state: &RestState,
    base: &str,
    asked: &Criteria,
    patient: &ResourceId,
) -> Result<(), Error> {
    let reference = format!("Patient/{patient}");
    let names = |filter: &Filter| match filter {
        Filter::Subject(about) => !about.is_empty() && about.iter().all(|one| *one == reference),
        Filter::Id(ids) => asked.focus == "Patient" && !ids.is_empty() && ids.iter().all(|id| id == patient.as_str()),
        _ => false,
    };
    for query in &asked.filters {
        if parse(state, base, &asked.focus, query)?.iter().any(names) {
            return Ok(());
        }
    }
    let element = if asked.topic.is_some() { FILTER } else { CRITERIA };
    Err(Error::refused(element, "must name the patient the scopes are about, such as patient=Patient/…"))
}

fn allowed(topic: &Topic, query: &str) -> Result<(), Error> {
    let pairs = pairs(Some(query));
    if pairs.is_empty() {
        return Err(Error::refused(FILTER, "is no search"));
    }
    let is_allowed = |name: &str| topic.filters.iter().any(|filter| filter == name.split(':').next().unwrap_or(name));
    match pairs.iter().find(|(name, _)| !is_allowed(name)) {
        Some((name, _)) => Err(Error::refused(FILTER, format!("this topic cannot be filtered by {name}"))),
        None => Ok(()),
    }
}

/// The filters of a search, each of which can be told of a single resource.
pub(super) fn parse(state: &RestState, base: &str, kind: &str, query: &str) -> Result<Vec<Filter>, Error> {
    let row = state.capability.resource(kind).ok_or_else(|| Error::UnknownType(kind.to_owned()))?;
    let pairs = pairs(Some(query));
    if let Some((name, _)) = pairs.iter().find(|(name, _)| is_result_parameter(name)) {
        return Err(Error::invalid(name, "is no search criterion"));
    }
    let parsed = SearchParameters::parse(&state.context(base), row, pairs)?;
    if let Some(issue) = parsed.ignored.first() {
        let problem = issue.details.trim_end_matches("; the parameter was ignored");
        return Err(Error::invalid(issue.expression.as_deref().unwrap_or_default(), problem));
    }
    if parsed.search.filters.iter().all(Filter::is_of_one) {
        return Ok(parsed.search.filters);
    }
    Err(Error::invalid("criteria", "can be of ids, references, tokens and quantities of the resource itself alone"))
}
