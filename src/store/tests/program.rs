//! The control plane's facts: written once, changed only by who knows them, exports due once.

use serde_json::json;

use super::{ALONE, commit, key};
use crate::id::{DeviceKey, EnrolmentId, EpisodeId, ResourceId};
use crate::program::{
    BusinessIdentifier, EncounterClass, Ended, EndedBy, Enrolment, EnrolmentStatus, ExternalEncounter, Pinned, Program,
    Spec,
};
use crate::resource::Resource;
use crate::store::fixture::{resource, store, tenant};
use crate::store::{
    Closing, Lease, Opening, Page, Project, Refusal, Shown, Store, StoreError, TriggerState, Waiting, Written,
};
use crate::time::Instant;

const ALL: Page<'static> = Page { after: "", count: 100 };

/// Shows an episode as little as can be.
const SHOW: Project<'static> = &|shown: &Shown<'_>| -> Vec<Resource> {
    let status = if shown.episode.end.is_some() { "finished" } else { "active" };
    vec![resource("EpisodeOfCare", "e1", &format!(r#","status":"{status}","patient":{{"reference":"Patient/p1"}}"#))]
};

fn program(title: &str) -> Program {
    Program { id: "heart".to_owned().try_into().unwrap(), title: title.to_owned(), description: None }
}

fn pinned(version: u32) -> Pinned {
    Pinned { id: "ward".to_owned().try_into().unwrap(), version }
}

fn spec(inactivity_s: u64) -> Spec {
    let exports = json!([
        {"name": "begin", "trigger": "on_episode_start", "target": "ehr"},
        {"name": "end", "trigger": "on_episode_end", "target": "ehr"},
        {"name": "each", "trigger": "on_measurement", "target": "ehr"},
        {"name": "hourly", "trigger": "on_schedule", "interval_s": 3600, "target": "ehr"},
    ]);
    let spec = json!({"signals": [{"signal": "heart-rate"}], "exports": exports,
        "end_conditions": {"inactivity_s": inactivity_s, "max_duration_s": 7200}});
    serde_json::from_value(spec).unwrap()
}

fn enrolment(status: EnrolmentStatus) -> Enrolment {
    Enrolment {
        id: EnrolmentId::new("n1").unwrap(),
        program: program("").id,
        profile: pinned(1),
        patient: ResourceId::new("p1").unwrap(),
        status,
    }
}

fn id(text: &str) -> EpisodeId {
    EpisodeId::new(text).unwrap()
}

fn device(text: &str) -> DeviceKey {
    DeviceKey::new(text).unwrap()
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn opening(episode: &str, devices: &[&str]) -> Opening {
    Opening {
        id: id(episode),
        enrolment: EnrolmentId::new("n1").unwrap(),
        start: at("2026-01-18T14:00:00Z"),
        devices: devices.iter().map(|d| device(d)).collect(),
        encounter: None,
        episode_of_care: None,
        request: format!("{episode} {devices:?}"),
    }
}

fn closing(episode: &str) -> Closing {
    Closing { id: id(episode), end: Ended { at: at("2026-01-18T15:30:00Z"), by: EndedBy::Request } }
}

/// A store with a program and a patient in it.
async fn prepared() -> (tempfile::TempDir, Store) {
    let (directory, store) = store().await;
    let tenant = tenant("a");
    store.put_program(&tenant, &program("Heart"), None).await.unwrap();
    store.put_profile(&tenant, &program("").id, &pinned(1), &spec(600)).await.unwrap();
    store.put_enrolment(&tenant, &enrolment(EnrolmentStatus::Active), None).await.unwrap();
    (directory, store)
}

#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Refusal {
    match result.unwrap_err() {
        StoreError::Refused(refusal) => refusal,
        other => panic!("{other}"),
    }
}

/// Keys and states of the exports that are due.
async fn due(store: &Store) -> Vec<(String, String, TriggerState)> {
    let found = store.triggers(&tenant("a"), None, None, 100).await.unwrap();
    found.into_iter().map(|t| (t.key.export.to_string(), t.key.occurrence, t.state)).collect()
}

#[tokio::test]
async fn a_program_changes_for_who_knows_it() {
    let (_directory, store) = store().await;
    let tenant = tenant("a");
    let put = async |title: &str, known| store.put_program(&tenant, &program(title), known).await;
    assert_eq!(put("Heart", None).await.unwrap(), (Written::Created, 1));
    assert_eq!(put("Heart", None).await.unwrap(), (Written::Unchanged, 1));
    assert_eq!(refusal(put("Hearts", None).await), Refusal::Unconditional);
    assert_eq!(put("Hearts", Some(1)).await.unwrap(), (Written::Updated, 2));
    assert_eq!(refusal(put("Heart", Some(1)).await), Refusal::Stale { revision: 2 });
    assert_eq!(store.programs(&tenant, ALL).await.unwrap(), [program("Hearts")]);
    assert_eq!(store.programs(&tenant, Page { after: "heart", count: 9 }).await.unwrap(), []);
    assert_eq!(store.program(&crate::store::fixture::tenant("b"), &program("").id).await.unwrap(), None);
}

#[tokio::test]
async fn a_profile_version_never_changes_and_none_is_left_out() {
    let (_directory, store) = prepared().await;
    let tenant = tenant("a");
    let heart = program("").id;
    let put = async |version, inactivity| store.put_profile(&tenant, &heart, &pinned(version), &spec(inactivity)).await;
    assert_eq!(put(1, 600).await.unwrap(), Written::Unchanged);
    assert_eq!(refusal(put(1, 601).await), Refusal::Fixed { element: "spec" });
    assert_eq!(refusal(put(3, 600).await), Refusal::NotNext { next: 2 });
    assert_eq!(put(2, 300).await.unwrap(), Written::Created);
    assert_eq!(store.profile(&tenant, &heart, &pinned(2)).await.unwrap(), Some(spec(300)));
    assert_eq!(store.profiles(&tenant, &heart, None, 9).await.unwrap(), [pinned(1), pinned(2)]);
    assert_eq!(store.profiles(&tenant, &heart, Some(&pinned(1)), 9).await.unwrap(), [pinned(2)]);
    let nowhere = "lung".to_owned().try_into().unwrap();
    let put = store.put_profile(&tenant, &nowhere, &pinned(1), &spec(1)).await;
    assert_eq!(refusal(put), Refusal::Unknown { element: "program" });
}

#[tokio::test]
async fn an_enrolment_keeps_its_patient_and_is_not_withdrawn_in_an_episode() {
    let (_directory, store) = prepared().await;
    let tenant = tenant("a");
    let put = async |enrolment: &Enrolment, known| store.put_enrolment(&tenant, enrolment, known).await;
    let active = enrolment(EnrolmentStatus::Active);
    assert_eq!(put(&active, None).await.unwrap(), (Written::Unchanged, 1));
    let other = Enrolment { patient: ResourceId::new("p2").unwrap(), ..active.clone() };
    assert_eq!(refusal(put(&other, Some(1)).await), Refusal::Fixed { element: "patient" });
    let unknown = Enrolment { profile: pinned(7), ..active.clone() };
    assert_eq!(refusal(put(&unknown, Some(1)).await), Refusal::Unknown { element: "profile" });
    let withdrawn = enrolment(EnrolmentStatus::Withdrawn);
    assert_eq!(refusal(put(&withdrawn, None).await), Refusal::Unconditional);

    store.open_episode(&tenant, &opening("e1", &[]), SHOW).await.unwrap();
    assert_eq!(refusal(put(&withdrawn, Some(1)).await), Refusal::Running(id("e1")));
    store.close_episode(&tenant, &closing("e1"), SHOW).await.unwrap();
    assert_eq!(put(&withdrawn, Some(1)).await.unwrap(), (Written::Updated, 2));
    assert_eq!(refusal(put(&active, Some(1)).await), Refusal::Stale { revision: 2 });
    let opened = store.open_episode(&tenant, &opening("e2", &[]), SHOW).await;
    assert_eq!(refusal(opened), Refusal::Withdrawn(active.id));
    assert_eq!(store.enrolments(&tenant, ALL).await.unwrap(), [withdrawn]);
}

#[tokio::test]
async fn an_episode_is_opened_and_ended_once() {
    let (_directory, store) = prepared().await;
    let tenant = tenant("a");
    assert_eq!(store.open_episode(&tenant, &opening("e1", &["d1", "d2"]), SHOW).await.unwrap(), Written::Created);
    assert_eq!(store.open_episode(&tenant, &opening("e1", &["d1", "d2"]), SHOW).await.unwrap(), Written::Unchanged);
    let other = store.open_episode(&tenant, &opening("e1", &["d1"]), SHOW).await;
    assert_eq!(refusal(other), Refusal::Fixed { element: "content" });
    let (episode, devices) = store.episode(&tenant, &id("e1")).await.unwrap().unwrap();
    assert_eq!((episode.end, devices.len()), (None, 2));
    assert_eq!(due(&store).await, [("begin".to_owned(), "once".to_owned(), TriggerState::Ready)]);

    let end = closing("e1");
    let (first, second) =
        tokio::join!(store.close_episode(&tenant, &end, SHOW), store.close_episode(&tenant, &end, SHOW));
    let mut left = first.unwrap().unwrap();
    left.extend(second.unwrap().unwrap());
    assert_eq!(left, [device("d1"), device("d2")], "one of them ended it");
    let (episode, devices) = store.episode(&tenant, &id("e1")).await.unwrap().unwrap();
    assert_eq!(episode.end, Some(closing("e1").end));
    assert!(devices.iter().all(|share| share.until == Some(closing("e1").end.at)));
    let shown = ResourceId::new("e1").unwrap();
    assert_eq!(store.read(&tenant, "EpisodeOfCare", &shown).await.unwrap().unwrap().version, 2);
    let ends: Vec<_> = due(&store).await.into_iter().filter(|(export, ..)| export == "end").collect();
    assert_eq!(ends, [("end".to_owned(), "once".to_owned(), TriggerState::Pending)]);

    let (end, devices) = (closing("e1").end.at, vec![device("d1"), device("d2")]);
    assert_eq!(store.waiting().await.unwrap(), [Waiting { tenant: tenant.clone(), episode: id("e1"), end, devices }]);
    store.release(&tenant, &id("e1")).await.unwrap();
    store.release(&tenant, &id("e1")).await.unwrap();
    assert_eq!(store.waiting().await.unwrap(), []);
    let ready = store.triggers(&tenant, Some(TriggerState::Ready), None, 9).await.unwrap();
    assert_eq!(ready.iter().map(|t| t.key.export.as_str()).collect::<Vec<_>>(), ["begin", "end"]);
    let after = store.triggers(&tenant, None, Some(&ready[0].key), 9).await.unwrap();
    assert_eq!(after, ready[1..]);

    let too_early = Ended { at: at("2026-01-18T14:00:00Z"), by: EndedBy::Request };
    store.open_episode(&tenant, &opening("e2", &[]), SHOW).await.unwrap();
    let closed = store.close_episode(&tenant, &Closing { id: id("e2"), end: too_early }, SHOW).await;
    assert!(matches!(refusal(closed), Refusal::Time { element: "at", .. }));
    assert_eq!(store.close_episode(&tenant, &closing("e3"), SHOW).await.unwrap(), None);
    let running = store.episodes(&tenant, Some(true), ALL).await.unwrap();
    assert_eq!(running.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["e2"]);
    assert_eq!(store.episodes(&tenant, Some(false), ALL).await.unwrap().len(), 1);
    assert_eq!(store.episodes(&tenant, None, ALL).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_device_is_in_one_episode_at_a_time_and_nothing_is_left_of_the_other() {
    let (_directory, store) = prepared().await;
    let tenant = tenant("a");
    store.open_episode(&tenant, &opening("e1", &["d1"]), SHOW).await.unwrap();
    let taken = store.open_episode(&tenant, &opening("e2", &["d2", "d1"]), SHOW).await.unwrap_err();
    assert!(taken.to_string().contains("e1"), "{taken}");
    assert!(store.episode(&tenant, &id("e2")).await.unwrap().is_none());
    assert_eq!(due(&store).await.len(), 1);

    let from = Some(at("2026-01-18T14:10:00Z"));
    let attach =
        async |device_name: &str, from| store.attach_to_episode(&tenant, &id("e1"), &device(device_name), from).await;
    assert_eq!(attach("d2", from).await.unwrap(), Some(Written::Created));
    assert_eq!(attach("d2", from).await.unwrap(), Some(Written::Unchanged));
    assert_eq!(attach("d2", None).await.unwrap(), Some(Written::Unchanged));
    assert!(matches!(
        refusal(attach("d3", Some(at("2026-01-18T13:00:00Z"))).await),
        Refusal::Time { element: "from", .. }
    ));
    let detach = async |until: &str| store.detach_from_episode(&tenant, &id("e1"), &device("d2"), at(until)).await;
    assert!(matches!(refusal(detach("2026-01-18T14:10:00Z").await), Refusal::Time { element: "until", .. }));
    assert_eq!(detach("2026-01-18T14:20:00Z").await.unwrap(), Some(Written::Updated));
    assert_eq!(detach("2026-01-18T14:20:00Z").await.unwrap(), Some(Written::Unchanged));
    let again = Opening { start: at("2026-01-18T14:20:00Z"), ..opening("e2", &["d2"]) };
    assert_eq!(
        store.open_episode(&tenant, &again, SHOW).await.unwrap(),
        Written::Created,
        "it is free from where it left"
    );
    store.close_episode(&tenant, &closing("e1"), SHOW).await.unwrap();
    assert_eq!(refusal(attach("d4", None).await), Refusal::Over(id("e1")));
    assert_eq!(refusal(detach("2026-01-18T14:20:00Z").await), Refusal::Over(id("e1")));
}

#[tokio::test]
async fn episodes_of_an_encounter_say_the_same_of_it() {
    let (_directory, store) = prepared().await;
    let tenant = tenant("a");
    let of = |episode: &str, class| {
        let identifier = BusinessIdentifier { system: "urn:ehr".to_owned(), value: "v-1".to_owned() };
        Opening { encounter: Some(ExternalEncounter { identifier, class }), ..opening(episode, &[]) }
    };
    store.open_episode(&tenant, &of("e1", EncounterClass::Imp), SHOW).await.unwrap();
    let seen = std::sync::Mutex::new(Vec::new());
    let show = |shown: &Shown<'_>| -> Vec<Resource> {
        seen.lock().unwrap().extend_from_slice(shown.of_encounter);
        assert_eq!(shown.title, "Heart");
        Vec::new()
    };
    store.open_episode(&tenant, &of("e2", EncounterClass::Imp), &show).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [id("e1"), id("e2")]);
    let other = store.open_episode(&tenant, &of("e3", EncounterClass::Amb), SHOW).await;
    assert_eq!(refusal(other), Refusal::OtherEncounter);
}

#[tokio::test]
async fn measurements_make_exports_due_once_each_and_intervals_once_in_all() {
    let (_directory, store) = prepared().await;
    let mut leases = Vec::new();
    for name in ["d", "stray"] {
        super::lease::link(&store, name).await;
        leases.push(Lease::sole(store.stream_id(&key(name, "s")).await.unwrap()));
    }
    if store.is_shared() {
        leases = store.holder().tend(0).await.unwrap().into_iter().collect();
    }
    let [lease, stray] = leases[..] else { panic!("{leases:?}") };
    store.open_episode(&tenant("a"), &opening("e1", &["d"]), SHOW).await.unwrap();
    let revision = store.associations(&tenant("a"), &device("d")).await.unwrap().revision;
    let of_episode = |sequence, value: &str| {
        let mut commit = commit(&store, lease, sequence, value);
        commit.revision = revision;
        commit.checkpoint.as_mut().unwrap().revision = revision;
        commit.episodes = [id("e1")].into();
        commit
    };
    let times = async |export: &str| {
        due(&store).await.into_iter().filter(|(e, ..)| e == export).map(|(_, time, _)| time).collect::<Vec<_>>()
    };
    store.commit(&[of_episode(10, "60"), of_episode(59, "60")], ALONE).await.unwrap();
    assert_eq!(times("each").await.len(), 2);
    assert_eq!(times("hourly").await, [""; 0]);
    store.commit(&[of_episode(59, "60")], ALONE).await.unwrap();
    assert_eq!(times("each").await.len(), 2, "nothing changed");
    store.commit(&[of_episode(60, "60"), of_episode(61, "61")], ALONE).await.unwrap();
    assert_eq!((times("each").await.len(), times("hourly").await), (4, vec!["1".to_owned()]));
    let mut amended = of_episode(61, "62");
    amended.position = 99;
    let mut of_none = of_episode(62, "60");
    of_none.episodes.clear();
    store.commit(&[amended, of_none], ALONE).await.unwrap();
    assert_eq!(times("each").await.len(), 5, "an amendment is told, what is of no episode is not");
    let mut claimed = commit(&store, stray, 120, "60");
    claimed.episodes = [id("e1")].into();
    assert_eq!(store.commit(&[claimed], ALONE).await.unwrap().upserted.created, 1);
    assert_eq!((times("each").await.len(), times("hourly").await.len()), (5, 1), "another device only says so");
    store.commit(&[of_episode(200, "60")], ALONE).await.unwrap();
    assert_eq!(times("hourly").await, ["1", "3"]);
}
