//! Our own definitions: read, search by `url`, and served where their canonical URLs point. They are the same for every
//! tenant and hold nothing secret. <https://hl7.org/fhir/R4/resource.html#canonical>

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde::Deserialize;

use super::error::Error;
use super::extract::{Base, Caller, Format, Handling, Id};
use super::parameters::{self, DefinitionParameters, link, pairs};
use super::respond::{self, Version};
use super::search_type::OUTCOME_URL;
use super::state::{RestState, TypeState};
use crate::auth::Access;
use crate::capability::Conformance;
use crate::fhir::bundle::{BundleWriter, SearchMode};
use crate::fhir::outcome::outcome_json;
use crate::store::search::TermMatch;

/// All definitions by type and id.
#[derive(Debug, Default)]
pub(super) struct Definitions(BTreeMap<(String, String), Conformance>);

impl Definitions {
    pub(super) fn new(definitions: Vec<Conformance>) -> Self {
        Self(definitions.into_iter().map(|d| ((d.kind.clone(), d.id.clone()), d)).collect())
    }

    fn get(&self, kind: &str, id: &str) -> Result<&Conformance, Error> {
        self.0.get(&(kind.to_owned(), id.to_owned())).ok_or_else(|| Error::NotFound(format!("{kind}/{id}")))
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Conformance> {
        self.0.values().filter(move |d| d.kind == kind)
    }
}

#[derive(Deserialize)]
struct ValueSet {
    compose: Compose,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Compose {
    include: Vec<IncludedCodes>,
}

/// The codes of a system, all or some; sets made in other ways are not expanded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IncludedCodes {
    system: String,
    #[serde(default)]
    concept: Vec<Concept>,
}

#[derive(Deserialize)]
struct CodeSystem {
    #[serde(default)]
    concept: Vec<Concept>,
}

#[derive(Deserialize)]
struct Concept {
    code: String,
    display: Option<String>,
    definition: Option<String>,
    #[serde(default, rename = "concept")]
    below: Vec<Concept>,
}

/// A code of ours.
pub(super) struct Known {
    pub(super) system: String,
    pub(super) code: String,
    pub(super) display: Option<String>,
    pub(super) definition: Option<String>,
}

impl Definitions {
    /// The codes of one of our value sets, by its canonical URL; none where it is not ours.
    pub(super) fn codes_of(&self, url: &str) -> Option<Vec<TermMatch>> {
        let codes = self.codes("ValueSet", url)?.into_iter();
        Some(codes.map(|one| TermMatch { system: Some(one.system), value: one.code }).collect())
    }

    /// The codes of one of our code systems or value sets, by its canonical URL; none where it is not ours.
    pub(super) fn codes(&self, kind: &str, url: &str) -> Option<Vec<Known>> {
        if kind == "CodeSystem" {
            return Some(flat(url, self.by_url::<CodeSystem>(kind, url)?.concept));
        }
        let set: ValueSet = self.by_url("ValueSet", url)?;
        let mut codes = Vec::new();
        for IncludedCodes { system, concept } in set.compose.include {
            if concept.is_empty() {
                codes.extend(self.codes("CodeSystem", &system)?);
            } else {
                codes.extend(flat(&system, concept));
            }
        }
        Some(codes)
    }

    /// A definition as JSON, by its canonical URL.
    pub(super) fn find(&self, kind: &str, url: &str) -> Option<&[u8]> {
        let found = self.0.values().find(|definition| definition.kind == kind && definition.url == url);
        found.map(|definition| definition.json.as_slice())
    }

    /// The canonical URL of a definition.
    pub(super) fn url_of(&self, kind: &str, id: &str) -> Option<String> {
        self.get(kind, id).ok().map(|definition| definition.url.clone())
    }

    fn by_url<T: serde::de::DeserializeOwned>(&self, kind: &str, url: &str) -> Option<T> {
        serde_json::from_slice(self.find(kind, url)?).ok()
    }
}

/// Codes with those below them, in the order they are written.
fn flat(system: &str, concepts: Vec<Concept>) -> Vec<Known> {
    let mut codes = Vec::new();
    for Concept { code, display, definition, below } in concepts {
        codes.push(Known { system: system.to_owned(), code, display, definition });
        codes.extend(flat(system, below));
    }
    codes
}

/// `GET [base]/[type]/[id]`
pub(super) async fn read(
    State(state): State<TypeState>,
    caller: Caller,
    Id(id): Id,
    _: Format,
    headers: HeaderMap,
) -> Result<Response, Error> {
    caller.require(state.kind(), Access::Read)?;
    state.rest.definitions.get(state.kind(), id.as_str()).map(|definition| serve(&headers, definition))
}

/// `GET [canonical base]/[type]/[id]`
pub(super) async fn canonical(
    State(state): State<RestState>,
    Path(id): Path<String>,
    uri: Uri,
    _: Format,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let kind = uri.path().split('/').nth(2).unwrap_or_default();
    state.definitions.get(kind, &id).map(|definition| serve(&headers, definition))
}

/// `GET [base]/[type]?url=[canonical]`
pub(super) async fn search_type(
    State(state): State<TypeState>,
    caller: Caller,
    _: Format,
    handling: Handling,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, Error> {
    caller.require(state.kind(), Access::Search)?;
    let wanted = DefinitionParameters::parse(&state.row, pairs(query.as_deref()))?;
    if handling == Handling::Strict && !wanted.ignored.is_empty() {
        return Err(Error::Unsupported(parameters::refused(&wanted.ignored)));
    }
    let found: Vec<&Conformance> = state.rest.definitions.of_kind(state.kind()).filter(|d| wanted.matches(d)).collect();
    Ok(respond::json(StatusCode::OK, bundle(&base, state.kind(), &wanted, &found)))
}

fn serve(headers: &HeaderMap, definition: &Conformance) -> Response {
    respond::versioned(headers, &Version::of_bytes(&definition.json), || {
        respond::json(StatusCode::OK, definition.json.clone())
    })
}

fn bundle(base: &str, kind: &str, wanted: &DefinitionParameters, found: &[&Conformance]) -> Vec<u8> {
    let links = [("self", link(&format!("{base}/{kind}"), &wanted.used, None))];
    let mut bundle = BundleWriter::new("searchset", u64::try_from(found.len()).ok(), &links);
    for definition in found.iter().take(if wanted.count_only { 0 } else { usize::MAX }) {
        bundle.search_entry(&format!("{base}/{kind}/{}", definition.id), &definition.json, SearchMode::Match);
    }
    if !wanted.ignored.is_empty() {
        bundle.search_entry(OUTCOME_URL, &outcome_json(&wanted.ignored), SearchMode::Outcome);
    }
    bundle.finish()
}
