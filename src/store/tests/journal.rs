//! The journal: nothing twice, nothing lost, nothing passed by.

use std::collections::BTreeSet;

use super::{entry, key};
use crate::store::Appended::{Conflict, Duplicate, Stored};
use crate::store::fixture::{database, open, store};
use crate::store::{Lease, Store};

/// Everything after `position`, whoever holds it.
async fn positions(store: &Store) -> Vec<i64> {
    let end = store.last_position().await.unwrap();
    let mut positions = Vec::new();
    for stream in 1..=3 {
        let entries = store.read_stream(stream, 0, end, 100_000).await.unwrap();
        positions.extend(entries.iter().map(|e| e.position));
    }
    positions
}

#[tokio::test]
async fn packets_are_stored_once_and_conflicts_put_aside() {
    let (_directory, store) = store().await;
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    assert_eq!(store.stream_id(&key("d", "s")).await.unwrap(), stream);
    assert_eq!(store.stream_key(stream).await.unwrap(), key("d", "s"));
    let other = store.stream_id(&key("d", "t")).await.unwrap();
    assert_eq!(store.streams_of(&key("d", "s").tenant, &key("d", "s").device).await.unwrap(), [stream, other]);

    let batch: Vec<_> = (0..40).map(|n| entry(stream, n, &[n as u8])).collect();
    assert_eq!(store.append(&batch).await.unwrap(), (1, vec![Stored; 40]));
    let mixed = [
        entry(stream, 3, &[3]),
        entry(stream, 40, b"new"),
        entry(stream, 4, b"other"),
        entry(stream, 40, b"new"),
        entry(other, 3, &[3]),
        entry(stream, 5, &[5]),
    ];
    assert_eq!(store.append(&mixed).await.unwrap().1, [Duplicate, Stored, Conflict, Duplicate, Stored, Duplicate]);
    assert_eq!(
        store.append(&mixed).await.unwrap().1,
        [Duplicate, Duplicate, Conflict, Duplicate, Duplicate, Duplicate]
    );
    assert_eq!(store.append(&[entry(stream, 99, b"x")]).await.unwrap().1, [Stored]);
    assert_eq!(store.sequences(stream).await.unwrap(), [(0, 40), (99, 99)]);
    assert_eq!(store.sequences_in(stream, &[(39, 50), (90, 99)]).await.unwrap().len(), 3);
    assert!(store.sequences_in(stream, &[]).await.unwrap().is_empty());

    let aside = store.held(&key("d", "s").tenant, None, None, None, 10).await.unwrap();
    assert_eq!(aside.len(), 1);
    assert_eq!(aside[0].packets.map(|packets| (packets.stream, packets.first, packets.last)), Some((stream, 4, 4)));
    store.quarantine(&entry(stream, 7, b"x"), "nul \0 in it").await.unwrap();
    let alerts = store.alerts(&key("d", "s").tenant, None, None, 10).await.unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.occurrences).collect::<Vec<_>>(), [1, 1]);

    let all = positions(&store).await;
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 43);
    assert_eq!(store.last_position().await.unwrap(), *all.iter().max().unwrap());
}

/// Two processes append at the same time; a reader that goes on from the last position it saw sees everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reader_never_passes_a_packet_by() {
    const EACH: u64 = 120;
    let directory = tempfile::tempdir().unwrap();
    let url = database(&directory).await;
    let reader = open(&url).await;
    let mut writers = tokio::task::JoinSet::new();
    for number in 0..3_u64 {
        let store = open(&url).await;
        let stream = store.stream_id(&key("d", &format!("s{number}"))).await.unwrap();
        writers.spawn(async move {
            for n in 0..EACH {
                let entries: Vec<_> = (0..=n % 5).map(|i| entry(stream, n * 5 + i, b"x")).collect();
                store.append(&entries).await.unwrap();
            }
        });
    }
    let mut seen = Vec::new();
    let mut running = true;
    while running {
        running = writers.try_join_next().is_none() || !writers.is_empty();
        // As the tail reads, but for whose the streams are.
        let last = seen.last().copied().unwrap_or(0);
        let sql = "SELECT position FROM journal WHERE position > $1 ORDER BY position";
        let rows = sqlx::query(sql).bind(last).fetch_all(&reader.readers).await.unwrap();
        seen.extend(rows.iter().map(|row| sqlx::Row::get::<i64, _>(row, 0)));
    }
    let mut all = positions(&reader).await;
    all.sort_unstable();
    assert_eq!(all.len() as u64, 3 * EACH * 3);
    assert_eq!(seen, all);
}

#[tokio::test]
async fn the_journal_is_read_on_for_what_is_held() {
    let (_directory, store) = store().await;
    let stream = store.stream_id(&key("d", "s")).await.unwrap();
    let batch: Vec<_> = (0..10).map(|n| entry(stream, n, b"x")).collect();
    store.append(&batch).await.unwrap();
    if store.is_shared() {
        let stretch = store.read_after(0, 4).await.unwrap();
        assert_eq!((stretch.entries.len(), stretch.until, stretch.left), (0, 10, 0), "held by nobody");
        super::lease::link(&store, "d").await;
        let held = store.holder().tend(0).await.unwrap();
        assert_eq!(held.into_iter().collect::<Vec<_>>(), [Lease { stream, epoch: 1 }]);
    }
    let stretch = store.read_after(2, 4).await.unwrap();
    assert_eq!(stretch.entries.iter().map(|e| e.position).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!((stretch.until, stretch.left), (6, 4));
    let stretch = store.read_after(6, 100).await.unwrap();
    assert_eq!((stretch.entries.len(), stretch.until, stretch.left), (4, 10, 0));
    assert_eq!(store.read_after(10, 100).await.unwrap().until, 10);
}
