//! The keeper, with a clock that is set by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::id::{DeviceKey, EnrolmentId, ResourceId, StreamName};
use crate::packet::RawPacket;
use crate::program::{EndedBy, Enrolment, EnrolmentStatus, Pinned, Program};
use crate::registry::Registry;
use crate::store::fixture::{database, tenant};
use crate::store::{NewEntry, StreamKey, TriggerState};
use crate::time::{Clock, MICROS};

/// 2026-01-18T14:00:00Z.
const START_S: i64 = 1_768_744_800;

/// Seconds after [`START_S`].
#[derive(Default)]
struct Hand(AtomicI64);

impl Hand {
    fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        second(self.0.load(Ordering::Relaxed))
    }
}

fn second(after: i64) -> Instant {
    Instant((START_S + after) * MICROS)
}

/// A server without its doors, with one episode of device `d`.
struct House {
    _directory: tempfile::TempDir,
    clock: Arc<Hand>,
    store: Store,
    keeper: Keeper,
}

impl House {
    async fn new(end_conditions: Value) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand::default());
        let shared: Arc<dyn Clock> = Arc::<Hand>::clone(&clock);
        let store = Store::open(&database(&directory).await, Arc::clone(&shared)).await.unwrap();
        let registry = Arc::new(Registry::builtin().unwrap());
        let pipeline = fixture::pipeline(&store, &registry).await;
        let episodes = Episodes::new(store.clone(), pipeline, "Clinic");
        let keeper = Keeper::new(episodes.clone(), registry, shared);
        let house = Self { _directory: directory, clock, store, keeper };
        house.enrol(end_conditions).await;
        let opening = Opening {
            id: episode(),
            enrolment: EnrolmentId::new("n1").unwrap(),
            start: second(0),
            devices: vec![device()],
            encounter: None,
            episode_of_care: None,
            request: String::new(),
        };
        episodes.open(&tenant("a"), &opening).await.unwrap();
        house
    }

    async fn enrol(&self, end_conditions: Value) {
        let program =
            Program { id: "heart".to_owned().try_into().unwrap(), title: "Heart".to_owned(), description: None };
        let profile = Pinned { id: "ward".to_owned().try_into().unwrap(), version: 1 };
        let export = json!({"name": "end", "trigger": "on_episode_end", "target": "ehr"});
        let spec = json!({"signals": [{"signal": "ecg"}], "end_conditions": end_conditions, "exports": [export]});
        self.store.put_program(&tenant("a"), &program, None).await.unwrap();
        let spec = serde_json::from_value(spec).unwrap();
        self.store.put_profile(&tenant("a"), &program.id, &profile, &spec).await.unwrap();
        let (id, patient) = (EnrolmentId::new("n1").unwrap(), ResourceId::new("p1").unwrap());
        let enrolment = Enrolment { id, program: program.id, profile, patient, status: EnrolmentStatus::Active };
        self.store.put_enrolment(&tenant("a"), &enrolment, None).await.unwrap();
    }

    /// A packet of a second of ECG, measured in the second of its number, that comes now.
    async fn receive(&self, sequence: u64) {
        let key = StreamKey { tenant: tenant("a"), device: device(), name: StreamName::new("ecg").unwrap() };
        let stream = self.store.stream_id(&key).await.unwrap();
        let packet: RawPacket = serde_json::from_value(json!({
            "device": "d", "stream": "ecg", "sequence": sequence, "device_time": second(sequence.cast_signed()).to_rfc3339(),
            "samples": {"signal": "ecg", "rate_hz": 10.0, "unit": "mV", "values": vec![0.5; 10]},
        }))
        .unwrap();
        let device = packet.device_time;
        let packet = packet.canonical().unwrap().json;
        let sha256 = Sha256::digest(&packet).into();
        let entry = NewEntry { stream, sequence, received: self.clock.now(), device, sha256, packet };
        self.store.append(&[entry]).await.unwrap();
    }

    /// The end of the episode after a round at this second.
    async fn round(&self, at: i64) -> Option<Ended> {
        self.clock.set(at);
        self.keeper.round().await.unwrap();
        self.store.episode(&tenant("a"), &episode()).await.unwrap().unwrap().0.end
    }

    async fn triggers(&self) -> Vec<TriggerState> {
        let found = self.store.triggers(&tenant("a"), None, None, 9).await.unwrap();
        found.into_iter().map(|trigger| trigger.state).collect()
    }
}

fn episode() -> EpisodeId {
    EpisodeId::new("e1").unwrap()
}

fn device() -> DeviceKey {
    DeviceKey::new("d").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_lasts_as_long_as_it_may() {
    let house = House::new(json!({"max_duration_s": 600})).await;
    assert_eq!(house.round(599).await, None);
    let end = Some(Ended { at: second(600), by: EndedBy::MaxDuration });
    assert_eq!(house.round(4000).await, end, "however late it is noticed");
    assert_eq!(house.round(5000).await, end);
    assert_eq!(house.triggers().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_an_episode_and_late_packets_break_it() {
    let house = House::new(json!({"inactivity_s": 600, "max_duration_s": 86400})).await;
    assert_eq!(house.round(599).await, None);
    house.clock.set(500);
    house.receive(9).await;
    assert_eq!(house.round(1099).await, None);
    house.clock.set(1000);
    house.receive(8).await;
    assert_eq!(house.round(1599).await, None, "an old packet is a sign of life too");
    assert_eq!(house.round(2000).await, Some(Ended { at: second(1600), by: EndedBy::Inactivity }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_never_sent_is_silent_from_the_opening_on() {
    let house = House::new(json!({"inactivity_s": 600})).await;
    assert_eq!(house.round(600).await, Some(Ended { at: second(600), by: EndedBy::Inactivity }));
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_are_counted_once_and_the_last_one_ends_the_episode() {
    let house = House::new(json!({"sample_count": 35, "max_duration_s": 86400})).await;
    for sequence in [1, 3, 2] {
        house.receive(sequence).await;
        assert_eq!(house.round(60).await, None);
    }
    assert_eq!(house.store.counts().await.unwrap()[0].samples, 30);
    house.receive(5).await;
    assert_eq!(house.round(60).await, Some(Ended { at: second(6), by: EndedBy::SampleCount }));
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_of_another_time_are_not_counted() {
    let house = House::new(json!({"sample_count": 10})).await;
    let left = house.store.detach_from_episode(&tenant("a"), &episode(), &device(), second(30)).await;
    assert_eq!(left.unwrap(), Some(Written::Updated));
    house.receive(30).await;
    assert_eq!(house.round(60).await, None);
    house.receive(29).await;
    assert_eq!(house.round(60).await.map(|end| end.by), Some(EndedBy::SampleCount));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_keepers_end_an_episode_once_and_its_exports_are_ready_in_the_end() {
    let house = House::new(json!({"max_duration_s": 600})).await;
    house.clock.set(700);
    let other = house.keeper.clone();
    let (one, two) = tokio::join!(house.keeper.round(), other.round());
    one.unwrap();
    two.unwrap();
    for _ in 0..200 {
        if house.triggers().await == [TriggerState::Ready] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        house.round(701).await;
    }
    panic!("{:?}", house.triggers().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_is_told_again_when_who_ended_an_episode_did_not_come_so_far() {
    let house = House::new(json!({"max_duration_s": 86400})).await;
    house.clock.set(100);
    for sequence in 1..9 {
        house.receive(sequence).await;
    }
    let closing = Closing { id: episode(), end: Ended { at: second(60), by: EndedBy::Request } };
    house.store.close_episode(&tenant("a"), &closing, &|_| Vec::new()).await.unwrap();
    house.round(100).await;
    // A process that shares the database may have got the stream only now, and knows all.
    if !house.store.is_shared() {
        assert_eq!(house.triggers().await, [TriggerState::Pending], "what was received is in no record");
    }
    for _ in 0..200 {
        house.round(161).await;
        if house.triggers().await == [TriggerState::Ready] {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", house.triggers().await);
}
