//! Searches against a real database.

mod value;

use super::*;
use crate::store::date::{DateMatch, Prefix, Span};
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
            vec![Filter::Quantity {
                parameter: "value-quantity".to_owned(),
                values: vec![QuantityMatch { prefix: Prefix::Gt, value: 50.0, half: 0.5, unit: None }],
            }],
            vec![Filter::Not(Box::new(term("status", None, "amended")))],
        ] {
            let (_directory, store) = seeded().await;
            let everything = store.search(&tenant("a"), &search(filters.clone())).await.unwrap().matches.len();
            let sort =
                sort.iter().map(|&(column, descending)| Sort { key: SortKey::Column(column), descending }).collect();
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
    let include = |kind: &str, parameter: &str| Include {
        kind: kind.to_owned(),
        parameter: parameter.to_owned(),
        target: None,
        iterate: false,
    };
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
    let many = store.is_shared();
    if many {
        plenty(&store).await;
    }
    let newest = || vec![Sort { key: SortKey::Column(Column::Date), descending: true }];
    let loinc = || term("code", Some("http://loinc.org"), "8867-4");
    let tenant = tenant("a");
    for (query, index) in [
        (Search { sort: newest(), ..search(vec![subject("p0"), loinc(), date("ge2026-01-01")]) }, COHORT),
        (Search { sort: newest(), ..search(vec![subject("p0"), loinc(), term("status", None, "final")]) }, COHORT),
        (search(vec![subject("p0"), term("category", None, "vital-signs")]), COHORT),
        (search(vec![subject("p0")]), "observation_subject"),
        (Search { sort: newest(), ..search(vec![subject("p0"), date("lt2026-03-01")]) }, "observation_subject"),
        (search(vec![]), "observation_date"),
        // Where there are many cohorts the dates are walked instead.
        (Search { sort: newest(), ..search(vec![loinc()]) }, if many { "observation_date" } else { COHORT }),
        (search(vec![loinc()]), if many { "observation_date" } else { COHORT }),
        (search(vec![term("identifier", None, "m-o01")]), TERMS),
        (Search { kind: "Provenance".to_owned(), ..search(vec![term("target", None, "Observation/o01")]) }, TERMS),
        (
            Search { sort: vec![Sort { key: SortKey::Column(Column::Updated), descending: true }], ..search(vec![]) },
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
            let conditions = store.resolve(&tenant, &query.kind, &query.filters).await.unwrap();
            let cohorts = store.cohorts(&query.kind, &conditions, &store.readers).await.unwrap();
            let plan = Plan::of(&tenant, &query, (&conditions, cohorts.as_deref()), store.clock.now());
            let lines = explain(&store, plan.page()).await;
            // A handful is sorted, and so are the first of each of several cohorts.
            let few = index == "observation_id" || index == TERMS || cohorts.is_some_and(|named| named.len() > 1);
            let (found, lead, avoided) = if store.is_shared() {
                // How far back to look is one look-up before the plan itself.
                let scan = lines.iter().find(|line| line.contains("Scan") && !line.contains("observation_long"));
                (scan.unwrap(), "Index", ["Sort", "Seq Scan"])
            } else {
                (lines.iter().find(|line| line.contains("SEARCH")).unwrap(), "SEARCH", ["TEMP B-TREE", "SCAN "])
            };
            let index = if index != TERMS {
                index
            } else if store.is_shared() {
                "_term_pkey"
            } else {
                "PRIMARY KEY"
            };
            assert!(found.contains(lead) && found.contains(index), "{query:?} {lines:#?}");
            let bad = |line: &&String| avoided.iter().any(|word| line.contains(word));
            assert!(few || !lines.iter().any(|line| bad(&line)), "{query:?} {lines:#?}");
        }
    }
}

/// The index of a `_term` table.
const TERMS: &str = "terms";

/// The index of the resources of a cohort.
const COHORT: &str = "observation_in_cohort";

/// So much, half of it of one patient, that PostgreSQL, which knows how much there is, does not rather read and sort all of it.
async fn plenty(store: &crate::store::Store) {
    let minute = |i: i64| crate::time::Instant(1_768_000_000_000_000 + i * 60_000_000).to_fhir();
    for round in 0..10 {
        let who = |i: i64| format!("p{}", if i % 2 == 0 { 0 } else { i % 200 });
        let one = |i: i64| observation(&format!("m{i}"), &who(i), &minute(i), "60");
        let observations = (round * 400..(round + 1) * 400).map(one).collect();
        store.put(&tenant("a"), observations).await.unwrap();
    }
    let provenances = (0..1000).map(|i| provenance(&format!("w{i}"), &format!("Observation/m{i}"))).collect();
    store.put(&tenant("a"), provenances).await.unwrap();
    sqlx::query("ANALYZE").execute(&store.writer).await.unwrap();
}

async fn explain(store: &crate::store::Store, sql: crate::store::sql::Sql) -> Vec<String> {
    store.plan(sql).await.unwrap().iter().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test]
async fn what_asks_for_more_values_than_a_statement_may_have_is_refused_wherever_it_stands() {
    let (_directory, store) = seeded().await;
    let many = Filter::Id((0..=MOST_VALUES).map(|i| i.to_string()).collect());
    let has =
        Filter::Has { kind: "Observation".to_owned(), parameter: "device".to_owned(), filters: vec![many.clone()] };
    for query in [search(vec![many]), Search { kind: "Device".to_owned(), ..search(vec![has]) }] {
        let refused = store.search(&tenant("a"), &query).await;
        assert!(matches!(refused, Err(StoreError::TooBroad { .. })), "{:?}", refused.map(|page| page.matches.len()));
    }
}

#[tokio::test]
async fn a_cursor_of_another_order_finds_nothing() {
    let (_directory, store) = seeded().await;
    let after = Some(Cursor { at: vec![Value::Int(1)] });
    assert!(store.search(&tenant("a"), &Search { after, ..search(vec![]) }).await.unwrap().matches.is_empty());
}
