//! Searches against a real database.

use super::*;
use crate::store::date::{Prefix, Span};
use crate::store::fixture::{observation, provenance, resource, store, tenant};
use crate::store::sql::Value;

fn term(parameter: &str, system: Option<&str>, value: &str) -> Filter {
    Filter::Term {
        parameter: parameter.to_owned(),
        values: vec![TermMatch { system: system.map(str::to_owned), value: value.to_owned() }],
    }
}

fn subject(patient: &str) -> Filter {
    Filter::Subject(vec![format!("Patient/{patient}")])
}

fn search(filters: Vec<Filter>) -> Search {
    Search { kind: "Observation".to_owned(), filters, count: 50, ..Search::default() }
}

fn ids(page: &Page) -> Vec<&str> {
    page.matches.iter().map(|m| m.id.as_str()).collect()
}

fn date(text: &str) -> Filter {
    Filter::Date(vec![DateMatch::parse(text).unwrap()])
}

async fn seeded() -> (tempfile::TempDir, crate::store::Store) {
    let (directory, store) = store().await;
    let mut resources = Vec::new();
    for i in 0..20 {
        let patient = if i % 2 == 0 { "p0" } else { "p1" };
        resources.push(observation(&format!("o{i:02}"), patient, &format!("2026-01-18T14:{i:02}:00.000Z"), "60"));
        resources.push(provenance(&format!("v{i:02}"), &format!("Observation/o{i:02}")));
    }
    resources.push(resource("Device", "d1", r#","status":"active""#));
    store.put(&tenant("a"), resources).await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn filters_hold_together_and_tenants_are_apart() {
    let (_directory, store) = seeded().await;
    let all = search(vec![subject("p0"), term("code", None, "8867-4")]);
    let page = store.search(&tenant("a"), &all).await.unwrap();
    assert_eq!(page.total, Some(10));
    assert_eq!(ids(&page)[..2], ["o18", "o16"]);
    assert!(store.search(&tenant("b"), &all).await.unwrap().matches.is_empty());
    for (filters, expected) in [
        (vec![term("code", Some("http://loinc.org"), "8867-4")], 20),
        (vec![term("code", Some("http://snomed.info/sct"), "8867-4")], 0),
        (vec![term("code", Some(""), "8867-4")], 0),
        (
            vec![
                term("code", None, "heart-rate"),
                term("status", None, "final"),
                term("category", None, "vital-signs"),
            ],
            20,
        ),
        (vec![term("device", None, "Device/d1"), subject("p1")], 10),
        (vec![term("identifier", None, "m-o07")], 1),
        (vec![date("ge2026-01-18T14:05"), date("lt2026-01-18T14:10"), subject("p0")], 2),
        (vec![date("2026-01-18"), term("code", None, "8867-4")], 20),
        (vec![Filter::Id(vec!["o01".to_owned(), "o02".to_owned(), "no".to_owned()])], 2),
        (vec![Filter::Updated(vec![DateMatch::parse("2026-02-01").unwrap()])], 20),
        (vec![Filter::Updated(vec![DateMatch::parse("gt2026-02-01").unwrap()])], 0),
        (
            vec![
                Filter::Subject(vec!["Patient/p0".to_owned(), "Patient/p1".to_owned()]),
                term("status", None, "final"),
            ],
            20,
        ),
    ] {
        let found = store.search(&tenant("a"), &search(filters.clone())).await.unwrap();
        assert_eq!(found.matches.len(), expected, "{filters:?}");
        let counted =
            store.search(&tenant("a"), &Search { count: 0, total: true, ..search(filters.clone()) }).await.unwrap();
        assert_eq!(counted.total, Some(expected as u64), "{filters:?}");
    }
}

#[tokio::test]
async fn alternatives_are_not_repeated() {
    let (_directory, store) = seeded().await;
    let values = ["8867-4", "heart-rate", "none"].map(|v| TermMatch { system: None, value: v.to_owned() });
    let filters = vec![subject("p0"), Filter::Term { parameter: "code".to_owned(), values: values.to_vec() }];
    let page = store.search(&tenant("a"), &search(filters)).await.unwrap();
    assert_eq!(page.matches.len(), 10);
}

#[tokio::test]
async fn one_code_in_two_systems_is_one_match() {
    let (_directory, store) = store().await;
    let body = r#","status":"final","code":{"coding":[{"system":"a:b","code":"x"},{"system":"a:c","code":"x"}]}"#;
    store
        .put(&tenant("a"), vec![resource("Observation", "1", body), resource("Observation", "2", body)])
        .await
        .unwrap();
    let mut query = Search { count: 1, total: true, ..search(vec![term("code", None, "x")]) };
    let mut seen = Vec::new();
    loop {
        let page = store.search(&tenant("a"), &query).await.unwrap();
        assert_eq!(page.total, Some(2));
        seen.extend(page.matches.iter().map(|m| m.id.clone()));
        let Some(next) = page.next else { break };
        query.after = Some(next);
    }
    seen.dedup();
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn pages_neither_repeat_nor_drop_while_resources_arrive() {
    for sort in [
        vec![],
        vec![(Column::Date, true)],
        vec![(Column::Date, false)],
        vec![(Column::Updated, true), (Column::Id, false)],
        vec![(Column::Id, true)],
        vec![(Column::Subject, false), (Column::Date, true)],
    ] {
        for filters in [
            vec![],
            vec![subject("p0")],
            vec![term("code", None, "8867-4")],
            vec![subject("p1"), term("code", None, "8867-4")],
        ] {
            let (_directory, store) = seeded().await;
            let everything = store.search(&tenant("a"), &search(filters.clone())).await.unwrap().matches.len();
            let sort = sort.iter().map(|&(column, descending)| Sort { column, descending }).collect();
            let mut query = Search { count: 3, sort, ..search(filters) };
            let mut seen = Vec::new();
            for i in 0.. {
                let page = store.search(&tenant("a"), &query).await.unwrap();
                seen.extend(page.matches.iter().map(|m| m.id.clone()));
                let late = format!("2026-01-18T14:{:02}:30.000Z", (7 * i) % 20);
                store.put(&tenant("a"), vec![observation(&format!("new{i}"), "p0", &late, "61")]).await.unwrap();
                let Some(next) = page.next else { break };
                query.after = Some(next);
            }
            let mut old: Vec<&String> = seen.iter().filter(|id| id.starts_with('o')).collect();
            old.sort();
            assert_eq!(old.len(), everything, "{query:?}");
            seen.sort();
            let all = seen.len();
            seen.dedup();
            assert_eq!(seen.len(), all, "{query:?}");
        }
    }
}

#[tokio::test]
async fn what_refers_and_what_is_referred_to_come_along() {
    let (_directory, store) = seeded().await;
    let include =
        |kind: &str, parameter: &str| Include { kind: kind.to_owned(), parameter: parameter.to_owned(), target: None };
    let query = Search {
        count: 5,
        includes: vec![include("Observation", "device"), include("Observation", "patient")],
        revincludes: vec![include("Provenance", "target")],
        ..search(vec![subject("p0")])
    };
    let page = store.search(&tenant("a"), &query).await.unwrap();
    let included: Vec<String> = page.included.iter().map(Stored::reference).collect();
    assert_eq!(included.len(), 6);
    assert_eq!(included[0], "Device/d1");
    assert!(included.contains(&"Provenance/v18".to_owned()));
}

/// Every prefix, in SQL and in [`DateMatch::matches`], on every pair of short spans.
#[tokio::test]
async fn date_prefixes_mean_the_same_in_sql_and_in_rust() {
    let (_directory, store) = store().await;
    let at = |minute: i64| crate::time::Instant(1_768_700_000_000_000 + minute * 60_000_000);
    let mut spans = Vec::new();
    for from in 0..5 {
        for until in from..5 {
            let id = format!("s{from}{until}");
            let body = format!(
                r#","status":"final","code":{{"text":"x"}},"effectivePeriod":{{"start":"{}","end":"{}"}}"#,
                at(from * 7).to_fhir(),
                at(until * 7).to_fhir()
            );
            store.put(&tenant("a"), vec![resource("Observation", &id, &body)]).await.unwrap();
            spans.push((id, Span { from: at(from * 7).0, until: at(until * 7).0 + 1000 }));
        }
    }
    let now = crate::time::Instant::parse("2026-02-01T00:00:00Z").unwrap();
    for prefix in
        [Prefix::Eq, Prefix::Ne, Prefix::Gt, Prefix::Lt, Prefix::Ge, Prefix::Le, Prefix::Sa, Prefix::Eb, Prefix::Ap]
    {
        for a in -1..6 {
            for b in a..6 {
                let date = DateMatch { prefix, span: Span { from: at(a * 7).0, until: at(b * 7).0 + 1000 } };
                let mut expected: Vec<&str> =
                    spans.iter().filter(|(_, span)| date.at(now).matches(*span)).map(|(id, _)| id.as_str()).collect();
                let page = store.search(&tenant("a"), &search(vec![Filter::Date(vec![date])])).await.unwrap();
                let mut found = ids(&page);
                found.sort_unstable();
                expected.sort_unstable();
                assert_eq!(found, expected, "{date:?}");
            }
        }
    }
}

/// No search that is asked often sorts what it found or reads what it does not answer.
#[tokio::test]
async fn frequent_searches_are_range_scans() {
    let (_directory, store) = seeded().await;
    let newest = || vec![Sort { column: Column::Date, descending: true }];
    let loinc = || term("code", Some("http://loinc.org"), "8867-4");
    let tenant = tenant("a");
    for (query, index) in [
        (Search { sort: newest(), ..search(vec![subject("p0"), loinc(), date("ge2026-01-01")]) }, "PRIMARY KEY"),
        (
            Search { sort: newest(), ..search(vec![subject("p0"), loinc(), term("status", None, "final")]) },
            "PRIMARY KEY",
        ),
        (search(vec![subject("p0"), term("category", None, "vital-signs")]), "PRIMARY KEY"),
        (search(vec![subject("p0")]), "observation_subject"),
        (Search { sort: newest(), ..search(vec![subject("p0"), date("lt2026-03-01")]) }, "observation_subject"),
        (search(vec![]), "observation_date"),
        (Search { sort: newest(), ..search(vec![loinc()]) }, "observation_date"),
        (search(vec![loinc()]), "PRIMARY KEY"),
        (search(vec![term("identifier", None, "m-o01")]), "PRIMARY KEY"),
        (
            Search { kind: "Provenance".to_owned(), ..search(vec![term("target", None, "Observation/o01")]) },
            "PRIMARY KEY",
        ),
        (
            Search { sort: vec![Sort { column: Column::Updated, descending: true }], ..search(vec![]) },
            "observation_updated",
        ),
        (search(vec![Filter::Id(vec!["o01".to_owned()])]), "observation_id"),
    ] {
        for after in [false, true] {
            let mut query = query.clone();
            query.count = 1;
            if after {
                query.after = store.search(&tenant, &query).await.unwrap().next;
            }
            let plan = Plan::of(&store.capability, &tenant, &query, store.clock.now());
            let lines = explain(&store, plan.page()).await;
            assert!(lines[0].starts_with("SEARCH") && lines[0].contains(index), "{query:?} {lines:?}");
            let by_id = index == "observation_id"; // a handful of ids is sorted
            assert!(
                by_id || !lines.iter().any(|line| line.contains("TEMP B-TREE") || line.starts_with("SCAN")),
                "{query:?} {lines:?}"
            );
        }
    }
}

async fn explain(store: &crate::store::Store, sql: crate::store::sql::Sql) -> Vec<String> {
    let mut explain = crate::store::sql::Sql::new("EXPLAIN QUERY PLAN ");
    explain.append(sql);
    explain.query().fetch_all(&store.readers).await.unwrap().iter().map(|row| row.try_get(3).unwrap()).collect()
}

#[tokio::test]
async fn a_cursor_of_another_order_finds_nothing() {
    let (_directory, store) = seeded().await;
    let after = Some(Cursor { at: vec![Value::Int(1)] });
    assert!(store.search(&tenant("a"), &Search { after, ..search(vec![]) }).await.unwrap().matches.is_empty());
}

/// CPU time of this process, all threads.
fn cpu() -> std::time::Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    std::time::Duration::from_millis(10 * ticks.filter_map(|t| t.parse::<u64>().ok()).sum::<u64>())
}

/// `cargo test --release --lib -- --ignored --nocapture store_speed`: CPU time per operation.
#[tokio::test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
async fn store_speed() {
    const ROUNDS: i64 = 20;
    let (directory, store) = store().await;
    let tenant = tenant("a");
    let minute = |i: i64| crate::time::Instant(1_700_000_000_000_000 + i * 60_000_000).to_fhir();
    let mut spent = [std::time::Duration::ZERO; 3];
    for round in 0..ROUNDS {
        let observations: Vec<_> = (0..1000)
            .map(|i| observation(&format!("o{round}-{i}"), &format!("p{}", i % 10), &minute(round * 1000 + i), "60"))
            .collect();
        let provenances: Vec<_> =
            (0..1000).map(|i| provenance(&format!("v{round}-{i}"), &format!("Observation/o{round}-{i}"))).collect();
        for (spent, resources) in spent.iter_mut().zip([observations.clone(), observations, provenances]) {
            let start = cpu();
            store.put(&tenant, resources).await.unwrap();
            *spent += cpu().saturating_sub(start);
        }
    }
    let rows = u32::try_from(ROUNDS * 1000).unwrap();
    println!(
        "per Observation: new {:?}, again {:?}; per Provenance {:?}",
        spent[0] / rows,
        spent[1] / rows,
        spent[2] / rows
    );
    let size = std::fs::metadata(directory.path().join("test.db")).unwrap().len();
    println!("{} bytes per Observation with Provenance", size / u64::from(rows));

    let filters = vec![subject("p3"), term("code", Some("http://loinc.org"), "8867-4"), date("ge2023-11-15")];
    let trend = Search { sort: vec![Sort { column: Column::Date, descending: true }], ..search(filters) };
    let include =
        |kind: &str, parameter: &str| Include { kind: kind.to_owned(), parameter: parameter.to_owned(), target: None };
    let with = Search {
        includes: vec![include("Observation", "device")],
        revincludes: vec![include("Provenance", "target")],
        ..trend.clone()
    };
    let of_code = vec![subject("p3"), term("code", Some("http://loinc.org"), "8867-4")];
    let counted = Search { count: 0, total: true, ..search(of_code) };
    let identified = search(vec![term("identifier", None, "m-o7-500")]);
    let id = crate::id::ResourceId::new("o7-500").unwrap();
    let start = cpu();
    for _ in 0..2000 {
        store.read(&tenant, "Observation", &id).await.unwrap().unwrap().json();
    }
    println!("read {:?}", (cpu().saturating_sub(start)) / 2000);
    for (name, query) in [
        ("identifier", &identified),
        ("trend of 50", &trend),
        ("with Device and Provenance", &with),
        ("count of 2,000", &counted),
    ] {
        let start = cpu();
        for _ in 0..500 {
            let page = store.search(&tenant, query).await.unwrap();
            page.matches.iter().for_each(|m| drop(m.json()));
        }
        println!("{name} {:?}", (cpu().saturating_sub(start)) / 500);
    }
}
