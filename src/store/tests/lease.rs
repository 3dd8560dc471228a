//! Leases: several processes on one database, none at another's streams. Only PostgreSQL has them.

use std::collections::BTreeSet;

use super::{ALONE, commit, key};
use crate::id::{DeviceKey, ResourceId};
use crate::session::association::{Span, Wearer};
use crate::store::fixture::{database, open, tenant};
use crate::store::{Holder, Lease, Store};
use crate::time::Instant;

/// Puts a device on a patient.
pub(super) async fn link(store: &Store, device: &str) {
    let device = DeviceKey::new(device).unwrap();
    let wearer = Wearer { patient: ResourceId::new("p1").unwrap(), episode: None };
    let always = Span { from: Instant::MIN, until: None, wearer };
    store.set_worn(&tenant("a"), &device, &[always]).await.unwrap();
}

/// Two processes on a database with so many streams.
async fn two(streams: usize) -> [(Store, Holder); 2] {
    let directory = tempfile::tempdir().unwrap();
    let url = database(&directory).await;
    let (a, b) = (open(&url).await, open(&url).await);
    link(&a, "d").await;
    for n in 0..streams {
        a.stream_id(&key("d", &format!("s{n}"))).await.unwrap();
    }
    let (of_a, of_b) = (a.holder(), b.holder());
    [(a, of_a), (b, of_b)]
}

fn streams(leases: &BTreeSet<Lease>) -> BTreeSet<i64> {
    leases.iter().map(|lease| lease.stream).collect()
}

#[tokio::test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
async fn streams_are_shared_out_and_nobody_holds_anothers() {
    let [(a, mut of_a), (_b, mut of_b)] = two(5).await;
    assert_eq!(a.lag().await.unwrap(), 5, "nobody has them yet");
    let alone = of_a.tend(0).await.unwrap();
    assert_eq!(alone.len(), 5, "one process takes all");
    assert!(of_b.tend(0).await.unwrap().is_empty(), "and keeps them until it knows of another");
    let fewer = of_a.tend(0).await.unwrap();
    let rest = of_b.tend(0).await.unwrap();
    assert_eq!((fewer.len(), rest.len()), (3, 2));
    assert!(streams(&fewer).is_disjoint(&streams(&rest)));
    assert!(fewer.is_subset(&alone), "what is kept is not interrupted");
    assert_eq!((of_a.tend(0).await.unwrap(), of_b.tend(0).await.unwrap()), (fewer.clone(), rest.clone()));

    assert_eq!(a.lag().await.unwrap(), 5, "nobody has brought them up yet");
    let ready: Vec<Lease> = fewer.iter().copied().collect();
    a.ready(&ready).await.unwrap();
    assert_eq!(a.lag().await.unwrap(), 2);
}

#[tokio::test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
async fn a_stream_nobody_wears_is_held_by_nobody() {
    let [(a, mut of_a), _] = two(1).await;
    let stray = a.stream_id(&key("stray", "s")).await.unwrap();
    assert!(!streams(&of_a.tend(0).await.unwrap()).contains(&stray));
    link(&a, "stray").await;
    let held = of_a.tend(0).await.unwrap();
    assert!(streams(&held).contains(&stray));
    // On another patient: whoever held it begins anew.
    a.free(&[stray]).await.unwrap();
    let again = of_a.tend(0).await.unwrap();
    assert_eq!(streams(&again), streams(&held));
    let epoch = |leases: &BTreeSet<Lease>| leases.iter().find(|l| l.stream == stray).unwrap().epoch;
    assert!(epoch(&again) > epoch(&held));
}

#[tokio::test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
async fn what_was_computed_under_a_lapsed_lease_is_refused() {
    let [(a, mut of_a), (b, mut of_b)] = two(1).await;
    let lease = of_a.tend(0).await.unwrap().into_iter().next().unwrap();
    let done = a.commit(&[commit(&a, lease, 10, "60")], ALONE).await.unwrap();
    assert_eq!((done.upserted.created, done.refused), (1, 0));
    assert_eq!(b.commit(&[commit(&b, lease, 20, "61")], ALONE).await.unwrap().refused, 1, "not the holder");

    a.free(&[lease.stream]).await.unwrap();
    let theirs = of_b.tend(0).await.unwrap().into_iter().next().unwrap();
    assert_eq!((theirs.stream, theirs.epoch), (lease.stream, lease.epoch + 2));
    assert_eq!(a.commit(&[commit(&a, lease, 20, "62")], ALONE).await.unwrap().refused, 1);
    assert_eq!(b.commit(&[commit(&b, theirs, 20, "63")], ALONE).await.unwrap().upserted.created, 1);

    b.free(&[lease.stream]).await.unwrap();
    let back = of_a.tend(0).await.unwrap().into_iter().next().unwrap();
    assert_eq!(
        a.commit(&[commit(&a, lease, 30, "64")], ALONE).await.unwrap().refused,
        1,
        "an earlier holding of its own"
    );
    assert_eq!(a.commit(&[commit(&a, back, 30, "65")], ALONE).await.unwrap().refused, 0);
    let state = a.checkpoint(lease.stream, None).await.unwrap().unwrap().state;
    assert_eq!(state, b"65");
}

#[tokio::test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
async fn a_stream_does_not_change_hands_during_a_commit() {
    let [(a, mut of_a), (b, mut of_b)] = two(2).await;
    let held = of_a.tend(0).await.unwrap();
    let mut tx = a.begin().await.unwrap();
    assert_eq!(a.hold(&mut tx, held.iter().copied()).await.unwrap(), held);
    let freeing = tokio::spawn({
        let (b, streams) = (b.clone(), streams(&held).into_iter().collect::<Vec<_>>());
        async move { b.free(&streams).await.unwrap() }
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!freeing.is_finished(), "it waits for the commit");
    assert!(of_b.tend(0).await.unwrap().is_empty(), "who looks for streams does not");
    tx.commit().await.unwrap();
    freeing.await.unwrap();
    assert!(!of_b.tend(0).await.unwrap().is_empty());
}

#[tokio::test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
async fn the_streams_of_the_dead_are_taken_over() {
    let [(a, mut of_a), (b, mut of_b)] = two(4).await;
    of_a.tend(0).await.unwrap();
    of_b.tend(0).await.unwrap();
    assert_eq!((of_a.tend(0).await.unwrap().len(), of_b.tend(0).await.unwrap().len()), (2, 2));
    drop(of_a); // its connection ends, as that of a killed process does
    for _ in 0..1000 {
        if of_b.tend(7).await.unwrap().len() == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(of_b.tend(7).await.unwrap().len(), 4);
    // One that only slept speaks up again, and gets its share.
    let mut of_a = a.holder();
    of_a.tend(0).await.unwrap();
    of_b.tend(0).await.unwrap();
    assert_eq!(of_a.tend(0).await.unwrap().len(), 2);
    // One whose connection stays open but that says nothing any more.
    let silent = "UPDATE process SET expires_us = 1 WHERE id = $1";
    sqlx::query(silent).bind(&*a.process).execute(&b.writer).await.unwrap();
    assert_eq!(of_b.tend(0).await.unwrap().len(), 4);
}
