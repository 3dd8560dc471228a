//! `$everything`: all there is of a patient or an encounter, page by page, and what it refers to.
//! <https://hl7.org/fhir/R4/patient-operation-everything.html>

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use crate::auth::Access;
use crate::capability::{Column, Interaction, Parameter, ResourceRow, Source};
use crate::fhir::bundle::{BundleWriter, SearchMode};
use crate::rest::error::Error;
use crate::rest::parameters::{Pairs, SearchParameters, link};
use crate::rest::respond;
use crate::rest::state::TypeState;
use crate::store::Stored;
use crate::store::search::{Include, Search};

/// Types that are nobody's and come along where somebody's resources refer to them.
const ALONG: [&str; 6] = ["Device", "Practitioner", "PractitionerRole", "Organization", "Location", "Medication"];

/// `GET [base]/Patient/[id]/$everything`
pub(super) async fn everything(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    let id = call.id.as_ref().ok_or_else(|| Error::invalid("id", "is required"))?;
    let of = format!("{}/{id}", state.kind());
    let missing = || Error::NotFound(of.clone());
    let itself = call.caller.read(&state.rest, state.kind(), id).await?.ok_or_else(missing)?;
    let rows = rows(&state, &call)?;
    let cursor = call.one("_cursor")?;
    let (place, position) = match cursor {
        Some(cursor) => {
            let (kind, position) = cursor.split_once('.').unwrap_or((cursor, ""));
            let place = rows.iter().position(|(row, _)| row.resource == kind);
            (place.ok_or_else(|| Error::invalid("_cursor", "is not a position of this search"))?, position)
        }
        None => (0, ""),
    };

    let mut found: Vec<(Stored, SearchMode)> = Vec::new();
    if cursor.is_none() && wanted(&call, state.kind()) {
        found.push((itself, SearchMode::Match));
    }
    let (mut room, mut next) = (None, None);
    for (number, (row, parameter)) in rows.iter().enumerate().skip(place) {
        let from = Some(position).filter(|p| number == place && !p.is_empty());
        let mut search = parse(&state, &call, row, parameter, &of, from)?;
        let left = room.unwrap_or_else(|| search.search.count.saturating_sub(found.len()));
        if left == 0 {
            next = Some(format!("{}.", row.resource));
            break;
        }
        search.search = Search { count: left, includes: along(row), ..search.search };
        let page = call.caller.search(&state.rest, &search.search).await?;
        room = Some(left - page.matches.len());
        found.extend(page.matches.into_iter().map(|one| (one, SearchMode::Match)));
        found.extend(page.included.into_iter().map(|one| (one, SearchMode::Include)));
        if let Some(cursor) = page.next {
            next = Some(format!("{}.{}", row.resource, cursor.encode(&search.fingerprint)));
            break;
        }
    }
    Ok(respond::json(StatusCode::OK, bundle(&call, &of, found, next.as_deref())))
}

fn bundle(call: &Call, of: &str, found: Vec<(Stored, SearchMode)>, next: Option<&str>) -> Vec<u8> {
    let base = &call.base;
    let path = format!("{base}/{of}/$everything");
    let used: Pairs = call.pairs.iter().filter(|(name, _)| name != "_cursor").cloned().collect();
    let own = call.pairs.iter().find(|(name, _)| name == "_cursor").map(|(_, cursor)| cursor.as_str());
    let mut links = vec![("self", link(&path, &used, own))];
    links.extend(next.map(|next| ("next", link(&path, &used, Some(next)))));
    let mut bundle = BundleWriter::new("searchset", None, &links);
    let mut seen = BTreeSet::new();
    for (stored, mode) in found {
        let reference = stored.reference();
        if call.caller.may(&stored.kind, Access::Read) && seen.insert(reference.clone()) {
            bundle.search_entry(&format!("{base}/{reference}"), &stored.json(), mode);
        }
    }
    bundle.finish()
}

/// Types with what is somebody's, and the parameter that says whose.
fn rows<'a>(state: &'a TypeState, call: &Call) -> Result<Vec<(&'a ResourceRow, &'a Parameter)>, Error> {
    for kind in call.all("_type").flat_map(|kinds| kinds.split(',')) {
        if state.rest.capability.resource(kind).is_none() {
            return Err(Error::invalid("_type", format!("{kind} is not a type of this server")));
        }
    }
    let name = if state.kind() == "Patient" { "patient" } else { "encounter" };
    let is_open = |row: &&ResourceRow| {
        row.source == Source::Store
            && row.supports(Interaction::SearchType)
            && call.caller.reach(&state.rest, &row.resource, Access::Search).is_ok()
            && wanted(call, &row.resource)
    };
    let leads = |row: &'a ResourceRow| {
        let parameter = row.parameter(name).filter(|p| p.target.iter().any(|t| t == state.kind()));
        parameter.map(|parameter| (row, parameter))
    };
    Ok(state.rest.capability.resources().filter(is_open).filter_map(leads).collect())
}

fn wanted(call: &Call, kind: &str) -> bool {
    let mut named = call.all("_type").flat_map(|kinds| kinds.split(',')).peekable();
    named.peek().is_none() || named.any(|one| one == kind)
}

fn parse(
    state: &TypeState,
    call: &Call,
    row: &ResourceRow,
    parameter: &Parameter,
    of: &str,
    position: Option<&str>,
) -> Result<SearchParameters, Error> {
    let mut pairs = vec![(parameter.name.clone(), of.to_owned())];
    for (name, prefix) in [("start", "ge"), ("end", "le")] {
        // What has no date is of any time.
        let date = call.date(name)?.zip(row.by_column(Column::Date));
        pairs.extend(date.map(|(at, date)| (date.name.clone(), format!("{prefix}{at}"))));
    }
    pairs.extend(call.date("_since")?.map(|since| ("_lastUpdated".to_owned(), format!("ge{since}"))));
    pairs.extend(call.one("_count")?.map(|count| ("_count".to_owned(), count.to_owned())));
    pairs.extend(position.map(|position| ("_cursor".to_owned(), position.to_owned())));
    SearchParameters::parse(&state.rest.context(&call.base), row, pairs)
}

fn along(row: &ResourceRow) -> Vec<Include> {
    let include = |target: &str, p: &Parameter| Include {
        kind: row.resource.clone(),
        parameter: p.name.clone(),
        target: Some(target.to_owned()),
        iterate: false,
    };
    let each = |p: &Parameter| -> Vec<Include> {
        ALONG.iter().filter(|t| p.target.iter().any(|target| target == *t)).map(|t| include(t, p)).collect()
    };
    row.references().flat_map(each).collect()
}
