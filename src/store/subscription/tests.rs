//! Events have numbers without a gap, whoever writes; what they cost does not grow with who is not concerned.

use super::*;
use crate::id::ResourceId;
use crate::store::fixture::{observation, provenance, resource, store, tenant};
use crate::store::search::{Filter, QuantityMatch, TermMatch};
use crate::store::{Put, Store, date::Prefix};
use crate::time::Instant;

fn id(text: &str) -> ResourceId {
    ResourceId::new(text).unwrap()
}

fn definition() -> Definition {
    Definition {
        base: "http://localhost/fhir/R4".to_owned(),
        criteria: "Observation?code=8867-4".to_owned(),
        topic: None,
        filters: vec!["code=8867-4".to_owned()],
        channel: HookChannel {
            kind: ChannelType::RestHook,
            endpoint: "http://127.0.0.1:9/".to_owned(),
            payload: String::new(),
            content: Content::Empty,
            max_count: 1,
            heartbeat_s: 0,
            timeout_s: 10,
            attempts: 3,
        },
        end: None,
    }
}

async fn subscribe(store: &Store, of: &str, name: &str, status: SubscriptionStatus) {
    let mut writing = store.writing(&tenant(of)).await.unwrap();
    let body =
        r#","status":"requested","reason":"r","criteria":"Observation?code=8867-4","channel":{"type":"rest-hook"}"#;
    let element = resource("Subscription", name, body).element;
    let tail = crate::fhir::stored::tail(element.clone()).unwrap();
    let head = writing.heads("Subscription", &[name]).await.unwrap().remove(0);
    writing.put(vec![Put { kind: "Subscription".to_owned(), id: id(name), tail, element, head }]).await.unwrap();
    let new = NewSubscription {
        id: id(name),
        focus: "Observation".to_owned(),
        status,
        definition: definition(),
        standing: "{}".to_owned(),
        sealed: None,
        by: "key/k".to_owned(),
        summary: "Observation by rest-hook".to_owned(),
    };
    writing.put_subscription(&new).await.unwrap();
    writing.commit().await.unwrap();
}

/// A version of a Subscription as it was stored before secrets were masked.
async fn write_unmasked(store: &Store, name: &str, body: &str) {
    let mut writing = store.writing(&tenant("a")).await.unwrap();
    let element = resource("Subscription", name, body).element;
    let tail = crate::fhir::stored::tail(element.clone()).unwrap();
    let head = writing.heads("Subscription", &[name]).await.unwrap().remove(0);
    writing.put(vec![Put { kind: "Subscription".to_owned(), id: id(name), tail, element, head }]).await.unwrap();
    writing.commit().await.unwrap();
}

#[tokio::test]
async fn secrets_are_masked_in_every_version_of_before_once() {
    let (_directory, store) = store().await;
    let version = |rate: u32| {
        format!(
            r#","status":"requested","reason":"r{rate}","criteria":"Observation?code=8867-4","channel":{{"type":"rest-hook","header":["Authorization: Bearer tok{rate}"]}}"#
        )
    };
    for (name, count) in [("s1", 3), ("s2", 1), ("gone", 2)] {
        for rate in 0..count {
            write_unmasked(&store, name, &version(rate)).await;
        }
    }
    let mut writing = store.writing(&tenant("a")).await.unwrap();
    let head = writing.heads("Subscription", &["gone"]).await.unwrap().remove(0).unwrap();
    writing.delete("Subscription", &head).await.unwrap();
    writing.commit().await.unwrap();
    let texts = async || {
        let mut texts = Vec::new();
        for (name, version) in [("s1", 1), ("s1", 2), ("s1", 3), ("s2", 1), ("gone", 1), ("gone", 2)] {
            let stored = store.vread(&tenant("a"), "Subscription", &id(name), version).await.unwrap().unwrap();
            texts.push(String::from_utf8(stored.json()).unwrap());
        }
        texts
    };
    let before = texts().await;
    assert!(before.iter().all(|text| text.contains("Bearer tok")));
    let mask = |subscription: &mut crate::fhir::content::Object| {
        subscription["channel"]["header"] = serde_json::json!(["Authorization: ***"]);
    };
    store.mask_subscriptions(mask).await.unwrap();
    let after = texts().await;
    assert!(after.iter().all(|text| !text.contains("Bearer tok") && text.contains("Authorization: ***")), "{after:?}");
    let said =
        |text: &str| text.replace("Bearer tok0", "***").replace("Bearer tok1", "***").replace("Bearer tok2", "***");
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(parsed(&said(before)), parsed(after), "nothing else is changed, numbers and times included");
    }
    assert_eq!(store.read(&tenant("a"), "Subscription", &id("s1")).await.unwrap().unwrap().version, 3);
    // What is written from then on is masked when it is written; no start looks for it again.
    write_unmasked(&store, "s3", &version(1)).await;
    store.mask_subscriptions(|_| panic!("it was done")).await.unwrap();
}

#[tokio::test]
async fn numbers_tell_what_waits_and_since_when() {
    let (_directory, store) = store().await;
    let counts = async || store.subscription_counts().await.unwrap();
    let by_status = |counts: [i64; 4]| SubscriptionStatus::ALL.into_iter().zip(counts).collect::<Vec<_>>();
    assert_eq!(counts().await, SubscriptionCounts { by_status: by_status([0; 4]), ..SubscriptionCounts::default() });
    subscribe(&store, "a", "s1", SubscriptionStatus::Requested).await;
    subscribe(&store, "b", "s2", SubscriptionStatus::Off).await;
    store.put(&tenant("a"), (0..3).map(|i| heart_rate(&format!("o{i}"), "60")).collect()).await.unwrap();
    let found = counts().await;
    assert_eq!((found.by_status, found.changes, found.events), (by_status([1, 0, 0, 1]), 3, 0));
    let changes = store.noted_changes(9).await.unwrap();
    let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
    let event = |change: &NotedChange| NewEvent {
        subscription: (tenant("a"), id("s1")),
        kind: change.kind.clone(),
        id: change.id.clone(),
        version: change.version,
    };
    store.number_events(&numbers, &changes.iter().map(event).collect::<Vec<_>>()).await.unwrap();
    let taken = store.take_subscription().await.unwrap().unwrap();
    assert!(store.turn_subscription(&taken, SubscriptionStatus::Active, None).await.unwrap());
    let now = crate::time::Clock::now(&crate::store::fixture::Standing);
    let found = counts().await;
    assert_eq!(
        (found.by_status, found.changes, found.events, found.oldest),
        (by_status([0, 1, 0, 1]), 0, 3, Some(now))
    );
    let taken = store.take_subscription().await.unwrap().unwrap();
    assert!(store.subscription_tried(&taken, Ok(3), None).await.unwrap());
    assert_eq!((counts().await.events, counts().await.oldest), (0, None));
}

async fn noted(store: &Store) -> Vec<(String, i64)> {
    let changes = store.noted_changes(1000).await.unwrap();
    changes
        .into_iter()
        .map(|change| (format!("{}/{}/{}", change.tenant, change.kind, change.id), change.version))
        .collect()
}

fn heart_rate(name: &str, rate: &str) -> crate::resource::Resource {
    observation(name, "p1", "2026-01-18T14:00:00.000Z", rate)
}

#[tokio::test]
async fn nothing_is_noted_where_nobody_asked() {
    let (_directory, store) = store().await;
    store.put(&tenant("a"), vec![heart_rate("o1", "60")]).await.unwrap();
    assert_eq!(noted(&store).await, []);
    subscribe(&store, "b", "s1", SubscriptionStatus::Requested).await;
    subscribe(&store, "a", "s2", SubscriptionStatus::Off).await;
    store.put(&tenant("a"), vec![heart_rate("o1", "61"), provenance("v1", "Observation/o1")]).await.unwrap();
    assert_eq!(noted(&store).await, [], "another tenant's, or one that is off");
}

#[tokio::test]
async fn whatever_writes_a_version_is_noted_with_it_and_once() {
    let (_directory, store) = store().await;
    subscribe(&store, "a", "s1", SubscriptionStatus::Requested).await;
    store
        .put(&tenant("a"), vec![heart_rate("o1", "60"), heart_rate("o2", "60"), provenance("v", "Observation/o1")])
        .await
        .unwrap();
    store.put(&tenant("a"), vec![heart_rate("o1", "60")]).await.unwrap();
    store.put(&tenant("a"), vec![heart_rate("o1", "61")]).await.unwrap();
    let mut writing = store.writing(&tenant("a")).await.unwrap();
    let head = writing.heads("Observation", &["o2"]).await.unwrap().remove(0);
    let element = heart_rate("o2", "99").element;
    let tail = crate::fhir::stored::tail(element.clone()).unwrap();
    writing.put(vec![Put { kind: "Observation".to_owned(), id: id("o2"), tail, element, head }]).await.unwrap();
    writing.commit().await.unwrap();
    // What is rolled back has not happened.
    let mut writing = store.writing(&tenant("a")).await.unwrap();
    let element = heart_rate("o3", "99").element;
    let tail = crate::fhir::stored::tail(element.clone()).unwrap();
    writing.put(vec![Put { kind: "Observation".to_owned(), id: id("o3"), tail, element, head: None }]).await.unwrap();
    drop(writing);
    let expected = [("a/Observation/o1", 1), ("a/Observation/o2", 1), ("a/Observation/o1", 2), ("a/Observation/o2", 2)];
    let mut found = noted(&store).await;
    found[..2].sort();
    assert_eq!(found, expected.map(|(name, version)| (name.to_owned(), version)));
}

#[tokio::test]
async fn events_are_numbered_once_and_without_a_gap() {
    let (_directory, store) = store().await;
    for name in ["s1", "s2"] {
        subscribe(&store, "a", name, SubscriptionStatus::Requested).await;
    }
    for round in 0..4 {
        store
            .put(&tenant("a"), (0..10).map(|i| heart_rate(&format!("o{i}"), &format!("6{round}"))).collect())
            .await
            .unwrap();
    }
    let event = |name: &str, change: &NotedChange| NewEvent {
        subscription: (tenant("a"), id(name)),
        kind: change.kind.clone(),
        id: change.id.clone(),
        version: change.version,
    };
    loop {
        let changes = store.noted_changes(7).await.unwrap();
        if changes.is_empty() {
            break;
        }
        let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
        let events: Vec<NewEvent> =
            changes.iter().flat_map(|change| [event("s1", change), event("s2", change)]).collect();
        // Two that do the same: one of them has.
        let (one, other) = tokio::join!(store.number_events(&numbers, &events), store.number_events(&numbers, &events));
        assert_eq!([one.unwrap(), other.unwrap_or(None)].into_iter().flatten().collect::<Vec<_>>(), [events.len()]);
    }
    for name in ["s1", "s2"] {
        let events = store.subscription_events(&tenant("a"), &id(name), (1, i64::MAX), 100).await.unwrap();
        assert_eq!(events.iter().map(|event| event.number).collect::<Vec<_>>(), (1..=40).collect::<Vec<_>>());
        let of_one: Vec<i64> = events.iter().filter(|event| event.id == "o3").map(|event| event.version).collect();
        assert_eq!(of_one, [1, 2, 3, 4], "versions come in their order");
        assert_eq!(store.subscription(&tenant("a"), &id(name)).await.unwrap().unwrap().events, 40);
    }
    assert!(store.subscription_events(&tenant("b"), &id("s1"), (1, i64::MAX), 100).await.unwrap().is_empty());
    let wanted = [("o3", 2), ("o3", 4), ("o4", 9)];
    let versions = store.versions(&tenant("a"), "Observation", &wanted).await.unwrap();
    let mut versions: Vec<(String, i64)> = versions.into_iter().map(|one| (one.id, one.version)).collect();
    versions.sort();
    assert_eq!(versions, [("o3".to_owned(), 2), ("o3".to_owned(), 4)]);
}

#[tokio::test]
async fn one_worker_has_it_and_one_that_lost_it_changes_nothing() {
    let (_directory, store) = store().await;
    subscribe(&store, "a", "s1", SubscriptionStatus::Requested).await;
    let taken = store.take_subscription().await.unwrap().unwrap();
    assert_eq!((taken.id.as_str(), store.take_subscription().await.unwrap()), ("s1", None));
    assert!(store.turn_subscription(&taken, SubscriptionStatus::Active, None).await.unwrap());
    let again = store.take_subscription().await.unwrap().unwrap();
    assert!(!store.subscription_tried(&taken, Ok(5), None).await.unwrap());
    assert!(!store.turn_subscription(&taken, SubscriptionStatus::Error, Some("x")).await.unwrap());
    assert!(store.subscription_tried(&again, Err("refused"), Some(Instant(0))).await.unwrap());
    let record = store.subscription(&tenant("a"), &id("s1")).await.unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.sent), (SubscriptionStatus::Active, 1, 0));
    let last = store.take_subscription().await.unwrap().unwrap();
    assert!(store.turn_subscription(&last, SubscriptionStatus::Error, Some("refused")).await.unwrap());
    assert_eq!(store.take_subscription().await.unwrap(), None, "it never starts by itself");
    let stored = store.read(&tenant("a"), "Subscription", &id("s1")).await.unwrap().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&stored.json()).unwrap();
    assert_eq!((stored.version, &json["status"], &json["error"]), (3, &"error".into(), &"refused".into()));
    // Defined anew it goes on where it was.
    subscribe(&store, "a", "s1", SubscriptionStatus::Requested).await;
    assert!(store.take_subscription().await.unwrap().is_some());
    let mut writing = store.writing(&tenant("a")).await.unwrap();
    writing.drop_subscription(&id("s1"), "key/k").await.unwrap();
    writing.commit().await.unwrap();
    assert!(store.subscription(&tenant("a"), &id("s1")).await.unwrap().is_none());
    let (watched, _) = store.subscriptions_since(0).await.unwrap();
    assert!(watched.iter().all(|one| !one.counts && one.definition.is_none()));
}

fn code(parameter: &str, value: &str) -> Filter {
    Filter::Term { parameter: parameter.to_owned(), values: vec![TermMatch::of(value.to_owned())] }
}

fn about(patient: &str) -> Filter {
    Filter::Subject(vec![format!("Patient/{patient}")])
}

#[tokio::test]
async fn what_matching_costs_does_not_grow_with_subscriptions_that_do_not_match() {
    let (_directory, store) = store().await;
    let mut watch = Watch::default();
    for i in 0..10_000 {
        let filters = vec![code("category", "vital-signs"), code("code", "8867-4"), about(&format!("p{i}"))];
        watch.add(store.capability(), (tenant("a"), id(&format!("s{i}"))), "Observation", (filters, vec![]));
    }
    // Many ask for the same.
    for i in 0..1000 {
        let filters = vec![code("code", "8867-4"), code("status", "final")];
        watch.add(store.capability(), (tenant("a"), id(&format!("t{i}"))), "Observation", (filters, vec![]));
    }
    watch.add(store.capability(), (tenant("b"), id("u")), "Observation", (vec![about("p7")], vec![]));
    store.put(&tenant("a"), vec![observation("o1", "p7", "2026-01-18T14:00:00.000Z", "60")]).await.unwrap();
    let stored = store.read(&tenant("a"), "Observation", &id("o1")).await.unwrap().unwrap();
    let matched = store.watching(&tenant("a"), &watch, &stored).unwrap();
    assert_eq!((matched.candidates, matched.subscriptions.len()), (2, 1001));
    for i in 0..1000 {
        watch.remove(&(tenant("a"), id(&format!("t{i}"))));
    }
    watch.remove(&(tenant("a"), id("s7")));
    assert_eq!(store.watching(&tenant("a"), &watch, &stored).unwrap(), Matched::default());
    assert_eq!(store.watching(&tenant("b"), &watch, &stored).unwrap().subscriptions, [id("u")]);
}

#[tokio::test]
async fn thresholds_and_what_must_not_hold_are_told_of_one_resource() {
    let (_directory, store) = store().await;
    let quantity = |prefix, value| Filter::Quantity {
        parameter: "value-quantity".to_owned(),
        values: vec![QuantityMatch { prefix, value, half: 0.5, unit: None }],
    };
    let mut watch = Watch::default();
    let not_final = Filter::Not(Box::new(code("status", "final")));
    for (name, filters) in [
        ("above", vec![quantity(Prefix::Gt, 100.0)]),
        ("below", vec![quantity(Prefix::Lt, 100.0)]),
        ("all", vec![]),
        ("odd", vec![not_final]),
        ("one", vec![Filter::Id(vec!["o1".to_owned()])]),
    ] {
        assert!(filters.iter().all(Filter::is_of_one), "{name}");
        watch.add(store.capability(), (tenant("a"), id(name)), "Observation", (filters, vec![]));
    }
    store.put(&tenant("a"), vec![heart_rate("o1", "120"), heart_rate("o2", "60")]).await.unwrap();
    for (name, expected) in [("o1", vec!["above", "all", "one"]), ("o2", vec!["all", "below"])] {
        let stored = store.read(&tenant("a"), "Observation", &id(name)).await.unwrap().unwrap();
        let matched = store.watching(&tenant("a"), &watch, &stored).unwrap();
        assert_eq!(matched.subscriptions, expected.into_iter().map(id).collect::<Vec<_>>(), "{name}");
    }
}

/// `cargo test --release --lib -- --ignored --nocapture subscription_speed`: what it costs to match changes against 10,000
/// subscriptions and to number their events.
#[tokio::test]
#[ignore = "prints times"]
#[allow(clippy::print_stdout)]
async fn subscription_speed() {
    const CHANGES: usize = 5000;
    let (_directory, store) = store().await;
    subscribe(&store, "a", "s0", SubscriptionStatus::Requested).await;
    let mut watch = Watch::default();
    let begin = std::time::Instant::now();
    for i in 0..10_000 {
        let filters = vec![code("code", "8867-4"), about(&format!("p{i}"))];
        watch.add(store.capability(), (tenant("a"), id(&format!("s{i}"))), "Observation", (filters, vec![]));
    }
    println!("10,000 subscriptions taken up in {:?}", begin.elapsed());
    let time = "2026-01-18T14:00:00.000Z";
    let all = (0..CHANGES).map(|i| observation(&format!("o{i}"), &format!("p{}", i % 10), time, "60")).collect();
    store.put(&tenant("a"), all).await.unwrap();
    let (begin, mut done, mut candidates) = (std::time::Instant::now(), 0, 0);
    loop {
        let changes = store.noted_changes(1000).await.unwrap();
        if changes.is_empty() {
            break;
        }
        let wanted: Vec<(&str, i64)> = changes.iter().map(|change| (change.id.as_str(), change.version)).collect();
        let mut events = Vec::new();
        for stored in store.versions(&tenant("a"), "Observation", &wanted).await.unwrap() {
            let matched = store.watching(&tenant("a"), &watch, &stored).unwrap();
            candidates += matched.candidates;
            events.extend(matched.subscriptions.into_iter().map(|subscription| NewEvent {
                subscription: (tenant("a"), subscription),
                kind: "Observation".to_owned(),
                id: stored.id.clone(),
                version: stored.version,
            }));
        }
        let numbers: Vec<i64> = changes.iter().map(|change| change.number).collect();
        assert!(store.number_events(&numbers, &events).await.unwrap().is_some());
        done += changes.len();
    }
    assert_eq!((done, candidates), (CHANGES, CHANGES));
    println!("{} changes a second", (done as f64 / begin.elapsed().as_secs_f64()) as u64);
}
