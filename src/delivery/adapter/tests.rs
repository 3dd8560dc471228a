//! What adapters make of resources and answers.

use serde_json::{Value, json};

use super::*;
use crate::delivery::connection::PatientBinding;
use crate::delivery::outgoing::Beside;
use crate::id::TenantId;
use crate::registry::Registry;

fn uuid(number: usize) -> String {
    format!("00000000-0000-5000-8000-{number:012}")
}

/// An Organization, a Device, a Patient, and Observations each derived from the one before.
fn outgoing(observations: usize) -> Vec<Outgoing> {
    let tenant = TenantId::new("a").unwrap();
    let made = |ordinal: usize, kind: &str, body: Value| {
        let Value::Object(body) = body else { panic!() };
        let key = (kind.to_owned(), uuid(ordinal));
        Outgoing::new(
            &tenant,
            (ordinal.cast_signed() as i64, key, 1),
            body,
            PatientBinding::Included,
            &Beside::default(),
        )
    };
    let to = |kind: &str, number: usize| json!({"reference": format!("{kind}/{}", uuid(number))});
    let mut all = vec![
        made(0, "Organization", json!({"resourceType": "Organization", "name": "Clinic"})),
        made(1, "Device", json!({"resourceType": "Device", "owner": to("Organization", 0)})),
        made(2, "Patient", json!({"resourceType": "Patient"})),
    ];
    for number in 3..3 + observations {
        let mut body = json!({"resourceType": "Observation", "subject": to("Patient", 2), "device": to("Device", 1)});
        if number > 3 {
            body["derivedFrom"] = json!([to("Observation", number - 1)]);
        }
        all.push(made(number, "Observation", body));
    }
    all
}

fn medplum(mode: Mode) -> Medplum {
    let row = Registry::builtin().unwrap().targets["medplum"].clone();
    Medplum { base: "https://m.example/fhir/R4".to_owned(), row, mode }
}

/// Sends everything to a receiver that takes it; gives the requests' Bundles.
fn sent(adapter: &dyn Adapter, all: &[Outgoing]) -> Vec<Value> {
    let (mut pending, mut known, mut bundles) = (all.iter().collect::<Vec<_>>(), Known::new(), Vec::new());
    while !pending.is_empty() {
        let request = adapter.request(&pending, &known, adapter.most());
        assert!(!request.items.is_empty());
        let keys: Vec<Key> = request.items.iter().map(|&place| pending[place].key.clone()).collect();
        for one in request.items.iter().map(|&place| pending[place]) {
            let remote = format!("r-{}", &one.business.value[30..]);
            known.insert(one.key.clone(), Delivered { remote, digest: [0; 32] });
        }
        pending.retain(|one| !keys.contains(&one.key));
        bundles.push(serde_json::from_slice(&request.body).unwrap());
    }
    bundles
}

/// Every reference in a Bundle is to what is there, or to what is in it.
fn assert_resolvable(bundles: &[Value], may_be_within: bool) {
    let mut there: Vec<String> = Vec::new();
    for bundle in bundles {
        let entries = bundle["entry"].as_array().unwrap();
        let within: Vec<&str> = entries.iter().map(|entry| entry["fullUrl"].as_str().unwrap()).collect();
        for entry in entries {
            crate::fhir::reference::each(entry["resource"].as_object().unwrap(), "", &mut |path, to| {
                let is_within = may_be_within && within.contains(&to);
                assert!(is_within || there.iter().any(|known| known == to), "{path} {to}");
            });
        }
        there.extend(entries.iter().map(|entry| {
            let url = entry["fullUrl"].as_str().unwrap();
            format!("{}/r-{}", entry["resource"]["resourceType"].as_str().unwrap(), &url[url.len() - 6..])
        }));
    }
}

#[test]
fn a_transaction_has_eight_entries_and_refers_to_nothing_that_is_not_there() {
    let all = outgoing(20);
    let bundles = sent(&medplum(Mode::Transaction), &all);
    let sizes: Vec<usize> = bundles.iter().map(|bundle| bundle["entry"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [8, 8, 7]);
    assert_resolvable(&bundles, true);
    assert!(bundles.iter().all(|bundle| bundle["type"] == "transaction"));
    let first = &bundles[0]["entry"][0];
    assert_eq!(first["request"]["method"], "POST");
    let query = format!("identifier=https://afferent.dev/fhir/identifier/resource|{}", uuid(0));
    assert_eq!(first["request"]["ifNoneExist"], query.as_str());
}

#[test]
fn entries_of_a_batch_do_not_refer_to_each_other() {
    let bundles = sent(&medplum(Mode::Batch), &outgoing(4));
    assert_resolvable(&bundles, false);
    // The organization and the patient, the device, and one Observation after the other.
    assert_eq!(bundles.len(), 6);
}

#[test]
fn what_is_there_is_updated_by_its_id_there() {
    let all = outgoing(1);
    let pending: Vec<&Outgoing> = all.iter().collect();
    let known: Known =
        all.iter().map(|one| (one.key.clone(), Delivered { remote: "there".to_owned(), digest: [0; 32] })).collect();
    let request = medplum(Mode::Batch).request(&pending, &known, 8);
    let bundle: Value = serde_json::from_slice(&request.body).unwrap();
    for entry in bundle["entry"].as_array().unwrap() {
        let url = format!("{}/there", entry["resource"]["resourceType"].as_str().unwrap());
        assert_eq!(entry["request"], json!({"method": "PUT", "url": url}));
        assert_eq!(entry["resource"]["id"], "there");
    }
}

#[test]
fn each_entry_counts_whatever_the_status_of_the_whole() {
    let all = outgoing(2);
    let adapter = medplum(Mode::Batch);
    let request =
        Request { items: vec![0, 1, 2], ..adapter.request(&all.iter().collect::<Vec<_>>(), &Known::new(), 3) };
    let body = json!({"resourceType": "Bundle", "type": "transaction-response", "entry": [
        {"response": {"status": "201", "location": "Organization/x1/_history/1"}},
        {"response": {"status": "200", "location": "https://m.example/fhir/R4/Device/x2"}, "resource": {"resourceType": "Device", "id": "x2"}},
        {"response": {"status": "412", "outcome": {"resourceType": "OperationOutcome", "issue": [{"code": "multiple-matches"}]}}},
    ]});
    let answer =
        |status: u16, body: &Value| Answer { status, body: body.to_string().into_bytes(), ..Answer::default() };
    let Outcome::Each(results) = adapter.outcome(&request, &answer(200, &body)) else { panic!() };
    assert_eq!((results[0].remote.as_deref(), results[0].existed), (Some("x1"), false));
    assert_eq!((results[1].remote.as_deref(), results[1].existed), (Some("x2"), true));
    assert_eq!(results[2].disposition, Disposition::Refuse);
    assert!(results[2].outcome.is_some());
    for lost in [json!(null), json!({"resourceType": "Bundle", "type": "transaction-response"})] {
        let Outcome::Whole(result) = adapter.outcome(&request, &answer(200, &lost)) else { panic!() };
        assert_eq!(result.disposition, Disposition::Ambiguous);
    }
    // Stored as a Bundle, not executed.
    let stored = json!({"resourceType": "Bundle", "id": "b", "entry": [{}, {}, {}]});
    let Outcome::Whole(result) = adapter.outcome(&request, &answer(201, &stored)) else { panic!() };
    assert_eq!(result.disposition, Disposition::Ambiguous);
}

#[test]
fn a_probe_tells_atomic_transactions_from_others() {
    let answer = |status: u16, body: Value| Answer { status, body: body.to_string().into_bytes(), ..Answer::default() };
    let each =
        json!({"resourceType": "Bundle", "type": "transaction-response", "entry": [{"response": {"status": "404"}}]});
    assert_eq!(Medplum::probed(&answer(200, each)), Some(Mode::Batch));
    assert_eq!(Medplum::probed(&answer(404, json!({"resourceType": "OperationOutcome"}))), Some(Mode::Transaction));
    assert_eq!(Medplum::probed(&answer(503, json!({"resourceType": "OperationOutcome"}))), None);
}

#[test]
fn a_statement_says_how_resources_are_taken() {
    let types: Vec<Value> = crate::delivery::outgoing::SENT
        .iter()
        .map(|kind| json!({"type": kind, "interaction": [{"code": "update"}], "updateCreate": true, "conditionalCreate": false}))
        .collect();
    let mut statement = json!({"rest": [{"mode": "server", "interaction": [{"code": "transaction"}, {"code": "batch"}], "resource": types}]});
    let row = Registry::builtin().unwrap().targets["fhir-r4"].clone();
    let of = |statement: &Value| Statement::of(statement).unwrap();
    let put = of(&statement);
    assert_eq!((put.mode, put.by_put), (Mode::Transaction, true));
    let adapter = Fhir { base: "https://f.example".to_owned(), row: row.clone(), statement: put };
    let all = outgoing(3);
    let bundles = sent(&adapter, &all);
    assert_eq!(bundles[0]["entry"][5]["request"]["url"], format!("Observation/{}", uuid(5)));
    assert!(!adapter.looks_first());
    statement["rest"][0]["interaction"] = json!([{"code": "batch"}]);
    statement["rest"][0]["resource"][0]["updateCreate"] = json!(false);
    let batch = of(&statement);
    assert_eq!((batch.mode, batch.by_put), (Mode::Batch, false));
    assert!(Fhir { base: String::new(), row: row.clone(), statement: batch }.looks_first());
    statement["rest"][0]["interaction"] = json!([]);
    let single = of(&statement);
    assert_eq!(single.mode, Mode::Single);
    let adapter = Fhir { base: String::new(), row, statement: single };
    let request = adapter.request(&all.iter().collect::<Vec<_>>(), &Known::new(), 1);
    assert_eq!((request.method, request.path.as_str(), &request.items), ("POST", "Organization", &vec![0]));
    assert_eq!(request.headers[0].0, "if-none-exist");
    let created = Answer {
        status: 201,
        location: Some("https://f.example/Organization/o9/_history/1".to_owned()),
        ..Answer::default()
    };
    let Outcome::Each(results) = adapter.outcome(&request, &created) else { panic!() };
    assert_eq!(results[0].remote.as_deref(), Some("o9"));
}

#[test]
fn files_hold_a_resource_a_line_and_are_named_after_it() {
    let row = Registry::builtin().unwrap().targets["ndjson"].clone();
    let (adapter, all) = (File { row }, outgoing(2));
    let pending: Vec<&Outgoing> = all.iter().collect();
    let request = adapter.request(&pending, &Known::new(), 1000);
    assert_eq!(request.items.len(), 5);
    assert_eq!(adapter.request(&pending, &Known::new(), 1000).path, request.path);
    let Outcome::Each(results) = adapter.outcome(&request, &Answer { status: 201, ..Answer::default() }) else {
        panic!()
    };
    assert_eq!(results[4].remote.as_deref(), Some(uuid(4).as_str()));
}
