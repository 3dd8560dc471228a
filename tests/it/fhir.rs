//! What a clinician's app asks the FHIR API, and what it gets.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{Client, Ecg, Server, has_code, own_code, quantity};

const DEVICE: &str = "chest-1";

/// A patient with seven minutes of electrocardiogram and one temperature, in a tenant of its own.
struct Patient {
    client: Client,
    _server: Arc<Server>,
}

impl Patient {
    fn new() -> Self {
        let server = Server::shared();
        let client = server.tenant();
        client.link_device(DEVICE, "p1").expect(201);
        Ecg::new(420).packets(DEVICE).chunks(60).for_each(|batch| client.ingest_all(batch));
        client.ingest_all(&[temperature()]);
        client.settle();
        Self { client, _server: server }
    }
}

/// A packet in its canonical form, so that its hash can be told from outside.
fn temperature() -> Value {
    json!({"device": DEVICE, "stream": "skin", "sequence": 7, "device_time": "2026-01-18T14:03:00.000000Z",
        "samples": {"signal": "body-temperature", "unit": "[degF]", "values": [100.4]}})
}

fn entries(bundle: &Value, mode: &str) -> Vec<Value> {
    let all = bundle["entry"].as_array().unwrap();
    let some = all.iter().filter(|entry| entry["search"]["mode"] == mode);
    some.map(|entry| entry["resource"].clone()).collect()
}

fn of_type<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|resource| resource["resourceType"] == kind).collect()
}

fn reference(resource: &Value) -> String {
    format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap())
}

fn references(list: &Value) -> BTreeSet<String> {
    let references = list.as_array().into_iter().flatten().map(|one| one["reference"].as_str().unwrap().to_owned());
    references.collect()
}

#[track_caller]
fn outcome(client: &Client, path: &str, strict: bool, status: u16) -> Value {
    let handling = if strict { "handling=strict" } else { "handling=lenient" };
    let reply = client.get_with(path, "prefer", handling).expect(status);
    assert!(reply.content_type.starts_with("application/fhir+json"), "{}", reply.content_type);
    let outcome = reply.json();
    assert_eq!(outcome["resourceType"], "OperationOutcome", "{outcome}");
    assert_eq!(outcome["issue"][0]["severity"], "error", "{outcome}");
    outcome
}

#[test]
fn one_page_answers_what_a_clinician_asks() {
    let patient = Patient::new();
    let page = patient.client.fhir(
        "Observation?patient=p1&code=http://loinc.org|8867-4&date=ge2026-01-18&_sort=-date&_count=50\
         &_include=Observation:device&_revinclude=Provenance:target",
    );
    assert_eq!(page["type"], "searchset");
    assert!(page["link"].as_array().unwrap().iter().all(|link| link["relation"] != "next"), "{}", page["link"]);
    let (found, included) = (entries(&page, "match"), entries(&page, "include"));
    assert_eq!(found.len(), 7);
    let times: Vec<&str> = found.iter().map(|observation| observation["effectiveDateTime"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer > older), "{times:?}");
    let provenances = of_type(&included, "Provenance");
    let devices: BTreeSet<String> = of_type(&included, "Device").into_iter().map(reference).collect();
    for observation in &found {
        assert_eq!(observation["subject"]["reference"], "Patient/p1");
        let (rate, unit) = quantity(observation);
        assert!((55.0..95.0).contains(&rate) && unit == "/min", "{rate} {unit}");
        assert!(devices.contains(observation["device"]["reference"].as_str().unwrap()));
        let own =
            provenances.iter().filter(|provenance| references(&provenance["target"]).contains(&reference(observation)));
        assert_eq!(own.count(), 1);
    }
    let distinct: BTreeSet<String> = included.iter().map(reference).collect();
    assert_eq!(distinct.len(), included.len(), "something is included twice");
}

#[test]
fn derivation_leads_to_the_waveform_and_to_the_packets() {
    let patient = Patient::new();
    let client = &patient.client;
    let rates = client.search("Observation?patient=p1&code=http://loinc.org|8867-4&_sort=date");
    let provenance = provenance_of(client, &rates[1]);
    assert_eq!(entity(&provenance, "source")["what"]["identifier"]["value"], "chest-1/ecg/60-119");
    let intervals = follow(client, entity(&provenance, "derivation")["what"]["reference"].as_str().unwrap());
    assert_eq!(own_code(&intervals), "rr-interval");
    let waveform = follow(client, intervals["derivedFrom"][0]["reference"].as_str().unwrap());
    assert_eq!(own_code(&waveform), "ecg");
    assert_eq!(waveform["effectivePeriod"]["start"], "2026-01-18T14:01:00.000Z");
    for derived in references(&rates[1]["derivedFrom"]) {
        follow(client, &derived);
    }
    assert!(rates[1]["derivedFrom"].as_array().is_some_and(|sources| !sources.is_empty()));
    for agent in provenance["agent"].as_array().unwrap() {
        follow(client, agent["who"]["reference"].as_str().unwrap());
    }
}

#[test]
fn a_provenance_names_the_hash_of_its_packets() {
    let patient = Patient::new();
    let found = patient.client.search("Observation?patient=p1&code=http://loinc.org|8310-5");
    assert_eq!(quantity(&found[0]), (38.0, "Cel"));
    let provenance = provenance_of(&patient.client, &found[0]);
    let range = &entity(&provenance, "source")["extension"][0];
    let part = |name: &str| range["extension"].as_array().unwrap().iter().find(|part| part["url"] == name).unwrap();
    let canonical = serde_json_canonicalizer::to_vec(&temperature()).unwrap();
    let chain = Sha256::new().chain_update([0; 32]).chain_update(Sha256::digest(canonical)).finalize();
    assert_eq!(part("sha256")["valueString"], hex::encode(chain));
    assert_eq!(
        (part("device")["valueString"].as_str(), part("stream")["valueString"].as_str()),
        (Some(DEVICE), Some("skin"))
    );
    assert_eq!(range["url"].as_str().unwrap().rsplit('/').next(), Some("packet-range"));
}

#[track_caller]
fn provenance_of(client: &Client, observation: &Value) -> Value {
    let found = client.search(&format!("Provenance?target={}", reference(observation)));
    let [provenance] = found.as_slice() else { panic!("{} Provenances of {}", found.len(), reference(observation)) };
    provenance.clone()
}

#[track_caller]
fn entity<'a>(provenance: &'a Value, role: &str) -> &'a Value {
    let found = provenance["entity"].as_array().unwrap().iter().find(|entity| entity["role"] == role);
    found.unwrap_or_else(|| panic!("no {role} in {provenance:#}"))
}

#[track_caller]
fn follow(client: &Client, reference: &str) -> Value {
    let resource = client.fhir(reference);
    assert_eq!(
        format!("{}/{}", resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap()),
        reference
    );
    resource
}

#[test]
fn pages_hold_every_match_once_and_in_order() {
    let patient = Patient::new();
    let whole = patient.client.search("Observation?patient=p1&_sort=-date&_count=200");
    let paged = patient.client.search("Observation?patient=p1&_sort=-date&_count=3");
    assert!(whole.len() > 20, "{}", whole.len());
    let names = |found: &[Value]| found.iter().map(reference).collect::<Vec<_>>();
    assert_eq!(names(&whole), names(&paged));
}

#[test]
fn searches_narrow_by_what_they_say() {
    let patient = Patient::new();
    let count = |query: &str| patient.client.search(&format!("Observation?{query}")).len();
    assert_eq!(count("patient=Patient/p1&code=8867-4"), 7);
    assert_eq!(count("subject=Patient/p1&code=http://loinc.org|8867-4,http://loinc.org|8310-5"), 8);
    assert_eq!(count("code=http://snomed.info/sct|8867-4"), 0);
    assert_eq!(count("patient=p2"), 0);
    assert_eq!(count("category=vital-signs"), 8);
    assert_eq!(count("code=8867-4&date=gt2026-01-18T14:03:00Z"), 4);
    assert_eq!(count("code=8867-4&date=ge2026-01-18T14:03:00Z&date=lt2026-01-18T14:05:00Z"), 2);
    assert_eq!(count("code=8867-4&date=2026-01-18"), 7);
    assert_eq!(count("code=8867-4&date=2026-01-19"), 0);
    let one = patient.client.search("Observation?code=8310-5");
    assert_eq!(count(&format!("_id={}", one[0]["id"].as_str().unwrap())), 1);
    let identifier = &one[0]["identifier"][0];
    let token = format!("{}|{}", identifier["system"].as_str().unwrap(), identifier["value"].as_str().unwrap());
    assert_eq!(count(&format!("identifier={token}")), 1);
}

#[test]
fn read_vread_and_history_agree() {
    let patient = Patient::new();
    let client = &patient.client;
    let found = client.search("Observation?code=8310-5");
    let name = reference(&found[0]);
    assert_eq!(client.fhir(&name), found[0]);
    assert_eq!(client.fhir(&format!("{name}/_history/1")), found[0]);
    let history = client.fhir(&format!("{name}/_history"));
    assert_eq!((history["type"].as_str(), history["entry"].as_array().map(Vec::len)), (Some("history"), Some(1)));
    assert_eq!(history["entry"][0]["resource"], found[0]);
    outcome(client, "/fhir/R4/Observation/nobody", false, 404);
    outcome(client, &format!("/fhir/R4/{name}/_history/2"), false, 404);
}

#[test]
fn strips_are_pictures() {
    let patient = Patient::new();
    let client = &patient.client;
    let documents = client.search("DocumentReference?patient=p1");
    assert!(!documents.is_empty());
    let attachment = &documents[0]["content"][0]["attachment"];
    assert_eq!(attachment["contentType"], "image/png");
    let url = attachment["url"].as_str().unwrap();
    let path = format!("/fhir/R4/{}", &url[url.find("Binary/").unwrap()..]);
    let picture = client.get_with(&path, "accept", "image/png").expect(200);
    assert_eq!(picture.content_type, "image/png");
    assert!(picture.body.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert_eq!(attachment["size"], picture.body.len());
    let resource = client.get_with(&path, "accept", "application/fhir+json").expect(200).json();
    assert_eq!(resource["resourceType"], "Binary");
}

#[test]
fn what_is_not_supported_is_refused_and_not_ignored() {
    let patient = Patient::new();
    let client = &patient.client;
    let refusal = outcome(client, "/fhir/R4/Observation?patient=p1&shoe-size=44", true, 400);
    assert!(refusal.to_string().contains("shoe-size"), "{refusal}");
    let lenient = client.fhir("Observation?patient=p1&code=8310-5&shoe-size=44");
    let own = lenient["link"].as_array().unwrap().iter().find(|link| link["relation"] == "self").unwrap();
    assert!(!own["url"].as_str().unwrap().contains("shoe-size"), "the self link claims what was not done: {own}");
    for path in ["Observation?date=yesterday", "Observation?_count=many", "Observation?_sort=shoe-size&_count=1"] {
        outcome(client, &format!("/fhir/R4/{path}"), true, 400);
    }
    outcome(client, "/fhir/R4/Nonsense", false, 404);
    outcome(client, "/fhir/R4/Observation/$everything", false, 404);
}

#[test]
fn the_api_needs_a_key_and_keeps_tenants_apart() {
    let patient = Patient::new();
    outcome(&patient.client.with_key(""), "/fhir/R4/Observation", false, 401);
    outcome(&patient.client.with_key("sk_sandbox_wrong"), "/fhir/R4/Observation", false, 401);
    let found = patient.client.search("Observation?code=8310-5");
    let stranger = Server::shared().tenant();
    assert_eq!(stranger.observations(), 0);
    outcome(&stranger, &format!("/fhir/R4/{}", reference(&found[0])), false, 404);
}

#[test]
fn the_capability_statement_lists_what_is_there() {
    let server = Server::shared();
    let client = server.tenant();
    let statement = client.with_key("").fhir("metadata");
    assert_eq!(
        (statement["resourceType"].as_str(), statement["fhirVersion"].as_str()),
        (Some("CapabilityStatement"), Some("4.0.1"))
    );
    let resources = statement["rest"][0]["resource"].as_array().unwrap();
    let types: BTreeSet<&str> = resources.iter().map(|resource| resource["type"].as_str().unwrap()).collect();
    for kind in [
        "Observation",
        "Device",
        "Provenance",
        "DocumentReference",
        "Binary",
        "Patient",
        "CodeSystem",
        "StructureDefinition",
    ] {
        assert!(types.contains(kind), "{kind} is not in {types:?}");
    }
    let has = |resource: &Value, code: &str| {
        resource["interaction"].as_array().unwrap().iter().any(|one| one["code"] == code)
    };
    for resource in resources {
        let kind = resource["type"].as_str().unwrap();
        if has(resource, "search-type") {
            assert_eq!(client.fhir(kind)["resourceType"], "Bundle");
        }
        if has(resource, "read") {
            outcome(&client, &format!("/fhir/R4/{kind}/nobody"), false, 404);
        }
        for parameter in resource["searchParam"].as_array().into_iter().flatten() {
            assert!(parameter["definition"].is_string() && parameter["type"].is_string(), "{kind}: {parameter}");
        }
    }
}

#[test]
fn our_own_definitions_are_served_at_their_urls() {
    let server = Server::shared();
    let client = server.tenant();
    for (kind, name) in [
        ("CodeSystem", "biosignal"),
        ("CodeSystem", "method"),
        ("ValueSet", "biosignal"),
        ("StructureDefinition", "signal-quality"),
    ] {
        let url = format!("https://afferent.dev/fhir/{kind}/{name}");
        let found = client.search(&format!("{kind}?url={url}"));
        let [definition] = found.as_slice() else { panic!("{} of {url}", found.len()) };
        assert_eq!(definition["url"], url);
        assert_eq!(client.fhir(&reference(definition))["url"], url);
    }
    let system = &client.search("CodeSystem?url=https://afferent.dev/fhir/CodeSystem/biosignal")[0];
    let concepts = json!({"coding": system["concept"]});
    assert!(has_code(&concepts, "heart-rate") && has_code(&concepts, "ecg"));
}

/// Parts of a Parameters resource with this name.
fn named<'a>(parts: &'a Value, name: &str) -> Vec<&'a Value> {
    parts.as_array().into_iter().flatten().filter(|part| part["name"] == name).collect()
}

#[test]
fn lineage_leads_from_a_heart_rate_to_the_packets_in_one_call() {
    let patient = Patient::new();
    let rate = &patient.client.search("Observation?patient=p1&code=heart-rate&_sort=date")[1];
    let told = patient.client.fhir(&format!("{}/$lineage", reference(rate)));
    let sources = named(&told["parameter"], "source");
    let of = |source: &Value, name: &str| {
        named(&source["part"], name).first().map(|part| (*part).clone()).unwrap_or_default()
    };
    assert_eq!(of(sources[0], "target")["valueReference"]["reference"], reference(rate));
    assert_eq!(of(sources[0], "version")["valueString"], "heart-rate-v1.1.0");
    let kinds: Vec<String> = sources
        .iter()
        .map(|source| {
            own_code(&patient.client.fhir(of(source, "target")["valueReference"]["reference"].as_str().unwrap()))
        })
        .collect();
    assert_eq!(kinds, ["heart-rate", "rr-interval", "ecg"]);
    let packets = of(sources[2], "packets");
    let part = |name: &str, value: &str| named(&packets["part"], name)[0][value].clone();
    assert_eq!((part("device", "valueString"), part("stream", "valueString")), (json!(DEVICE), json!("ecg")));
    assert_eq!(part("sha256", "valueString").as_str().unwrap().len(), 64);
    assert!(named(&sources[2]["part"], "algorithm").is_empty(), "the device itself");
}

#[test]
fn minutes_of_waveform_are_drawn_with_as_many_points_as_are_asked_for() {
    let patient = Patient::new();
    let asked = |start: &str, end: &str, max: u32| {
        patient.client.fhir(&format!("Observation/$series?patient=p1&code=ecg&start={start}&end={end}&max={max}"))
    };
    let counts = |data: &Value| -> Vec<Option<i64>> {
        data["data"].as_str().unwrap().split(' ').map(|count| count.parse().ok()).collect()
    };
    let whole = asked("2026-01-18T14:01:00Z", "2026-01-18T14:01:02Z", 1000);
    let samples = counts(&whole["valueSampledData"]);
    assert_eq!(samples.len(), 720);
    assert!(samples.iter().all(Option::is_some));

    let drawn = asked("2026-01-18T14:00:30Z", "2026-01-18T14:03:30Z", 600);
    let [low, high] = [0, 1].map(|at| counts(&drawn["component"][at]["valueSampledData"]));
    assert_eq!((low.len(), high.len()), (600, 600));
    assert!(low.iter().zip(&high).all(|(low, high)| low.is_some() && low <= high));
    // No peak is lost: the highest sample of two seconds is in the points that cover them.
    let peak = samples.iter().flatten().max();
    assert_eq!(high[100..=106].iter().flatten().max(), peak);
    patient
        .client
        .get("/fhir/R4/Observation/$series?patient=p1&code=ecg&start=2025-01-01T00:00:00Z&end=2025-01-01T00:01:00Z")
        .expect(404);
    for bad in [
        "patient=p1&code=ecg&start=x&end=2026-01-18T14:00:00Z",
        "patient=p1&code=ecg",
        "patient=p1&code=ecg&start=2026-01-18T14:00:00Z&end=2026-03-18T14:00:00Z",
    ] {
        patient.client.get(&format!("/fhir/R4/Observation/$series?{bad}")).expect(400);
    }
}
