//! Strings, further dates, quantities, composites, chains: against a real database.

use super::*;
use crate::store::fixture::{observation, resource, store, tenant};

fn of(kind: &str, filters: Vec<Filter>) -> Search {
    Search { kind: kind.to_owned(), ..search(filters) }
}

async fn found(store: &crate::store::Store, kind: &str, filters: Vec<Filter>) -> Vec<String> {
    let page = store.search(&tenant("a"), &of(kind, filters.clone())).await.unwrap();
    let counting = Search { count: 0, total: true, ..of(kind, filters) };
    let counted = store.search(&tenant("a"), &counting).await.unwrap();
    assert_eq!(counted.total, u64::try_from(page.matches.len()).ok(), "{counting:?}");
    let mut ids: Vec<String> = page.matches.iter().map(|m| m.id.clone()).collect();
    ids.sort();
    ids
}

fn string(parameter: &str, how: How, text: &str) -> Filter {
    Filter::String { parameter: parameter.to_owned(), values: vec![StringMatch { how, text: text.to_owned() }] }
}

fn quantity(parameter: &str, prefix: Prefix, value: f64, half: f64, unit: Option<(&str, &str)>) -> Filter {
    let unit = unit.map(|(system, code)| UnitMatch {
        system: Some(system.to_owned()).filter(|s| !s.is_empty()),
        code: code.to_owned(),
    });
    Filter::Quantity { parameter: parameter.to_owned(), values: vec![QuantityMatch { prefix, value, half, unit }] }
}

const UCUM: &str = "http://unitsofmeasure.org";

fn pressure(id: &str, systolic: &str, diastolic: &str) -> crate::resource::Resource {
    let component = |code: &str, value: &str| {
        format!(
            r#"{{"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}},{{"system":"s:own","code":"own-{code}"}}]}},
            "valueQuantity":{{"value":{value},"unit":"mmHg","system":"{UCUM}","code":"mm[Hg]"}}}}"#
        )
    };
    let body = format!(
        r#","status":"final","code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9"}}]}},
        "subject":{{"reference":"Patient/p1"}},"effectiveDateTime":"2026-01-18T14:00:00Z","component":[{},{}]"#,
        component("8480-6", systolic),
        component("8462-4", diastolic)
    );
    resource("Observation", id, &body)
}

#[tokio::test]
async fn quantities_are_found_in_any_unit_of_theirs() {
    let (_directory, store) = store().await;
    let temperature = |id: &str, value: &str, code: &str| {
        let body = format!(
            r#","status":"final","code":{{"text":"t"}},"valueQuantity":{{"value":{value},"system":"{UCUM}","code":"{code}"}}"#
        );
        resource("Observation", id, &body)
    };
    let all = vec![
        temperature("cel", "37.0", "Cel"),
        temperature("degf", "98.6", "[degF]"),
        temperature("fever", "39.5", "Cel"),
        resource(
            "Observation",
            "plain",
            r#","status":"final","code":{"text":"t"},"valueQuantity":{"value":37,"unit":"C"}"#,
        ),
    ];
    store.put(&tenant("a"), all).await.unwrap();
    store.put(&tenant("b"), vec![temperature("other", "37.0", "Cel")]).await.unwrap();
    let value = "value-quantity";
    for (filter, expected) in [
        (quantity(value, Prefix::Eq, 37.0, 0.05, Some((UCUM, "Cel"))), vec!["cel", "degf"]),
        (quantity(value, Prefix::Eq, 98.6, 0.05, Some((UCUM, "[degF]"))), vec!["cel", "degf"]),
        (quantity(value, Prefix::Eq, 310.15, 0.005, Some((UCUM, "K"))), vec!["cel", "degf"]),
        (quantity(value, Prefix::Gt, 38.0, 0.5, Some((UCUM, "Cel"))), vec!["fever"]),
        (quantity(value, Prefix::Ge, 37.0, 0.5, Some((UCUM, "Cel"))), vec!["cel", "degf", "fever"]),
        (quantity(value, Prefix::Lt, 37.0, 0.5, Some((UCUM, "Cel"))), vec![]),
        (quantity(value, Prefix::Ne, 37.0, 0.05, Some((UCUM, "Cel"))), vec!["fever"]),
        (quantity(value, Prefix::Ap, 37.0, 0.05, Some(("", "Cel"))), vec!["cel", "degf", "fever"]),
        (quantity(value, Prefix::Eq, 37.0, 0.5, None), vec!["cel", "plain"]),
        (quantity(value, Prefix::Eq, 37.0, 0.5, Some(("", "C"))), vec!["plain"]),
        (quantity(value, Prefix::Eq, 37.0, 0.5, Some((UCUM, "kg"))), vec![]),
        (quantity("combo-value-quantity", Prefix::Gt, 39.0, 0.5, Some((UCUM, "Cel"))), vec!["fever"]),
        (quantity("component-value-quantity", Prefix::Gt, 0.0, 0.5, None), vec![]),
    ] {
        assert_eq!(found(&store, "Observation", vec![filter.clone()]).await, expected, "{filter:?}");
    }
}

#[tokio::test]
async fn a_code_and_a_value_of_a_composite_are_of_one_component() {
    let (_directory, store) = store().await;
    store.put(&tenant("a"), vec![pressure("high", "150", "80"), pressure("low", "95", "65")]).await.unwrap();
    let composite = |code: &str, prefix, value: f64| {
        let (system, code) = code.split_once('|').map_or((None, code), |(s, c)| (Some(s.to_owned()), c));
        Filter::Together {
            parameter: "component-code".to_owned(),
            code: TermMatch { system, value: code.to_owned() },
            value: Box::new(quantity("component-value-quantity", prefix, value, 0.5, Some((UCUM, "mm[Hg]")))),
        }
    };
    for (filter, expected) in [
        (composite("8480-6", Prefix::Gt, 140.0), vec!["high"]),
        (composite("8462-4", Prefix::Gt, 140.0), vec![]),
        (composite("own-8462-4", Prefix::Lt, 70.0), vec!["low"]),
        (composite("http://loinc.org|8480-6", Prefix::Ge, 95.0), vec!["high", "low"]),
        (composite("s:own|8480-6", Prefix::Ge, 95.0), vec![]),
        (composite("s:own|own-8480-6", Prefix::Ge, 95.0), vec!["high", "low"]),
    ] {
        assert_eq!(found(&store, "Observation", vec![filter.clone()]).await, expected, "{filter:?}");
    }
    let combo = |code: &str| term("combo-code", Some("http://loinc.org"), code);
    assert_eq!(found(&store, "Observation", vec![combo("85354-9")]).await, ["high", "low"]);
    assert_eq!(found(&store, "Observation", vec![combo("8480-6"), subject("p1")]).await, ["high", "low"]);
    // What is replaced is not found any more.
    store.put(&tenant("a"), vec![pressure("high", "120", "80")]).await.unwrap();
    assert!(found(&store, "Observation", vec![composite("8480-6", Prefix::Gt, 140.0)]).await.is_empty());
}

async fn people() -> (tempfile::TempDir, crate::store::Store) {
    let (directory, store) = store().await;
    let patient = |id: &str, name: &str, rest: &str| {
        resource("Patient", id, &format!(r#","name":[{name}],"active":true,"gender":"female"{rest}"#))
    };
    let all = vec![
        patient("p1", r#"{"family":"Müller","given":["Eva","Ada"]}"#, r#","deceasedDateTime":"2026-02""#),
        patient(
            "p2",
            r#"{"family":"Muller-Åberg","given":["Ib"]}"#,
            r#","managingOrganization":{"reference":"Organization/o1"}"#,
        ),
        patient(
            "p3",
            r#"{"text":"Zoë %_\\ Quist"}"#,
            r#","managingOrganization":{"identifier":{"system":"s:x","value":"9"}}"#,
        ),
        resource("Organization", "o1", r#","name":"Heart House","partOf":{"reference":"Organization/o2"}"#),
        resource("Organization", "o2", r#","name":"The Whole","active":true"#),
        observation("x1", "p1", "2026-01-18T14:00:00.000Z", "60"),
        observation("x2", "p2", "2026-01-18T14:01:00.000Z", "160"),
        observation("x3", "p2", "2026-01-18T14:02:00.000Z", "61"),
    ];
    store.put(&tenant("a"), all).await.unwrap();
    (directory, store)
}

#[tokio::test]
async fn strings_are_found_by_their_beginning_whatever_their_accents() {
    let (_directory, store) = people().await;
    for (filter, expected) in [
        (string("name", How::Start, "MUL"), vec!["p1", "p2"]),
        (string("family", How::Start, "müller-a"), vec!["p2"]),
        (string("given", How::Start, "ad"), vec!["p1"]),
        (string("name", How::Start, "berg"), vec![]),
        (string("name", How::Contains, "aberg"), vec!["p2"]),
        (string("name", How::Contains, "%_\\"), vec!["p3"]),
        (string("name", How::Exact, "Müller"), vec!["p1"]),
        (string("name", How::Exact, "Muller"), vec![]),
        (
            Filter::Moment { parameter: "death-date".to_owned(), values: vec![DateMatch::parse("ge2026-01").unwrap()] },
            vec!["p1"],
        ),
        (Filter::Missing { parameter: "death-date".to_owned(), missing: true }, vec!["p2", "p3"]),
        (Filter::Missing { parameter: "death-date".to_owned(), missing: false }, vec!["p1"]),
        (Filter::Not(Box::new(term("gender", None, "male"))), vec!["p1", "p2", "p3"]),
        (Filter::Not(Box::new(string("family", How::Start, "m"))), vec!["p3"]),
        (term("organization:identifier", Some("s:x"), "9"), vec!["p3"]),
        (Filter::Any(vec![]), vec![]),
        (
            Filter::Any(vec![
                vec![string("given", How::Start, "ib"), term("active", None, "true")],
                vec![string("given", How::Start, "eva")],
            ]),
            vec!["p1", "p2"],
        ),
    ] {
        assert_eq!(found(&store, "Patient", vec![filter.clone()]).await, expected, "{filter:?}");
    }
    let sorted = |parameter: &str, descending| Search {
        count: 2,
        sort: vec![Sort { key: SortKey::String(parameter.to_owned()), descending }],
        ..of("Patient", vec![])
    };
    for (mut query, expected) in [
        (sorted("family", false), ["p1", "p2", "p3"]),
        (sorted("family", true), ["p2", "p1", "p3"]),
        (
            Search {
                sort: vec![
                    Sort { key: SortKey::Moment("death-date".to_owned()), descending: false },
                    Sort { key: SortKey::Column(Column::Id), descending: true },
                ],
                ..sorted("family", true)
            },
            ["p1", "p3", "p2"],
        ),
    ] {
        let mut seen = Vec::new();
        loop {
            let page = store.search(&tenant("a"), &query).await.unwrap();
            seen.extend(page.matches.iter().map(|m| m.id.clone()));
            let Some(next) = page.next else { break };
            query.after = Some(next);
        }
        assert_eq!(seen, expected, "{query:?}");
    }
}

#[tokio::test]
async fn references_are_followed_both_ways() {
    let (_directory, store) = people().await;
    let chain = |parameter: &str, kind: &str, filters| Filter::Chain {
        parameter: parameter.to_owned(),
        targets: vec![(kind.to_owned(), filters)],
    };
    let has = |filters| Filter::Has { kind: "Observation".to_owned(), parameter: "patient".to_owned(), filters };
    let named = string("name", How::Start, "mul");
    assert_eq!(
        found(&store, "Observation", vec![chain("patient", "Patient", vec![named.clone()])]).await,
        ["x1", "x2", "x3"]
    );
    assert!(
        found(&store, "Observation", vec![chain("patient", "Patient", vec![string("name", How::Start, "zo")])])
            .await
            .is_empty()
    );
    let of_whole = chain(
        "organization",
        "Organization",
        vec![chain("partof", "Organization", vec![string("name", How::Start, "the")])],
    );
    assert_eq!(found(&store, "Patient", vec![of_whole.clone()]).await, ["p2"]);
    assert_eq!(found(&store, "Observation", vec![chain("patient", "Patient", vec![of_whole])]).await, ["x2", "x3"]);
    let fast = quantity("value-quantity", Prefix::Gt, 100.0, 0.5, None);
    assert_eq!(found(&store, "Patient", vec![has(vec![fast.clone()])]).await, ["p2"]);
    assert_eq!(found(&store, "Patient", vec![has(vec![term("code", None, "8867-4")]), named]).await, ["p1", "p2"]);
    assert!(found(&store, "Patient", vec![has(vec![term("code", None, "none")])]).await.is_empty());
    let nested = Filter::Has {
        kind: "Patient".to_owned(),
        parameter: "organization".to_owned(),
        filters: vec![has(vec![fast])],
    };
    assert_eq!(found(&store, "Organization", vec![nested]).await, ["o1"]);
}

#[tokio::test]
async fn what_came_along_is_followed_on_and_circles_end() {
    let (_directory, store) = people().await;
    store
        .put(
            &tenant("a"),
            vec![resource("Organization", "o2", r#","name":"The Whole","partOf":{"reference":"Organization/o1"}"#)],
        )
        .await
        .unwrap();
    let include = |kind: &str, parameter: &str, iterate| Include {
        kind: kind.to_owned(),
        parameter: parameter.to_owned(),
        target: None,
        iterate,
    };
    let query = |iterate| Search {
        includes: vec![
            include("Observation", "patient", false),
            include("Patient", "organization", iterate),
            include("Organization", "partof", iterate),
        ],
        revincludes: vec![],
        ..search(vec![Filter::Id(vec!["x2".to_owned()])])
    };
    let included = async |query: &Search| -> Vec<String> {
        let page = store.search(&tenant("a"), query).await.unwrap();
        page.included.iter().map(Stored::reference).collect()
    };
    assert_eq!(included(&query(false)).await, ["Patient/p2"]);
    assert_eq!(included(&query(true)).await, ["Patient/p2", "Organization/o1", "Organization/o2"]);
    let back = Search {
        revincludes: vec![include("Patient", "organization", false), include("Observation", "patient", true)],
        ..of("Organization", vec![Filter::Id(vec!["o1".to_owned()])])
    };
    assert_eq!(included(&back).await, ["Patient/p2", "Observation/x2", "Observation/x3"]);
}

/// So many people and papers that PostgreSQL does not rather read all of them.
async fn crowd(store: &crate::store::Store) {
    let one = |i: usize| {
        let (year, subject) = (1950 + i % 50, format!(r#""subject":{{"reference":"Patient/c{i}"}}"#));
        let patient = format!(r#","name":[{{"family":"N{i}","given":["G{i}"]}}],"deceasedDateTime":"{year}""#);
        let document =
            format!(r#","status":"current","description":"d{i}",{subject},"content":[{{"attachment":{{}}}}]"#);
        [
            resource("Patient", &format!("c{i}"), &patient),
            resource("Condition", &format!("c{i}"), &format!(r#",{subject},"onsetDateTime":"{year}""#)),
            resource("DocumentReference", &format!("c{i}"), &document),
        ]
    };
    store.put(&tenant("a"), (0..1500).flat_map(one).collect()).await.unwrap();
}

/// What a string, date, quantity or term alone narrows is read through its index, and nothing is read from end to end.
#[tokio::test]
async fn what_narrows_leads() {
    let (_directory, store) = people().await;
    if store.is_shared() {
        crowd(&store).await;
        plenty(&store).await;
    }
    let moment = |parameter: &str| Filter::Moment {
        parameter: parameter.to_owned(),
        values: vec![DateMatch::parse("ge2026-01").unwrap()],
    };
    let fast = || quantity("value-quantity", Prefix::Gt, 150.0, 0.5, Some((UCUM, "/min")));
    let together = Filter::Together {
        parameter: "component-code".to_owned(),
        code: TermMatch::of("8480-6".to_owned()),
        value: Box::new(fast()),
    };
    let newest =
        |query: Search| Search { sort: vec![Sort { key: SortKey::Column(Column::Date), descending: true }], ..query };
    for (query, index) in [
        (of("Patient", vec![string("name", How::Start, "mul")]), "patient_string_value"),
        (of("Patient", vec![string("name", How::Contains, "mul")]), "patient_string"),
        (of("Patient", vec![moment("death-date")]), "patient_moment_until"),
        (of("Condition", vec![moment("onset-date")]), "other_resource_moment_until"),
        (of("DocumentReference", vec![string("description", How::Exact, "x")]), "document_reference_string_value"),
        (of("Observation", vec![fast()]), "observation_quantity_value"),
        (newest(of("Observation", vec![fast(), term("code", None, "8867-4")])), "observation_quantity_value"),
        (of("Observation", vec![fast(), term("code", None, "8867-4"), subject("p2")]), COHORT),
        (of("Observation", vec![fast(), subject("p2")]), "observation_subject"),
        (of("Observation", vec![term("component-code", None, "8480-6"), together, subject("p2")]), COHORT),
        (of("Observation", vec![term("has-member", None, "Observation/x1")]), TERMS),
        (of("Observation", vec![term("_tag", None, "x")]), COHORT),
        (of("Observation", vec![term("_profile", None, "http://x"), subject("p2")]), COHORT),
        (of("Condition", vec![term("evidence-detail", None, "Observation/x1")]), TERMS),
        (of("Encounter", vec![term("location", None, "Location/x1"), subject("p2")]), "other_resource_in_cohort"),
    ] {
        let conditions = store.resolve(&tenant("a"), &query.kind, &query.filters).await.unwrap();
        let tenant = tenant("a");
        let cohorts = store.cohorts(&query.kind, &conditions, &store.readers).await.unwrap();
        let plan = Plan::of(&tenant, &query, (&conditions, cohorts.as_deref()), store.clock.now());
        for sql in [plan.page(), plan.count(), plan.ids(9)] {
            let lines = explain(&store, sql).await;
            let index = match (index, store.is_shared()) {
                (TERMS, true) => "_term_pkey",
                (TERMS, false) => "PRIMARY KEY",
                (index, _) => index,
            };
            assert!(lines.iter().any(|line| line.contains(index)), "{index} {query:?} {lines:#?}");
            // What is read from end to end is what the index gave.
            let whole = |line: &&String| line.contains("Seq Scan") || line.starts_with("SCAN ") && *line != "SCAN k";
            assert!(!lines.iter().any(|line| whole(&line)), "{query:?} {lines:#?}");
        }
    }
}
