//! FHIR search over several types: `GET [base]?_type=…` and `POST [base]/_search`. <https://hl7.org/fhir/R4/http.html#search>
//!
//! One type is paged through after the other, so a page costs what pages of single types cost. What orders or joins
//! resources across types (`_sort`, `_include`, chains) is for searches in one type. Without `_type` the types are those the
//! caller may search.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format, Handling};
use super::parameters::{Pairs, SystemParameters, link, pairs};
use super::respond;
use super::search_type::{Form, push_outcome, push_page};
use super::state::RestState;
use crate::auth::Access;
use crate::capability::{Interaction, ResourceRow, Source};
use crate::fhir::bundle::BundleWriter;
use crate::store::search::Search;

/// `GET [base]?_type=[types]&[parameters]`
pub(super) async fn search_system(
    State(state): State<RestState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    base: Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    search(&state, &caller, handling, base, pairs(query.as_deref())).await
}

/// `POST [base]/_search`
pub(super) async fn search_system_by_post(
    State(state): State<RestState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    base: Base,
    Form(pairs): Form,
) -> Result<Response, Error> {
    search(&state, &caller, handling, base, pairs).await
}

async fn search(
    state: &RestState,
    caller: &Caller,
    handling: Handling,
    Base(base): Base,
    pairs: Pairs,
) -> Result<Response, Error> {
    let all = state.capability.resources().filter(|row| searchable(row));
    let allowed: Vec<&ResourceRow> = all.filter(|row| caller.may_search_all(state, &row.resource)).collect();
    let context = state.context(&base);
    let parameters = SystemParameters::parse(&context, allowed, pairs, |kind| {
        let known = state.capability.resource(kind).filter(|row| searchable(row));
        let row = known.ok_or_else(|| Error::invalid("_type", format!("{kind} cannot be searched")))?;
        caller.require(kind, Access::Search).map(|()| row)
    })?;
    if handling == Handling::Strict && !parameters.ignored.is_empty() {
        return Err(Error::Unsupported(parameters.refused()));
    }
    for of_type in &parameters.types {
        of_type.searched.iter().try_for_each(|kind| caller.require(kind, Access::Search))?;
    }
    let mut pages = Vec::new();
    let mut next = None;
    let mut room = parameters.count;
    for (place, of_type) in parameters.types.iter().enumerate().skip(parameters.place).filter(|_| parameters.count > 0)
    {
        let kind = &of_type.search.kind;
        if room == 0 {
            next = Some(format!("{kind}."));
            break;
        }
        let search = Search { count: room, total: false, ..of_type.search.clone() };
        let page = caller.search(state, &search).await?;
        room -= page.matches.len();
        next = page.next.as_ref().map(|cursor| format!("{kind}.{}", cursor.encode(&of_type.fingerprint)));
        pages.push((place, page));
        if next.is_some() {
            break;
        }
    }
    let total = match (&next, parameters.place) {
        _ if parameters.total => Some(total(state, caller, &parameters).await?),
        (None, 0) if parameters.cursor.is_none() => u64::try_from(parameters.count - room).ok(),
        _ => None,
    };
    let mut links = vec![("self", link(&base, &parameters.used, parameters.cursor.as_deref()))];
    links.extend(next.map(|next| ("next", link(&base, &parameters.used, Some(&next)))));
    let mut bundle = BundleWriter::new("searchset", total, &links);
    for (place, page) in pages {
        if let Some(of_type) = parameters.types.get(place) {
            push_page(&mut bundle, state, &base, &of_type.shape, &page)?;
        }
    }
    push_outcome(&mut bundle, &parameters.ignored);
    Ok(respond::json(StatusCode::OK, bundle.finish()))
}

async fn total(state: &RestState, caller: &Caller, parameters: &SystemParameters) -> Result<u64, Error> {
    let mut total = 0;
    for of_type in &parameters.types {
        let search = Search { count: 0, total: true, after: None, ..of_type.search.clone() };
        total += caller.search(state, &search).await?.total.unwrap_or_default();
    }
    Ok(total)
}

fn searchable(row: &ResourceRow) -> bool {
    row.supports(Interaction::SearchType) && row.source == Source::Store
}
