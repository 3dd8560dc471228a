//! Quarantine and alerts: nothing twice, nothing another tenant's, and anew when it comes again.

use crate::store::fixture::{store, tenant};
use crate::store::{AlertKind, AlertState, HeldKind, HeldState, Kept, NewAlert, NewHeld, Severity, Store};

fn held(name: &str, content: &str) -> NewHeld {
    NewHeld {
        kind: HeldKind::Inbound,
        name: name.to_owned(),
        about: format!("Observation/{name}"),
        packets: None,
        received: None,
        reason: "it is \0 wrong".to_owned(),
        outcome: Some(br#"{"resourceType":"OperationOutcome"}"#.to_vec()),
        content: content.as_bytes().to_vec(),
    }
}

fn alert() -> NewAlert {
    NewAlert {
        kind: AlertKind::PacketUnreadable,
        severity: Severity::Error,
        cause: "x".to_owned(),
        about: "client x".to_owned(),
        detail: "Something is wrong",
    }
}

async fn occurrences(store: &Store) -> i64 {
    store.alerts(&tenant("a"), None, None, 10).await.unwrap()[0].occurrences
}

#[tokio::test]
async fn what_is_held_back_again_is_the_same_until_it_is_settled() {
    let (_directory, store) = store().await;
    let a = tenant("a");
    let id = store.hold_back(&a, &held("1", "{}"), &alert()).await.unwrap();
    assert_eq!(store.hold_back(&a, &held("1", "{}"), &alert()).await.unwrap(), id);
    assert_eq!(occurrences(&store).await, 1, "it was held just so");
    store.hold_back(&a, &held("1", "[]"), &alert()).await.unwrap();
    assert_eq!(occurrences(&store).await, 2, "with other content it is news");
    let kept = store.kept(&a, &id).await.unwrap().unwrap();
    assert_eq!(kept, Kept { outcome: held("1", "").outcome, content: b"[]".to_vec() });

    // Taken up and wrong again, it is held anew; given up, it stays so.
    assert!(store.settle(&a, &id, HeldState::Redriven, "k", None).await.unwrap());
    assert!(!store.settle(&a, &id, HeldState::Redriven, "k", None).await.unwrap());
    store.hold_back(&a, &held("1", "[]"), &alert()).await.unwrap();
    let again = store.held_back(&a, &id).await.unwrap().unwrap();
    assert_eq!((again.state, again.settled, occurrences(&store).await), (HeldState::Held, None, 3));
    assert!(store.settle(&a, &id, HeldState::Discarded, "k", Some("no use")).await.unwrap());
    store.hold_back(&a, &held("1", "[]"), &alert()).await.unwrap();
    let given_up = store.held_back(&a, &id).await.unwrap().unwrap();
    assert_eq!((given_up.state, occurrences(&store).await), (HeldState::Discarded, 3));
    assert_eq!(given_up.settled.and_then(|settled| settled.note).as_deref(), Some("no use"));
}

#[tokio::test]
async fn pages_show_everything_of_one_tenant_once() {
    let (_directory, store) = store().await;
    let a = tenant("a");
    for n in 0..7 {
        store.hold_back(&a, &held(&n.to_string(), "{}"), &alert()).await.unwrap();
    }
    let other = store.hold_back(&tenant("b"), &held("1", "{}"), &alert()).await.unwrap();
    assert_eq!(store.held_back(&a, &other).await.unwrap(), None);
    assert_eq!(store.kept(&a, &other).await.unwrap(), None);
    assert!(!store.settle(&a, &other, HeldState::Discarded, "k", None).await.unwrap());
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.held(&a, Some(HeldKind::Inbound), Some(HeldState::Held), after.as_ref(), 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some((last.held, last.id.clone()));
        seen.extend(page.into_iter().map(|held| held.id));
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() == 7 && !seen.contains(&other));
    assert!(store.held(&a, Some(HeldKind::Packet), None, None, 3).await.unwrap().is_empty());

    let open = store.alerts(&tenant("b"), Some(AlertState::Open), None, 10).await.unwrap();
    assert_eq!(open.len(), 1);
    store.acknowledge(&a, &open[0].id, "k").await.unwrap();
    assert_eq!(store.alerts(&tenant("b"), Some(AlertState::Acknowledged), None, 10).await.unwrap(), []);
    let next = Some((open[0].raised, open[0].id.clone()));
    assert_eq!(store.alerts(&tenant("b"), None, next.as_ref(), 10).await.unwrap(), []);
}
