//! Whose a device's packets are, over time, and what a change of that takes back.

use super::{ALONE, commit, entry, key};
use crate::id::{EpisodeId, ResourceId};
use crate::session::association::{Span, Wearer};
use crate::store::fixture::{store, tenant};
use crate::store::{EpisodeDevice, Lease, Store, StoreError};
use crate::time::Instant;

fn span(patient: &str, episode: Option<&str>, from: i64, until: Option<i64>) -> Span {
    let wearer =
        Wearer { patient: ResourceId::new(patient).unwrap(), episode: episode.map(|e| EpisodeId::new(e).unwrap()) };
    Span { from: Instant(from), until: until.map(Instant), wearer }
}

fn part(episode: &str, from: i64) -> EpisodeDevice {
    EpisodeDevice {
        episode: EpisodeId::new(episode).unwrap(),
        device: key("d", "s").device,
        patient: ResourceId::new("p").unwrap(),
        from: Instant(from),
        until: None,
    }
}

#[tokio::test]
async fn only_a_change_that_makes_a_difference_is_a_revision() {
    let (_directory, store) = store().await;
    let (tenant, device) = (tenant("a"), key("d", "s").device);
    assert_eq!(store.associations(&tenant, &device).await.unwrap().revision, 0);
    let always = [span("a", None, i64::MIN, None)];
    assert!(store.set_worn(&tenant, &device, &always).await.unwrap());
    assert!(!store.set_worn(&tenant, &device, &always).await.unwrap());
    let found = store.associations(&tenant, &device).await.unwrap();
    assert_eq!((found.revision, found.spans.as_slice()), (1, always.as_slice()));
    let halves = [span("a", None, i64::MIN, Some(5)), span("a", None, 5, None)];
    assert!(!store.set_worn(&tenant, &device, &halves).await.unwrap());
    // How packets are read changes with the model, so that is one too, but for the first word of it.
    assert!(!store.know_device(&tenant, &device, Some("one")).await.unwrap());
    assert_eq!(store.associations(&tenant, &device).await.unwrap().revision, 1);
    assert!(store.know_device(&tenant, &device, Some("other")).await.unwrap());
    assert_eq!(store.associations(&tenant, &device).await.unwrap().revision, 2);
}

#[tokio::test]
async fn a_device_is_part_of_one_episode_at_a_time() {
    let (_directory, store) = store().await;
    let (tenant, device) = (tenant("a"), key("d", "s").device);
    store.set_worn(&tenant, &device, &[span("a", None, i64::MIN, None)]).await.unwrap();
    store.attach(&tenant, &part("e1", 100)).await.unwrap();
    store.attach(&tenant, &part("e1", 100)).await.unwrap();
    let refused = store.attach(&tenant, &part("e2", 200)).await.unwrap_err();
    assert!(matches!(refused, StoreError::InAnotherEpisode { episode, .. } if episode.as_str() == "e1"));
    let episode = EpisodeId::new("e1").unwrap();
    assert_eq!(store.detach(&tenant, &episode, None, Instant(150)).await.unwrap(), std::slice::from_ref(&device));
    assert!(store.detach(&tenant, &episode, None, Instant(160)).await.unwrap().is_empty());
    store.attach(&tenant, &part("e2", 200)).await.unwrap();
    let expected = [
        span("a", None, i64::MIN, Some(100)),
        span("p", Some("e1"), 100, Some(150)),
        span("a", None, 150, Some(200)),
        span("p", Some("e2"), 200, None),
    ];
    let found = store.associations(&tenant, &device).await.unwrap();
    assert_eq!((found.revision, found.spans.as_slice()), (4, expected.as_slice()));
}

/// A stream this process may commit to.
async fn lease(store: &Store) -> Lease {
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    if !store.is_shared() {
        return Lease::sole(stream);
    }
    store.holder().tend(0).await.unwrap().into_iter().next().unwrap()
}

#[tokio::test]
async fn a_change_takes_a_stream_back_to_before_it_once() {
    let (_directory, store) = store().await;
    let (tenant, key) = (tenant("a"), key("d", "s"));
    store.set_worn(&tenant, &key.device, &[span("a", None, i64::MIN, None)]).await.unwrap();
    let lease = lease(&store).await;
    store.append(&(1..=9).map(|n| entry(lease.stream, n, b"x")).collect::<Vec<_>>()).await.unwrap();
    let commits: Vec<_> = (1..=10).map(|n| commit(&store, lease, n, "60")).collect();
    let newest = |n: usize| commits[n].checkpoint.as_ref().unwrap().newest;
    store.commit(&commits, ALONE).await.unwrap();
    assert_eq!((store.unfinished().await.unwrap(), store.overtaken(lease.stream).await.unwrap()), (vec![], None));

    let spans = [span("a", None, i64::MIN, Some(newest(5).0)), span("b", None, newest(5).0, None)];
    assert!(store.set_worn(&tenant, &key.device, &spans).await.unwrap());
    assert_eq!(store.unfinished().await.unwrap(), [lease.stream]);
    assert_eq!(store.overtaken(lease.stream).await.unwrap(), Some(newest(5)));
    // The state with the packet at that instant is of no use; the one before it is.
    assert_eq!(store.checkpoint(lease.stream, None).await.unwrap().map(|c| c.newest), Some(newest(4)));
    let refused = store.commit(&[commits[9].clone()], ALONE).await.unwrap();
    assert_eq!(refused.refused, 1, "it was computed before the change");
    assert!(store.take_back(&key, lease, newest(5), &spans, ALONE).await.unwrap());
    assert_eq!(store.overtaken(lease.stream).await.unwrap(), Some(newest(5)), "until something is stored after it");
    let mut again = commit(&store, lease, 10, "61");
    again.revision = 2;
    again.checkpoint.as_mut().unwrap().revision = 2;
    store.commit(&[again], ALONE).await.unwrap();
    assert_eq!((store.unfinished().await.unwrap(), store.overtaken(lease.stream).await.unwrap()), (vec![], None));
    // Going back for a late packet finds states from before the change as good as ever.
    assert_eq!(store.checkpoint(lease.stream, Some(5)).await.unwrap().map(|c| c.newest), Some(newest(4)));
}
