//! What is written is what is read, with whatever dictionary there is.

use super::*;
use crate::store::Store;
use crate::store::fixture::{database, observation, open, tenant};

fn resources(range: std::ops::Range<usize>) -> Vec<crate::resource::Resource> {
    range.map(|i| observation(&format!("o{i}"), "p1", "2026-01-18T14:00:00.000Z", &(60 + i % 40).to_string())).collect()
}

async fn texts(store: &Store) -> Vec<String> {
    let mut texts = Vec::new();
    for i in 0..120 {
        let id = crate::id::ResourceId::new(format!("o{i}")).unwrap();
        let stored = store.read(&tenant("a"), "Observation", &id).await.unwrap().unwrap();
        texts.push(String::from_utf8(stored.json()).unwrap());
    }
    texts
}

async fn bytes(store: &Store, id: &str) -> i64 {
    let sql = format!("SELECT LENGTH(tail) FROM observation WHERE id = '{id}'");
    sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&store.readers).await.unwrap().try_get(0).unwrap()
}

#[tokio::test]
async fn what_is_compressed_is_read_as_it_was_also_by_another_process() {
    let directory = tempfile::TempDir::new().unwrap();
    let url = database(&directory).await;
    let (store, other) = (open(&url).await, open(&url).await);
    store.put(&tenant("a"), resources(0..60)).await.unwrap();
    let plain = bytes(&store, "o1").await;
    assert!(store.train("observation").await.unwrap());
    store.put(&tenant("a"), resources(60..120)).await.unwrap();
    let compressed = bytes(&store, "o61").await;
    assert!(compressed * 3 < plain, "{compressed} of {plain}");
    assert!(bytes(&store, "o1").await * 3 < plain, "what was there before is written again");

    let written = texts(&store).await;
    assert_eq!(texts(&other).await, written);
    let restarted = open(&url).await;
    assert_eq!(texts(&restarted).await, written);
    // What is stored just so is found to be so, whatever it was written with.
    let again = restarted.put(&tenant("a"), resources(0..120)).await.unwrap();
    assert_eq!((again.created, again.updated, again.unchanged), (0, 0, 120));
    for store in [store, other, restarted] {
        store.close().await;
    }
}

#[tokio::test]
async fn a_dictionary_is_made_when_there_is_enough_to_make_it_of() {
    let directory = tempfile::TempDir::new().unwrap();
    let store = open(&database(&directory).await).await;
    for start in (0..1_100).step_by(100) {
        store.put(&tenant("a"), resources(start..start + 100)).await.unwrap();
    }
    let newest = || store.bodies.0.read().unwrap().tables["observation"].newest.as_ref().map(|d| d.number);
    while newest().is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(newest(), Some(1));
    store.close().await;
}

#[test]
fn short_and_hollow_tails_and_those_that_do_not_shrink_stay_as_they_are() {
    let bodies = Bodies::default();
    for tail in [&b""[..], b"}", br#"},"status":"active"}"#] {
        assert_eq!(bodies.encode("device", tail), tail);
        assert_eq!(bodies.decode(tail.to_vec()).unwrap(), tail);
    }
    let long = br#"},"note":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#;
    let stored = bodies.encode("device", long);
    assert!(stored.len() < long.len() / 2);
    assert_eq!(bodies.decode(stored.clone()).unwrap(), long);
    for length in 1..stored.len() {
        assert!(bodies.decode(stored[..length].to_vec()).is_err(), "{length}");
    }
}
