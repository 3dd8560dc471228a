//! Checkpoints: with their resources or not at all.

use super::{ALONE, commit, entry, key};
use crate::id::{DeviceKey, ResourceId, StreamName};
use crate::store::fixture::{store, tenant};
use crate::store::search::{Search, Sort};
use crate::store::{Commit, EpisodeDevice, KnownClock, Lease, Statement, Store, Upserted};

/// A stream this process may commit to.
async fn lease(store: &Store) -> Lease {
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    if !store.is_shared() {
        return Lease::sole(stream);
    }
    super::lease::link(store, "d").await;
    store.holder().tend(0).await.unwrap().into_iter().next().unwrap()
}

/// What is stored together is stored as if one came after the other.
#[tokio::test]
async fn commits_of_one_transaction_are_versions_in_their_order() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    let given = [(10, "60"), (20, "70"), (10, "61"), (30, "71"), (10, "61")];
    let commits: Vec<Commit> = given.iter().map(|(at, value)| commit(&store, lease, *at, value)).collect();
    let done = store.commit(&commits, ALONE).await.unwrap();
    let Upserted { created, updated, unchanged, held } = done.upserted;
    assert_eq!((created, updated, unchanged, held, done.refused), (3, 1, 1, 0, 0));
    let id = ResourceId::new(commits[0].drafts[0].reference().split_once('/').unwrap().1).unwrap();
    let stored = store.read(&tenant("a"), "Observation", &id).await.unwrap().unwrap();
    assert_eq!(stored.version, 2);
    let first = store.vread(&tenant("a"), "Observation", &id, 1).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first.json()).contains("\"value\":60"));
}

#[tokio::test]
async fn the_newest_checkpoint_before_a_packet_is_found() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    let done =
        store.commit(&(1..=20).map(|n| commit(&store, lease, n * 10, "60")).collect::<Vec<_>>(), ALONE).await.unwrap();
    assert_eq!((done.upserted.created, done.refused), (20, 0));
    let found = |before| {
        let store = store.clone();
        async move { store.checkpoint(lease.stream, before).await.unwrap().map(|c| c.sequence) }
    };
    assert_eq!((found(None).await, found(Some(155)).await, found(Some(199)).await), (Some(200), Some(150), Some(190)));
    // The newest eight are kept, and the hourly ones: 60 minutes in is one.
    assert_eq!((found(Some(129)).await, found(Some(59)).await), (Some(120), None));

    let done =
        store.commit(&[commit(&store, lease, 150, "60"), commit(&store, lease, 160, "61")], ALONE).await.unwrap();
    assert_eq!((done.upserted.unchanged, done.upserted.updated), (1, 1));
    assert_eq!(found(None).await, Some(160), "nothing is left from after where it was taken back to");
}

#[tokio::test]
async fn a_device_is_made_of_what_all_its_streams_say_now() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    let says = |sequence: u64, stream: &str, body: &str| {
        let (device, stream) = (DeviceKey::new("d").unwrap(), StreamName::new(stream).unwrap());
        let statement = Some(Statement { device, stream, body: body.as_bytes().to_vec() });
        Commit { statement, ..commit(&store, lease, sequence, "60") }
    };
    for (number, (said, expected)) in (1..).zip([("s:one", "one"), ("a:two", "two+one"), ("s:three", "two+three")]) {
        let (stream, body) = said.split_once(':').unwrap();
        store.commit(&[says(number * 10, stream, body)], ALONE).await.unwrap();
        let id = ResourceId::new("d").unwrap();
        let device = store.read(&tenant("a"), "Device", &id).await.unwrap().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&device.json()).unwrap();
        assert_eq!((device.version, json["lotNumber"].as_str()), (number.cast_signed(), Some(expected)));
    }
}

#[tokio::test]
async fn what_cannot_be_stored_leaves_nothing() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    let mut bad = commit(&store, lease, 20, "60");
    bad.checkpoint.as_mut().unwrap().stream = 4711; // there is no such stream
    assert!(store.commit(&[commit(&store, lease, 10, "60"), bad], ALONE).await.is_err());
    assert_eq!(store.checkpoint(lease.stream, None).await.unwrap(), None);
    let all = Search { kind: "Observation".to_owned(), count: 9, sort: Vec::<Sort>::new(), ..Search::default() };
    assert!(store.search(&tenant("a"), &all).await.unwrap().matches.is_empty());
}

#[tokio::test]
async fn late_and_unfinished_streams_are_told() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    if !store.is_shared() {
        super::lease::link(&store, "d").await;
    }
    store.append(&[entry(lease.stream, 1, b"x"), entry(lease.stream, 3, b"x")]).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), [lease.stream]);
    let mut done = commit(&store, lease, 4, "60");
    done.checkpoint.as_mut().unwrap().position = 2;
    store.commit(&[done], ALONE).await.unwrap();
    assert!(store.unfinished().await.unwrap().is_empty());
    assert_eq!(store.late(lease.stream, 2, 4).await.unwrap(), None);
    store.append(&[entry(lease.stream, 2, b"x")]).await.unwrap();
    assert_eq!(store.late(lease.stream, 2, 4).await.unwrap(), Some(2));
    assert_eq!(store.unfinished().await.unwrap(), [lease.stream]);
}

#[tokio::test]
async fn a_stream_that_goes_on_has_passed_what_it_has_passed() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    if !store.is_shared() {
        super::lease::link(&store, "d").await;
    }
    let (tenant, device) = (tenant("a"), DeviceKey::new("d").unwrap());
    store.append(&[entry(lease.stream, 10, b"x")]).await.unwrap();
    let stored = commit(&store, lease, 10, "60");
    let at = stored.event;
    store.commit(&[stored], ALONE).await.unwrap();
    assert_eq!(store.unfinished().await.unwrap(), [lease.stream]);
    let behind = async |moment| store.unfinished_before(&tenant, &device, moment).await.unwrap();
    assert_eq!((behind(at).await, behind(at.plus(1)).await), (vec![], vec![lease.stream]));
    let (episode, patient) = ("e1".to_owned().try_into().unwrap(), "p2".to_owned().try_into().unwrap());
    let part = EpisodeDevice { episode, device: device.clone(), patient, from: at, until: None };
    store.attach(&tenant, &part).await.unwrap();
    assert_eq!(behind(at).await, [lease.stream], "it knows nothing of the episode");
}

#[tokio::test]
async fn values_ahead_of_their_state_do_not_have_an_earlier_state_refused() {
    let (_directory, store) = store().await;
    let lease = lease(&store).await;
    // A new segment of the clock begins with the second window, whose values come before the first one's series and state.
    let mut ahead = commit(&store, lease, 20, "60");
    (ahead.checkpoint, ahead.clock.revision) = (None, 2);
    let mut behind = commit(&store, lease, 10, "60");
    behind.clock.revision = 1;
    assert_eq!(store.commit(&[ahead], ALONE).await.unwrap().refused, 0);
    assert_eq!(store.commit(&[behind.clone()], ALONE).await.unwrap().refused, 0);
    // What is said otherwise about packets that have been read is known at once, and refuses what knows less.
    let known = KnownClock { revision: 3, state: Vec::new() };
    store.set_clock(lease, &known, 10).await.unwrap();
    assert_eq!(store.commit(&[behind], ALONE).await.unwrap().refused, 1);
}
