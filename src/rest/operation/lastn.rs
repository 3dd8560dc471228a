//! `$lastn`: the newest Observations of each code. <https://hl7.org/fhir/R4/observation-operation-lastn.html>
//!
//! Observations are of one series when their first coding is the same. Which series a patient has is kept beside the
//! Observations, and the newest of a series are one range scan, so what this costs does not depend on how many there are.
//! What was entered in error is no patient's last value and is left out.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::Call;
use crate::auth::Access;
use crate::fhir::bundle::{BundleWriter, SearchMode};
use crate::rest::error::Error;
use crate::rest::parameters::{Pairs, SearchParameters, link};
use crate::rest::respond;
use crate::rest::state::TypeState;
use crate::store::{Series, Stored};

/// Most Observations of each code.
const MOST: usize = 100;

/// `GET [base]/Observation/$lastn?patient=…&category=…&max=…`
pub(super) async fn lastn(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require(state.kind(), Access::Search)?;
    let max = match call.one("max")?.map(str::parse::<usize>) {
        None => 1,
        Some(Ok(max)) if (1..=MOST).contains(&max) => max,
        Some(_) => return Err(Error::invalid("max", format!("must be a number from 1 to {MOST}"))),
    };
    let (name, whose) = match (call.one("patient")?, call.one("subject")?) {
        (Some(patient), None) => ("patient", patient),
        (None, Some(subject)) => ("subject", subject),
        _ => return Err(Error::invalid("patient", "either patient or subject is required")),
    };
    let mut narrow: Pairs = vec![(name.to_owned(), whose.to_owned())];
    for name in ["category", "code", "date"] {
        narrow.extend(call.all(name).map(|value| (name.to_owned(), value.to_owned())));
    }
    let mut found: Vec<Stored> = Vec::new();
    let mut seen = BTreeSet::new();
    for series in series_of(&state, &call, &narrow).await? {
        let mut pairs = narrow.clone();
        pairs.push(("code".to_owned(), as_token(&series)));
        pairs.push(("status:not".to_owned(), "entered-in-error".to_owned()));
        pairs.push(("_sort".to_owned(), "-date".to_owned()));
        pairs.push(("_count".to_owned(), max.to_string()));
        let search = SearchParameters::parse(&state.rest.context(&call.base), &state.row, pairs)?.search;
        let page = call.caller.search(&state.rest, &search).await?;
        found.extend(page.matches.into_iter().filter(|stored| seen.insert(stored.reference())));
    }
    let base = &call.base;
    let this = link(&format!("{base}/Observation/$lastn"), &call.pairs, None);
    let mut bundle = BundleWriter::new("searchset", u64::try_from(found.len()).ok(), &[("self", this)]);
    for stored in &found {
        bundle.search_entry(&format!("{base}/{}", stored.reference()), &stored.json(), SearchMode::Match);
    }
    Ok(respond::json(StatusCode::OK, bundle.finish()))
}

/// The series of whom the search is about.
async fn series_of(state: &TypeState, call: &Call, narrow: &Pairs) -> Result<Vec<Series>, Error> {
    let search = SearchParameters::parse(&state.rest.context(&call.base), &state.row, narrow.clone())?.search;
    let subjects = search.filters.iter().find_map(|filter| match filter {
        crate::store::search::Filter::Subject(subjects) => Some(subjects.clone()),
        _ => None,
    });
    Ok(state.rest.store.series(call.caller.tenant(), &subjects.unwrap_or_default()).await?)
}

fn as_token(series: &Series) -> String {
    let escaped = |text: &str| text.replace('\\', r"\\").replace(',', r"\,").replace('|', r"\|").replace('$', r"\$");
    format!("{}|{}", escaped(&series.system), escaped(&series.code))
}
