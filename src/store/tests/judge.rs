//! What is computed and not valid is held back; the rest is stored.

use std::sync::Arc;

use super::{ALONE, commit, key};
use crate::conformant;
use crate::id::{HeldId, ResourceId};
use crate::store::fixture::{observation, provenance, resource, store, tenant};
use crate::store::{AlertKind, Commit, Held, HeldKind, HeldState, Lease, Store};

const AT: &str = "2026-01-18T14:00:00.000Z";

async fn strict() -> (tempfile::TempDir, Store) {
    let (directory, store) = store().await;
    (directory, store.judged_by(Arc::new(conformant::of(&[], None).unwrap())))
}

/// A heart rate in a unit that is none of a heart rate's.
fn wrong(id: &str) -> crate::resource::Resource {
    let mut wrong = observation(id, "p1", AT, "60");
    let text = String::from_utf8(crate::fhir::json::to_vec(&wrong.element).unwrap()).unwrap();
    wrong.element = crate::fhir::json::parse(text.replace("\"/min\"", "\"mm[Hg]\"").as_bytes()).unwrap();
    wrong
}

async fn held(store: &Store) -> Vec<Held> {
    store.held(&tenant("a"), Some(HeldKind::Projection), None, None, 10).await.unwrap()
}

async fn is_stored(store: &Store, id: &str) -> bool {
    store.read(&tenant("a"), "Observation", &ResourceId::new(id).unwrap()).await.unwrap().is_some()
}

#[tokio::test]
async fn what_is_not_valid_is_held_back_and_the_rest_of_its_batch_is_stored() {
    let (_directory, store) = strict().await;
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    if store.is_shared() {
        super::lease::link(&store, "d").await;
    }
    let lease = if store.is_shared() {
        store.holder().tend(0).await.unwrap().into_iter().next().unwrap()
    } else {
        Lease::sole(stream)
    };
    let good = observation("good", "p1", AT, "60");
    let resources = vec![good, wrong("bad"), provenance("v", "Observation/bad")];
    let drafts = store.drafts(&tenant("a"), resources).unwrap();
    let given = Commit { drafts, packets: Some((7, 9)), ..commit(&store, lease, 10, "60") };
    let done = store.commit(std::slice::from_ref(&given), ALONE).await.unwrap();
    assert_eq!((done.upserted.created, done.upserted.held), (2, 1));
    assert!(is_stored(&store, "good").await && !is_stored(&store, "bad").await);
    let found = held(&store).await;
    let packets = found[0].packets.unwrap();
    assert_eq!((packets.stream, packets.first, packets.last), (stream, 7, 9));
    assert_eq!((found[0].about.as_str(), found[0].state), ("Observation/bad", HeldState::Held));
    assert!(found[0].reason.starts_with("Observation.value"), "{}", found[0].reason);
    let kept = store.kept(&tenant("a"), &found[0].id).await.unwrap().unwrap();
    let outcome: serde_json::Value = serde_json::from_slice(&kept.outcome.unwrap()).unwrap();
    assert_eq!(
        (&outcome["resourceType"], &outcome["issue"][0]["severity"]),
        (&"OperationOutcome".into(), &"error".into())
    );
    let content: serde_json::Value = serde_json::from_slice(&kept.content).unwrap();
    assert_eq!((&content["id"], &content["meta"]), (&"bad".into(), &serde_json::Value::Null));

    // A replay is the same row and the same alert.
    store.commit(&[given], ALONE).await.unwrap();
    let again = held(&store).await;
    assert_eq!(again, found);
    let alerts = store.alerts(&tenant("a"), None, None, 10).await.unwrap();
    assert_eq!(
        alerts.iter().map(|alert| (alert.kind, alert.occurrences)).collect::<Vec<_>>(),
        [(AlertKind::ResourceInvalid, 1)]
    );
    assert_eq!((alerts[0].about.as_str(), alerts[0].detail.contains('d')), ("device d", true));
    assert_eq!(store.open_counts().await.unwrap(), (1, [0, 1, 0]));

    // It comes right: nobody has to look at it any more.
    let drafts = store.drafts(&tenant("a"), [observation("bad", "p1", AT, "60")]).unwrap();
    let right = Commit { drafts, ..commit(&store, lease, 20, "60") };
    assert_eq!(store.commit(&[right], ALONE).await.unwrap().upserted.held, 0);
    let settled = held(&store).await.remove(0);
    assert_eq!((settled.state, settled.settled.unwrap().by.as_str()), (HeldState::Redriven, "server"));
    assert!(is_stored(&store, "bad").await);
}

#[tokio::test]
async fn a_version_that_is_not_valid_leaves_the_one_before() {
    let (_directory, store) = strict().await;
    store.put(&tenant("a"), vec![observation("o", "p1", AT, "60")]).await.unwrap();
    let counts = store.put(&tenant("a"), vec![wrong("o")]).await.unwrap();
    assert_eq!((counts.held, counts.updated), (1, 0));
    let stored = store.read(&tenant("a"), "Observation", &ResourceId::new("o").unwrap()).await.unwrap().unwrap();
    assert_eq!(stored.version, 1);
    // The same as what is stored is right as well.
    store.put(&tenant("a"), vec![observation("o", "p1", AT, "60")]).await.unwrap();
    assert_eq!(held(&store).await[0].state, HeldState::Redriven);
    // What was given up stays so.
    let id = HeldId::of(&tenant("a"), "projection\u{1f}Observation/x");
    store.put(&tenant("a"), vec![wrong("x")]).await.unwrap();
    assert!(store.settle(&tenant("a"), &id, HeldState::Discarded, "k", Some("known")).await.unwrap());
    store.put(&tenant("a"), vec![wrong("x")]).await.unwrap();
    assert_eq!(store.held_back(&tenant("a"), &id).await.unwrap().unwrap().state, HeldState::Discarded);
}

#[tokio::test]
async fn what_takes_an_error_back_is_not_held_back() {
    let (_directory, store) = strict().await;
    let body = r#","status":"entered-in-error","code":{"text":"x"},"valueQuantity":{"value":1,"code":"/min"}"#;
    let counts = store.put(&tenant("a"), vec![resource("Observation", "o", body)]).await.unwrap();
    assert_eq!((counts.created, counts.held), (1, 0));
    let wrong = resource("Observation", "p", &body.replace("entered-in-error", "final"));
    assert_eq!(store.put(&tenant("a"), vec![wrong]).await.unwrap().held, 1);
}
