use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::tenant;
use crate::id::{ConnectionId, ResourceId};
use crate::store::Store;
use crate::store::delivery::{Key, Lane, Next, OperationState, Progress};
use crate::store::fixture::database;
use crate::time::{Clock, Instant};

/// A clock that is set, in seconds.
#[derive(Default)]
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> Instant {
        Instant(self.0.load(Ordering::Relaxed) * 1_000_000)
    }
}

impl Set {
    fn to(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

async fn at_a_set_time() -> (tempfile::TempDir, Store, Arc<Set>) {
    let directory = tempfile::TempDir::new().unwrap();
    let clock = Arc::new(Set::default());
    clock.to(1_000_000);
    let store = Store::open(&database(&directory).await, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    (directory, store, clock)
}

/// An operation of one resource of a patient, to `ehr`.
async fn operation(store: &Store, patient: &str) -> i64 {
    let key: Key = ("Observation".to_owned(), format!("o-{patient}"));
    let (export, patient) = (ConnectionId::new("ehr").unwrap(), ResourceId::new(patient).unwrap());
    store.make_repair((&tenant("a"), &export, &patient), "https://ehr.example", (&[key], &[])).await.unwrap()
}

async fn tell(store: &Store, lane: &Lane, operation: i64, next: Next) -> bool {
    let destination = "https://ehr.example";
    let (arrived, refused, unchanged) = (&[], &[], &[0]);
    let progress =
        Progress { operation, destination, arrived, unchanged, outdated: &[], refused, exchange: None, next };
    store.progress(lane, &progress).await.unwrap()
}

#[tokio::test]
async fn the_word_of_one_who_lost_its_lane_counts_no_more() {
    let (_directory, store, clock) = at_a_set_time().await;
    let number = operation(&store, "p1").await;
    let first = store.take_lane(&[]).await.unwrap().unwrap();
    assert_eq!(store.take_lane(&[]).await.unwrap(), None, "it is held");
    clock.to(1_000_015);
    assert!(store.keep_lane(&first).await.unwrap());
    clock.to(1_000_030);
    assert_eq!(store.take_lane(&[]).await.unwrap(), None, "its holder was heard of");
    clock.to(1_000_036);
    let second = store.take_lane(&[]).await.unwrap().unwrap();
    assert!(!store.keep_lane(&first).await.unwrap());
    assert!(!tell(&store, &first, number, Next::Go).await);
    assert!(tell(&store, &second, number, Next::Done(None)).await);
    store.give_lane_back(&second, store.clock.now()).await.unwrap();
    assert_eq!(store.take_lane(&[]).await.unwrap(), None, "nothing waits in it");
}

#[tokio::test]
async fn what_lanes_to_a_target_share_is_one_workers_at_a_time() {
    let (_directory, store, clock) = at_a_set_time().await;
    operation(&store, "p1").await;
    operation(&store, "p2").await;
    let (one, other) = (store.take_lane(&[]).await.unwrap().unwrap(), store.take_lane(&[]).await.unwrap().unwrap());
    let shared = store.take_shared_lane(&one.key).await.unwrap().unwrap();
    assert_eq!(store.take_shared_lane(&other.key).await.unwrap(), None);
    store.give_lane_back(&shared, store.clock.now()).await.unwrap();
    assert_eq!(store.take_lane(&[]).await.unwrap(), None, "it is no patient's");
    let shared = store.take_shared_lane(&other.key).await.unwrap().unwrap();
    clock.to(1_000_021);
    assert!(store.take_shared_lane(&one.key).await.unwrap().is_some(), "nothing was heard of its holder");
    assert!(!store.keep_lane(&shared).await.unwrap());
}

#[tokio::test]
async fn what_came_to_its_end_long_ago_is_forgotten_with_its_triggers() {
    let (_directory, store, clock) = at_a_set_time().await;
    let mut numbers = Vec::new();
    for patient in ["p1", "p2", "p3"] {
        let number = operation(&store, patient).await;
        sqlx::query(
            "INSERT INTO export_trigger (tenant, episode, export, occurrence, state, event_us, operation) \
             VALUES ('a', $1, 'all', 'once', 'taken', 0, $2)",
        )
        .bind(patient)
        .bind(number)
        .execute(&store.writer)
        .await
        .unwrap();
        numbers.push(number);
    }
    let failure =
        crate::store::delivery::Failure { operation: "deliver".to_owned(), status: None, message: String::new() };
    // The first one succeeds, the second one fails, the third one is on its way.
    for next in [Next::Done(None), Next::GiveUp(failure)] {
        let lane = store.take_lane(&[]).await.unwrap().unwrap();
        let operation = store.next_operation(&lane.key).await.unwrap().unwrap();
        assert!(tell(&store, &lane, operation.number, next).await);
    }
    clock.to(2_000_000);
    assert_eq!(store.forget_operations(Instant(999_999_000_000)).await.unwrap(), 0);
    assert_eq!(store.forget_operations(store.clock.now()).await.unwrap(), 1);
    let left: Vec<(i64, OperationState)> = store
        .operations(&tenant("a"), (None, false), 0, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|one| (one.number, one.state))
        .collect();
    assert_eq!(left, [(numbers[1], OperationState::Failed), (numbers[2], OperationState::Pending)]);
    assert!(store.discard(&tenant("a"), numbers[1], "nobody needs it").await.unwrap());
    assert_eq!(store.forget_operations(store.clock.now()).await.unwrap(), 1);
    let row = sqlx::query("SELECT COUNT(*) FROM export_trigger").fetch_one(&store.writer).await.unwrap();
    assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), 1);
}
