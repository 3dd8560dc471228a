//! US Core 6.1.0, driven by the machine-readable statement of its searches and must-supports.
//!
//! Every search that a server shall or should have, for every profile of a type we serve, is asked with values from an
//! example that has them; it must find that example, and all that it finds must match. An example without the values fails
//! the test: nothing is skipped for want of data.

use serde_json::Value;

use super::{Server, empty};
use crate::capability::{Capability, Interaction, Source};
use crate::fhir::json;
use crate::projection::examples;
use crate::store::date::{DateMatch, Span};
use crate::store::fixture::tenant;

/// The file, where it is there.
#[allow(clippy::print_stdout)]
fn metadata() -> Option<Value> {
    #[expect(clippy::disallowed_methods, reason = "where the tests are told what others look up")]
    let shared = std::env::var("AFFERENT_SHARED").unwrap_or_else(|_| "../shared".to_owned());
    let path = format!("{shared}/facts/us-core-6.1.0-metadata.yml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no {path}");
        return None;
    };
    Some(serde_saphyr::from_str(&text).unwrap())
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// What is at a path of the metadata in FHIR JSON: slices do not matter, choices are of any type.
fn at<'a>(resource: &'a Value, path: &str) -> Vec<&'a Value> {
    let mut level = vec![resource];
    if let Some(rest) = path.strip_prefix("extension.where(url='") {
        let (url, rest) = rest.split_once("').").unwrap();
        level = list(resource, "extension").iter().filter(|e| e["url"] == url).collect();
        return level.into_iter().flat_map(|e| at(e, rest)).collect();
    }
    for step in path.split('.').filter(|step| !step.is_empty()) {
        let name = step.split(':').next().unwrap_or_default();
        let choice = name.strip_suffix("[x]");
        let fits = |key: &str| match choice {
            Some(choice) => key.strip_prefix(choice).is_some_and(|kind| kind.starts_with(char::is_uppercase)),
            // A choice is sometimes named without its type.
            None => key == name || (name == "effective" && key.starts_with(name)),
        };
        let children = level.into_iter().filter_map(Value::as_object).flatten();
        level = children.filter(|(key, _)| fits(key)).flat_map(|(_, value)| repetitions(value)).collect();
    }
    level
}

fn repetitions(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    }
}

/// (system, code) pairs of a token.
fn tokens(value: &Value) -> Vec<(String, String)> {
    let pair = |value: &Value, code: &str| {
        value[code].as_str().map(|code| (text(&value["system"]).to_owned(), code.to_owned()))
    };
    match value {
        Value::String(code) => vec![(String::new(), code.clone())],
        Value::Bool(flag) => vec![(String::new(), flag.to_string())],
        _ => {
            let codings = list(value, "coding").iter().filter_map(|coding| pair(coding, "code"));
            codings.chain(pair(value, "code")).chain(pair(value, "value")).collect()
        }
    }
}

fn span(value: &Value) -> Option<Span> {
    if let Some(text) = value.as_str() {
        return Span::parse(text).ok();
    }
    let bound = |name: &str| value[name].as_str().and_then(|text| Span::parse(text).ok());
    let (start, end) = (bound("start"), bound("end"));
    start
        .or(end)
        .map(|either| Span { from: start.unwrap_or(either).from, until: end.map_or(i64::MAX, |end| end.until) })
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(parts) => {
            let searched = parts.iter().filter(|(name, _)| !["use", "period", "type"].contains(&name.as_str()));
            searched.flat_map(|(_, value)| texts(value)).collect()
        }
        _ => Vec::new(),
    }
}

/// What can be asked of a parameter for a value: what to write in the URL, and what a match must be.
struct Ask {
    value: String,
    matches: Box<dyn Fn(&Value) -> bool>,
}

fn ask(value: impl Into<String>, matches: impl Fn(&Value) -> bool + 'static) -> Ask {
    Ask { value: value.into(), matches: Box::new(matches) }
}

/// Everything to ask of `parameter`, whose type is `kind`, for one value of an example.
fn asks(kind: &str, definition: &Value, value: &Value) -> Vec<Ask> {
    match kind {
        "token" => {
            let mut asks = Vec::new();
            for (system, code) in tokens(value) {
                let wanted = code.clone();
                let one = move |value: &Value| tokens(value).iter().any(|(_, code)| *code == wanted);
                asks.push(ask(code.clone(), one.clone()));
                if !system.is_empty() {
                    let (s, c) = (system.clone(), code.clone());
                    let whole =
                        move |value: &Value| tokens(value).iter().any(|(system, code)| *system == s && *code == c);
                    asks.push(ask(format!("{system}|{code}"), whole));
                }
                if definition[":multiple_or"] != "MAY" {
                    asks.push(ask(format!("none-such,{code}"), one));
                }
            }
            asks
        }
        "reference" => {
            let reference = text(&value["reference"]).to_owned();
            let id = reference.split('/').nth(1).unwrap_or_default().to_owned();
            let same = move |value: &Value| value["reference"] == reference.as_str();
            vec![ask(text(&value["reference"]), same.clone()), ask(id, same)]
        }
        "date" => {
            let whole = span(value).unwrap();
            let bound = value.as_str().or(value["start"].as_str()).unwrap();
            let day = &bound[..10];
            let (before, after) = ("1900-01-01", "2100-01-01");
            let mut asks = vec![("", day), ("", bound)];
            for (prefix, at) in
                [("gt", before), ("ge", day), ("lt", after), ("le", after), ("ge", bound), ("le", "2099")]
            {
                assert!(definition[":comparators"][format!(":{prefix}")].is_string(), "{definition}");
                asks.push((prefix, at));
            }
            let exact = |text: &str| {
                let date = DateMatch::parse(text).unwrap();
                ask(text, move |value| span(value).is_some_and(|span| date.matches(span)))
            };
            asks.into_iter()
                .map(|(prefix, at)| exact(&format!("{prefix}{at}")))
                // A period is not inside its first day or moment.
                .filter(|ask| DateMatch::parse(&ask.value).unwrap().matches(whole))
                .collect()
        }
        "string" => {
            let starts = |prefix: String| {
                let wanted = prefix.to_lowercase();
                let one = move |value: &Value| texts(value).iter().any(|text| text.to_lowercase().starts_with(&wanted));
                ask(prefix, one)
            };
            let all = texts(value);
            all.iter().flat_map(|text| [starts(text.clone()), starts(text.chars().take(3).collect())]).collect()
        }
        "id" => {
            let id = text(value).to_owned();
            vec![ask(id.clone(), move |value| *value == id.as_str())]
        }
        other => panic!("{other} is not asked for"),
    }
}

fn encode(query: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish()
}

#[tokio::test]
#[allow(clippy::print_stdout)]
async fn every_search_of_us_core_finds_what_the_examples_have() {
    let Some(metadata) = metadata() else { return };
    let server = empty().await;
    let resources = examples().unwrap();
    server.store.put(&tenant("a"), resources.clone()).await.unwrap();
    let all: Vec<Value> =
        resources.iter().map(|r| serde_json::from_slice(&json::to_vec(&r.element).unwrap()).unwrap()).collect();
    let capability = Capability::builtin().unwrap();
    let (mut groups, mut searches, mut requests) = (0, 0, 0);
    for group in list(&metadata, ":groups") {
        let kind = text(&group[":resource"]);
        let Some(row) = capability.resource(kind).filter(|row| row.source == Source::Store) else { continue };
        groups += 1;
        let profile = text(&group[":profile_url"]);
        assert!(row.profiles.iter().any(|p| p == profile), "{kind} does not list {profile}");
        let of_profile = |r: &&Value| list(&r["meta"], "profile").iter().any(|p| p == profile);
        let candidates: Vec<&Value> = all.iter().filter(of_profile).collect();
        assert!(!candidates.is_empty(), "no example of {profile}");
        must_supports(group, profile, &candidates);
        for search in list(group, ":searches") {
            let names: Vec<&str> = list(search, ":names").iter().map(text).collect();
            assert!(row.supports(Interaction::SearchType));
            searches += 1;
            requests += search_for(&server, group, (row, &names), &candidates).await;
        }
    }
    println!("{groups} profiles, {searches} searches, {requests} requests");
    assert!(groups > 30 && searches > 100, "{groups} {searches}");
}

/// Asks for every combination; gives how many requests that were.
async fn search_for(
    server: &Server,
    group: &Value,
    (row, names): (&crate::capability::ResourceRow, &[&str]),
    candidates: &[&Value],
) -> usize {
    let kind = &row.resource;
    let definition = |name: &str| &group[":search_definitions"][format!(":{name}")];
    let of = |resource: &Value, name: &str| -> Vec<Value> {
        let paths = list(definition(name), ":paths").iter().map(text).collect::<Vec<_>>();
        paths.into_iter().flat_map(|path| at(resource, path).into_iter().cloned().collect::<Vec<_>>()).collect()
    };
    let mut requests = 0;
    for resource in candidates {
        let values: Vec<Vec<Value>> = names.iter().map(|name| of(resource, name)).collect();
        if values.iter().any(Vec::is_empty) {
            continue;
        }
        // Each parameter in all its forms, the others in their first.
        let all: Vec<Vec<Ask>> = names
            .iter()
            .zip(&values)
            .map(|(name, values)| {
                let kind = if *name == "_id" { "id" } else { row.parameter(name).unwrap().kind.code() };
                values.iter().flat_map(|value| asks(kind, definition(name), value)).collect()
            })
            .collect();
        for (varied, forms) in all.iter().enumerate() {
            for form in forms {
                let chosen: Vec<&Ask> =
                    all.iter().enumerate().map(|(i, asks)| if i == varied { form } else { &asks[0] }).collect();
                let query: Vec<(String, String)> = names
                    .iter()
                    .zip(&chosen)
                    .map(|(name, ask)| ((*name).to_owned(), ask.value.clone()))
                    .chain([("_count".to_owned(), "200".to_owned())])
                    .collect();
                let found = matches(server, kind, &query).await;
                requests += 1;
                assert!(found.iter().any(|f| f["id"] == resource["id"]), "{kind}?{query:?} misses {}", resource["id"]);
                for found in &found {
                    for (name, ask) in names.iter().zip(&chosen) {
                        let holds = of(found, name).iter().any(|value| (ask.matches)(value));
                        assert!(holds, "{kind}?{query:?}: {name} of {}", found["id"]);
                    }
                }
            }
        }
        let query: Vec<(String, String)> =
            names.iter().zip(&all).map(|(name, asks)| ((*name).to_owned(), asks[0].value.clone())).collect();
        requests += includes(server, group, kind, &query).await;
        requests += chains(server, group, kind, resource, names).await;
    }
    assert!(requests > 0, "{kind}?{names:?}: no example of {} has the values", group[":profile_url"]);
    requests
}

async fn matches(server: &Server, kind: &str, query: &[(String, String)]) -> Vec<Value> {
    let answer = server.get_with(&format!("/{kind}?{}", encode(query)), &[("prefer", "handling=strict")]).await;
    assert_eq!(answer.status, 200, "{kind}?{query:?}: {}", String::from_utf8_lossy(&answer.body));
    let entries = answer.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().filter(|e| e["search"]["mode"] == "match").map(|e| e["resource"].clone()).collect()
}

async fn includes(server: &Server, group: &Value, kind: &str, query: &[(String, String)]) -> usize {
    let mut requests = 0;
    for (parameter, values) in [("_revinclude", ":revincludes"), ("_include", ":include_params")] {
        for value in list(group, values).iter().map(text) {
            // Not every example leads everywhere; every reference is followed from some.
            let query: Vec<_> = query.iter().cloned().chain([(parameter.to_owned(), value.to_owned())]).collect();
            let path = format!("/{kind}?{}", encode(&query));
            let answer = server.get_with(&path, &[("prefer", "handling=strict")]).await;
            assert!(!answer.references("include").is_empty(), "{path}");
            requests += 1;
        }
    }
    requests
}

async fn chains(server: &Server, group: &Value, kind: &str, resource: &Value, names: &[&str]) -> usize {
    let mut requests = 0;
    for name in names {
        for chain in list(&group[":search_definitions"][format!(":{name}")], ":chain") {
            let chain = text(&chain[":chain"]);
            let value = if chain == "identifier" { "9941339100" } else { "wav" };
            let found = matches(server, kind, &[(format!("{name}.{chain}"), value.to_owned())]).await;
            assert!(found.iter().any(|f| f["id"] == resource["id"]), "{kind}?{name}.{chain}");
            requests += 1;
        }
    }
    requests
}

/// Some example of the profile has each element, extension and slice.
fn must_supports(group: &Value, profile: &str, candidates: &[&Value]) {
    let all = &group[":must_supports"];
    for element in list(all, ":elements") {
        let path = text(&element[":path"]);
        let fixed = &element[":fixed_value"];
        let has = |r: &&Value| at(r, path).into_iter().any(|value| fixed.is_null() || value == fixed);
        assert!(candidates.iter().any(has), "no example of {profile} has {path} {fixed}");
    }
    for extension in list(all, ":extensions") {
        let url = &extension[":url"];
        let has = |r: &&Value| at(r, text(&extension[":path"])).into_iter().any(|e| e["url"] == *url);
        assert!(candidates.iter().any(has), "no example of {profile} has {url}");
    }
    for slice in list(all, ":slices") {
        let (path, how) = (text(&slice[":path"]), &slice[":discriminator"]);
        let wanted: Vec<(&str, &str)> = match text(&how[":type"]) {
            "requiredBinding" => {
                list(how, ":values").iter().map(|v| (text(&v[":system"]), text(&v[":code"]))).collect()
            }
            "patternCodeableConcept" => vec![(text(&how[":system"]), text(&how[":code"]))],
            _ => continue, // said by the elements as well
        };
        let inner = text(&how[":path"]);
        let is = |value: &Value| {
            let pairs: Vec<_> = at(value, inner).into_iter().flat_map(tokens).collect();
            pairs.iter().any(|(system, code)| wanted.contains(&(system, code)))
        };
        let has = |r: &&Value| at(r, path).into_iter().any(is);
        assert!(candidates.iter().any(has), "no example of {profile} is {}", slice[":slice_id"]);
    }
}
