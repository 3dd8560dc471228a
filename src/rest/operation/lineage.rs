//! `$lineage`: what a derived resource comes from, in one call. Defined by `ig/OperationDefinition-lineage.json`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Call;
use super::parameters::{answer, parameter, parts, reference};
use crate::auth::Access;
use crate::rest::error::Error;
use crate::rest::extract::Caller;
use crate::rest::state::{RestState, TypeState};
use crate::store::search::{Filter, Search, TermMatch};

/// Most resources on the way.
const MOST: usize = 64;

/// `GET [base]/Observation/[id]/$lineage`
pub(super) async fn lineage(State(state): State<TypeState>, call: Call) -> Result<Response, Error> {
    call.caller.require("Provenance", Access::Search)?;
    let caller = &call.caller;
    let id = call.id.as_ref().ok_or_else(|| Error::invalid("id", "is required"))?;
    let first = format!("{}/{id}", state.kind());
    let missing = || Error::NotFound(first.clone());
    caller.read(&state.rest, state.kind(), id).await?.ok_or_else(missing)?;

    let mut sources = Vec::new();
    let (mut seen, mut waiting) = (BTreeSet::from([first.clone()]), VecDeque::from([first]));
    while let Some(target) = waiting.pop_front() {
        for provenance in provenances(&state.rest, caller, &target).await? {
            let mut source = Source::of(&target, &provenance);
            if caller.is_bounded() {
                let mut visible = Vec::new();
                for derivation in source.derivations {
                    if caller.sees(&state.rest, &derivation).await? {
                        visible.push(derivation);
                    }
                }
                source.derivations = visible;
            }
            let new = source.derivations.iter().filter(|d| seen.len() < MOST && seen.insert((*d).clone()));
            waiting.extend(new.cloned().collect::<Vec<_>>());
            let version = version(&state.rest, caller, source.algorithm.as_deref()).await?;
            sources.push(source.part(version));
        }
    }
    Ok(answer(sources))
}

async fn provenances(state: &RestState, caller: &Caller, target: &str) -> Result<Vec<Value>, Error> {
    let target = Filter::Term { parameter: "target".to_owned(), values: vec![TermMatch::of(target.to_owned())] };
    let search = Search { kind: "Provenance".to_owned(), filters: vec![target], count: MOST, ..Search::default() };
    let page = caller.search(state, &search).await?;
    page.matches.iter().map(|found| serde_json::from_slice(&found.json()).map_err(|_| Error::Damaged)).collect()
}

/// Id and version of an algorithm, by its Device.
async fn version(state: &RestState, caller: &Caller, device: Option<&str>) -> Result<Option<String>, Error> {
    let id = device.and_then(|device| device.strip_prefix("Device/"));
    let Some(id) = id.and_then(|id| crate::id::ResourceId::new(id).ok()) else { return Ok(None) };
    if !caller.may("Device", Access::Read) {
        return Ok(None);
    }
    let Some(stored) = caller.read(state, "Device", &id).await? else { return Ok(None) };
    let device: Value = serde_json::from_slice(&stored.json()).map_err(|_| Error::Damaged)?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Ok(text(&device["identifier"][0]["value"]).or_else(|| text(&device["version"][0]["value"])))
}

/// What one Provenance says of a resource.
struct Source {
    target: String,
    provenance: String,
    recorded: Option<String>,
    devices: Vec<String>,
    algorithm: Option<String>,
    packets: Vec<BTreeMap<String, Value>>,
    derivations: Vec<String>,
}

impl Source {
    fn of(target: &str, provenance: &Value) -> Self {
        let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let agents = items(&provenance["agent"]);
        let who = |code: &str| -> Vec<String> {
            let of_role = agents.iter().filter(|agent| agent["type"]["coding"][0]["code"] == code);
            of_role.filter_map(|agent| agent["who"]["reference"].as_str().map(str::to_owned)).collect()
        };
        let entities = items(&provenance["entity"]);
        let derivations = entities.iter().filter(|entity| entity["role"] == "derivation");
        let ranges = entities.iter().flat_map(|entity| items(&entity["extension"]));
        let range = |range: Value| -> BTreeMap<String, Value> {
            let parts = items(&range["extension"]).into_iter();
            let part = |part: Value| {
                let name = part["url"].as_str()?.to_owned();
                let value = part.as_object()?.iter().find(|(member, _)| member.starts_with("value"))?;
                Some((name, json!({ value.0.clone(): value.1.clone() })))
            };
            parts.filter_map(part).collect()
        };
        Self {
            target: target.to_owned(),
            provenance: format!("Provenance/{}", provenance["id"].as_str().unwrap_or_default()),
            recorded: provenance["recorded"].as_str().map(str::to_owned),
            devices: who("author"),
            algorithm: who("assembler").into_iter().next(),
            packets: ranges.map(range).filter(|parts| parts.contains_key("sha256")).collect(),
            derivations: derivations
                .filter_map(|entity| entity["what"]["reference"].as_str().map(str::to_owned))
                .collect(),
        }
    }

    fn part(self, version: Option<String>) -> Value {
        let mut all = vec![reference("target", &self.target), reference("provenance", &self.provenance)];
        all.extend(self.recorded.map(|at| parameter("recorded", ("valueInstant", at.into()))));
        all.extend(self.devices.iter().map(|device| reference("device", device)));
        all.extend(self.algorithm.iter().map(|algorithm| reference("algorithm", algorithm)));
        all.extend(version.map(|version| parameter("version", ("valueString", version.into()))));
        all.extend(self.packets.into_iter().map(|range| {
            let named = |(name, mut value): (String, Value)| {
                value["name"] = name.into();
                value
            };
            parts("packets", range.into_iter().map(named).collect())
        }));
        all.extend(self.derivations.iter().map(|source| reference("derivation", source)));
        parts("source", all)
    }
}
