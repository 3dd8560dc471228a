//! FHIR search-type interaction, by GET and by POST. <https://hl7.org/fhir/R4/http.html#search>
//!
//! `Bundle.total` is there when the first page holds everything, and when `_total=accurate|estimate` or `_summary=count`
//! asks for it; counting costs as much as there are matches, so it is not done unasked. Included resources the caller has
//! no scope to read are left out.

use axum::extract::{FromRequest, RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;

use super::error::Error;
use super::extract::{Base, Caller, Format, Handling};
use super::parameters::{Pairs, SearchParameters, Shape, link, pairs};
use super::payload;
use super::respond;
use super::state::{RestState, TypeState};
use super::subset::subset;
use crate::auth::Access;
use crate::fhir::bundle::{BundleWriter, SearchMode};
use crate::fhir::outcome::{Issue, outcome_json};
use crate::store::search::Page;

const FORM: &str = "application/x-www-form-urlencoded";

/// `GET [base]/[type]?[parameters]`
pub(super) async fn search_type(
    State(state): State<TypeState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    base: Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    search(&state, &caller, handling, base, pairs(query.as_deref())).await
}

/// `POST [base]/[type]/_search`
pub(super) async fn search_type_by_post(
    State(state): State<TypeState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    base: Base,
    Form(pairs): Form,
) -> Result<Response, Error> {
    search(&state, &caller, handling, base, pairs).await
}

/// The parameters in a URL and in a form.
pub(super) struct Form(pub(super) Pairs);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self, Error> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or(FORM);
        if !content_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(FORM)) {
            return Err(Error::UnsupportedMediaType(FORM));
        }
        let mut all = pairs(request.uri().query());
        let body = payload::read(request, state).await?;
        all.extend(pairs(Some(std::str::from_utf8(&body).map_err(|_| Error::Body)?)));
        Ok(Self(all))
    }
}

/// Searches and answers.
pub(super) async fn search(
    state: &TypeState,
    caller: &Caller,
    handling: Handling,
    Base(base): Base,
    pairs: Pairs,
) -> Result<Response, Error> {
    caller.require(state.kind(), Access::Search)?;
    let parameters = SearchParameters::parse(&state.rest.context(&base), &state.row, pairs)?;
    if handling == Handling::Strict && !parameters.ignored.is_empty() {
        return Err(Error::Unsupported(parameters.refused()));
    }
    parameters.searched.iter().try_for_each(|kind| caller.require(kind, Access::Search))?;
    let page = caller.search(&state.rest, &parameters.search).await?;
    Ok(respond::json(StatusCode::OK, bundle(&state.rest, &base, &parameters, &page)?))
}

fn bundle(state: &RestState, base: &str, parameters: &SearchParameters, page: &Page) -> Result<Vec<u8>, Error> {
    let path = format!("{base}/{}", parameters.search.kind);
    let mut links = vec![("self", link(&path, &parameters.used, parameters.cursor.as_deref()))];
    if let Some(next) = &page.next {
        links.push(("next", link(&path, &parameters.used, Some(&next.encode(&parameters.fingerprint)))));
    }
    let mut bundle = BundleWriter::new("searchset", page.total, &links);
    push_page(&mut bundle, state, base, &parameters.shape, page)?;
    push_outcome(&mut bundle, &parameters.ignored);
    Ok(bundle.finish())
}

/// Appends what a page holds.
pub(super) fn push_page(
    bundle: &mut BundleWriter,
    state: &RestState,
    base: &str,
    shape: &Shape,
    page: &Page,
) -> Result<(), Error> {
    for (resources, mode) in [(&page.matches, SearchMode::Match), (&page.included, SearchMode::Include)] {
        // Elements are named of what is searched for.
        let shape = match (shape, mode) {
            (Shape::Elements(_), SearchMode::Include) => &Shape::Whole,
            (shape, _) => shape,
        };
        for resource in resources {
            let row = state.capability.resource(&resource.kind);
            let json = subset(resource.json(), row, shape).map_err(|_| Error::Damaged)?;
            bundle.search_entry(&format!("{base}/{}", resource.reference()), &json, mode);
        }
    }
    Ok(())
}

/// Appends reports about the search.
pub(super) fn push_outcome(bundle: &mut BundleWriter, reports: &[Issue]) {
    if !reports.is_empty() {
        bundle.search_entry(OUTCOME_URL, &outcome_json(reports), SearchMode::Outcome);
    }
}

/// `fullUrl` of the outcome entry: it is nowhere to be read.
pub(super) const OUTCOME_URL: &str = "urn:uuid:6a0c2a1e-5d0e-5f43-9d1c-3f1f0a7f2b11";
