//! Code systems and value sets; filters become the codes that they select.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::Compiler;
use crate::table::{CodeSystem, Concept, Include, ValueSet, digest};

/// What filters need until all packages are read: what stands above each code, and the filters.
#[derive(Default)]
pub(crate) struct Pending {
    parents: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    filters: Vec<(String, bool, usize, Vec<Filter>)>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    url: Option<String>,
    #[serde(default)]
    version: String,
    #[serde(default)]
    content: String,
    case_sensitive: Option<bool>,
    #[serde(default)]
    concept: Vec<SourceConcept>,
    compose: Option<Compose>,
}

#[derive(Deserialize)]
struct SourceConcept {
    code: String,
    display: Option<String>,
    #[serde(default)]
    designation: Vec<Designation>,
    #[serde(default)]
    property: Vec<Value>,
    #[serde(default)]
    concept: Vec<SourceConcept>,
}

#[derive(Deserialize)]
struct Designation {
    value: String,
}

#[derive(Deserialize)]
struct Compose {
    #[serde(default)]
    include: Vec<Part>,
    #[serde(default)]
    exclude: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    system: Option<String>,
    #[serde(default)]
    concept: Vec<PartConcept>,
    #[serde(default)]
    filter: Vec<Filter>,
    #[serde(default)]
    value_set: Vec<String>,
}

#[derive(Deserialize)]
struct PartConcept {
    code: String,
}

#[derive(Deserialize)]
struct Filter {
    property: String,
    op: String,
    value: String,
}

pub(super) fn code_system(compiler: &mut Compiler<'_>, json: &[u8]) -> serde_json::Result<()> {
    let source: Source = serde_json::from_slice(json)?;
    let Some(url) = source.url else { return Ok(()) };
    if source.content == "supplement" {
        return Ok(());
    }
    let mut system = CodeSystem {
        version: source.version,
        complete: source.content == "complete",
        case_sensitive: source.case_sensitive.unwrap_or(true),
        concepts: Vec::new(),
    };
    let mut parents = BTreeMap::new();
    collect(&source.concept, None, &mut system.concepts, &mut parents);
    system.concepts.sort_by(|a, b| a.code.cmp(&b.code));
    system.concepts.dedup_by(|a, b| a.code == b.code);
    // A stand-in of a later package does not take the place of what has all codes.
    let better = |known: &CodeSystem| known.complete && !system.complete;
    if !compiler.tables.terminology.systems.get(&url).is_some_and(better) {
        compiler.filters.parents.insert(url.clone(), parents);
        compiler.tables.terminology.systems.insert(url, system);
    }
    Ok(())
}

fn collect(
    concepts: &[SourceConcept],
    above: Option<&str>,
    all: &mut Vec<Concept>,
    parents: &mut BTreeMap<String, Vec<String>>,
) {
    for concept in concepts {
        let names = concept.display.iter().chain(concept.designation.iter().map(|designation| &designation.value));
        let displays: BTreeSet<u32> = names.map(|name| digest(name)).collect();
        all.push(Concept { code: concept.code.as_str().into(), displays: displays.into_iter().collect() });
        let of = parents.entry(concept.code.clone()).or_default();
        of.extend(above.map(str::to_owned));
        for property in &concept.property {
            let names_parent = matches!(property["code"].as_str(), Some("subsumedBy" | "parent"));
            of.extend(property["valueCode"].as_str().filter(|_| names_parent).map(str::to_owned));
        }
        collect(&concept.concept, Some(&concept.code), all, parents);
    }
}

pub(super) fn value_set(compiler: &mut Compiler<'_>, json: &[u8]) -> serde_json::Result<()> {
    let source: Source = serde_json::from_slice(json)?;
    let (Some(url), Some(compose)) = (source.url, source.compose) else { return Ok(()) };
    let mut parts = [compose.include, compose.exclude].into_iter().enumerate().map(|(side, parts)| {
        let made = parts.into_iter().enumerate().map(|(at, part)| {
            let listed = !part.concept.is_empty();
            let mut codes: Box<[Box<str>]> = part.concept.into_iter().map(|concept| concept.code.into()).collect();
            codes.sort();
            if !part.filter.is_empty() {
                compiler.filters.filters.push((url.clone(), side == 0, at, part.filter));
            }
            let value_sets = part.value_set.iter().map(|url| url.split('|').next().unwrap_or(url).to_owned()).collect();
            Include { system: part.system, codes: listed.then_some(codes), unknown: false, value_sets }
        });
        made.collect::<Vec<_>>()
    });
    let (include, exclude) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    drop(parts);
    compiler.tables.terminology.value_sets.insert(url, ValueSet { include, exclude });
    Ok(())
}

/// Puts the codes that filters select in their place.
pub(super) fn filters(compiler: &mut Compiler<'_>) {
    let pending = std::mem::take(&mut compiler.filters);
    for (url, included, at, filters) in &pending.filters {
        let terminology = &mut compiler.tables.terminology;
        let Some(set) = terminology.value_sets.get_mut(url) else { continue };
        let part = if *included { set.include.get_mut(*at) } else { set.exclude.get_mut(*at) };
        let Some(part) = part else { continue };
        let system = part.system.as_ref().and_then(|system| {
            let known = terminology.systems.get(system).filter(|known| known.complete)?;
            Some((known, pending.parents.get(system)?))
        });
        let selected = system.and_then(|(system, parents)| {
            let codes = system.concepts.iter().map(|concept| &concept.code);
            let mut selected = Vec::new();
            for code in codes {
                let mut all = true;
                for filter in filters {
                    all &= selects(filter, code, parents)?;
                }
                if all {
                    selected.push(code.clone());
                }
            }
            Some(selected)
        });
        part.unknown = selected.is_none();
        part.codes = selected.map(Vec::into_boxed_slice);
    }
}

/// Whether a filter selects a code; none if the filter is of a kind that cannot be carried out.
fn selects(filter: &Filter, code: &str, parents: &BTreeMap<String, Vec<String>>) -> Option<bool> {
    let below = |code: &str| {
        let mut above = vec![code];
        let mut at = 0;
        while let Some(next) = above.get(at).copied() {
            for parent in parents.get(next).into_iter().flatten() {
                if !above.contains(&parent.as_str()) {
                    above.push(parent);
                }
            }
            at += 1;
        }
        above.iter().skip(1).any(|parent| *parent == filter.value)
    };
    match (filter.property.as_str(), filter.op.as_str()) {
        ("concept", "is-a") => Some(code == filter.value || below(code)),
        ("concept", "descendent-of") => Some(below(code)),
        ("concept", "is-not-a") => Some(code != filter.value && !below(code)),
        ("concept" | "code", "=") => Some(code == filter.value),
        ("concept" | "code", "regex") => {
            regex::Regex::new(&format!("^(?:{})$", filter.value)).ok().map(|r| r.is_match(code))
        }
        ("parent", "=") => Some(parents.get(code).is_some_and(|above| above.contains(&filter.value))),
        _ => None,
    }
}
