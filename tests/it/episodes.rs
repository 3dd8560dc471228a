//! Episodes over HTTP: opened, filled with packets, ended by request or by themselves; each export due once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Ecg, Random, Server, census, database, eventually, has_code, scalar, time};

const SECOND: i64 = 1_000_000;

/// A program, a profile and a patient `p1` in it.
fn enrol(client: &Client, end_conditions: &Value) {
    let exports = json!([
        {"name": "begin", "trigger": "on_episode_start", "target": "ehr"},
        {"name": "end", "trigger": "on_episode_end", "target": "ehr"},
        {"name": "each", "trigger": "on_measurement", "target": "ehr"},
        {"name": "minutely", "trigger": "on_schedule", "interval_s": 60, "target": "ehr"},
    ]);
    let spec = json!({"signals": [{"signal": "ecg"}], "end_conditions": end_conditions, "exports": exports});
    client.put("/api/v1/programs/heart", &json!({"title": "Heart rhythm at home"})).expect(201);
    client.put("/api/v1/programs/heart/profiles/ward/versions/1", &json!({"spec": spec})).expect(201);
    let enrolment = json!({"program": "heart", "profile": {"id": "ward", "version": 1}, "patient": "p1"});
    client.put("/api/v1/enrolments/n1", &enrolment).expect(201);
}

/// Opens an episode at the start of synthetic recordings.
#[track_caller]
fn open(client: &Client, episode: &str, devices: &[&str]) {
    let encounter = json!({"identifier": {"system": "https://ehr.example/visit", "value": "v-1"}, "class": "HH"});
    let body = json!({"enrolment": "n1", "start": time(0), "devices": devices, "encounter": encounter});
    client.put(&format!("/api/v1/episodes/{episode}"), &body).expect(201);
}

fn episode(client: &Client, episode: &str) -> Value {
    client.get(&format!("/api/v1/episodes/{episode}")).expect(200).json()
}

/// Occurrences and states of what an export is due for.
fn due(client: &Client, export: &str) -> Vec<(String, String)> {
    let all = client.get("/api/v1/triggers?count=1000").expect(200).json();
    let of_export = all["items"].as_array().unwrap().iter().filter(|trigger| trigger["export"] == export);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of_export.map(|trigger| (text(&trigger["occurrence"]), text(&trigger["state"]))).collect()
}

/// Waits until the one export at the end is ready.
#[track_caller]
fn await_end(client: &Client) {
    eventually("the export at the end", || {
        let end = due(client, "end");
        assert!(end.len() <= 1, "{end:?}");
        (end == [("once".to_owned(), "ready".to_owned())]).then_some(())
    });
}

/// Seconds of ECG as packets that do not say that they end.
fn ecg(device: &str, seconds: u32) -> Vec<Value> {
    let mut packets = Ecg::new(seconds).packets(device);
    packets.iter_mut().for_each(|packet| drop(packet.as_object_mut().unwrap().remove("end_of_stream")));
    packets
}

fn waveforms(client: &Client) -> usize {
    census(&client.search("Observation?patient=p1")).get("ecg").copied().unwrap_or_default()
}

#[test]
fn an_episode_from_its_opening_to_its_exports() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    open(&client, "e1", &["chest-1"]);
    client.ingest_all(&ecg("chest-1", 150));
    client.settle();
    assert_eq!(waveforms(&client), 2, "the third minute is not over");
    assert_eq!(due(&client, "begin"), [("once".to_owned(), "ready".to_owned())]);
    assert_eq!(due(&client, "end"), []);

    let end = json!({"at": time(150 * SECOND)});
    let closed = client.post("/api/v1/episodes/e1/close", &end).expect(200).json();
    assert_eq!((&closed["ended_by"], &closed["devices"][0]["until"]), (&json!("request"), &closed["end"]));
    await_end(&client);
    assert_eq!(waveforms(&client), 3, "what was open was given out");
    let minutes: Vec<String> = due(&client, "minutely").into_iter().map(|(minute, _)| minute).collect();
    assert_eq!(minutes[..2], ["1", "2"]);
    assert!(!due(&client, "each").is_empty());

    // Once more, and at another time: it has ended.
    for again in [&end, &json!({}), &json!({"at": time(100 * SECOND)})] {
        assert_eq!(client.post("/api/v1/episodes/e1/close", again).expect(200).json(), closed);
    }
    await_end(&client);

    let shown = client.fhir(closed["resource"].as_str().unwrap());
    assert_eq!((&shown["status"], &shown["patient"]["reference"]), (&json!("finished"), &json!("Patient/p1")));
    assert_eq!(shown["period"], json!({"start": "2026-01-18T14:00:00.000Z", "end": "2026-01-18T14:02:30.000Z"}));
    for query in ["EpisodeOfCare?patient=p1&status=finished", "EpisodeOfCare?type=heart&date=2026-01-18"] {
        assert_eq!(client.search(query).len(), 1, "{query}");
    }
    let encounters = client.search("Encounter?identifier=https://ehr.example/visit|v-1&class=HH&patient=p1");
    assert_eq!(encounters[0]["episodeOfCare"][0]["reference"], closed["resource"]);
    let encounter = format!("Encounter/{}", encounters[0]["id"].as_str().unwrap());
    let observations = client.search("Observation?patient=p1");
    assert!(observations.iter().all(|observation| observation["encounter"]["reference"] == encounter.as_str()));
    assert_eq!(client.search(&format!("Observation?encounter={encounter}")).len(), observations.len());
}

#[test]
fn a_device_that_goes_on_sending_does_not_hold_up_the_end() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    client.link_device("chest-1", "p1").expect(201);
    open(&client, "e1", &["chest-1"]);
    let packets = ecg("chest-1", 400);
    client.ingest_all(&packets[..130]);
    let end = json!({"at": time(100 * SECOND)});
    client.post("/api/v1/episodes/e1/close", &end).expect(200);
    let mut rest = packets[130..].chunks(1);
    eventually("the export at the end", || {
        rest.by_ref().take(1).for_each(|packet| client.ingest_all(packet));
        (due(&client, "end") == [("once".to_owned(), "ready".to_owned())]).then_some(())
    });
    rest.for_each(|packet| client.ingest_all(packet));
    client.settle();
    let rates = client.search("Observation?patient=p1&code=heart-rate&_sort=date");
    let of_episode: Vec<bool> = rates.iter().map(|rate| rate.get("encounter").is_some()).collect();
    assert!(of_episode.len() > 4 && of_episode.is_sorted_by(|a, b| a >= b), "{of_episode:?}");
    assert!(of_episode[0] && !of_episode[3], "{of_episode:?}");
}

#[test]
fn silence_ends_an_episode() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({"inactivity_s": 1}));
    open(&client, "e1", &["finger-1"]);
    client.ingest_all(&[scalar("finger-1", 1, "spo2", "%", 95.0)]);
    await_end(&client);
    let ended = episode(&client, "e1");
    assert_eq!(ended["ended_by"], "inactivity");
    assert_eq!(ended["devices"][0]["until"], ended["end"]);
    let found = client.search("Observation?patient=p1");
    assert!(found.len() == 1 && has_code(&found[0]["code"], "spo2"), "{found:?}");
}

#[test]
fn enough_samples_end_an_episode_and_the_next_one_is_not_of_it() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({"sample_count": 3}));
    client.link_device("finger-1", "p1").expect(201);
    open(&client, "e1", &["finger-1"]);
    let packets: Vec<Value> = (1..=5).map(|n| scalar("finger-1", n, "spo2", "%", 95.0)).collect();
    client.ingest_all(&packets);
    await_end(&client);
    let ended = episode(&client, "e1");
    assert_eq!((&ended["ended_by"], &ended["end"]), (&json!("sample_count"), &json!("2026-01-18T14:00:03.000001Z")));
    client.settle();
    let mine = eventually("what was of it for a while", || {
        let all = client.search("Observation?patient=p1&status=final");
        let mine: Vec<Value> = all.iter().filter(|o| o.get("encounter").is_some()).cloned().collect();
        (all.len() == 5 && mine.len() == 3).then_some(mine)
    });
    assert_eq!(mine.len(), 3);
}

#[test]
fn two_that_end_an_episode_at_once_end_it_once() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    open(&client, "e1", &["finger-1"]);
    client.ingest_all(&[scalar("finger-1", 1, "spo2", "%", 95.0)]);
    let ends: Vec<Value> = std::thread::scope(|scope| {
        let close = |second: i64| {
            let client = client.clone();
            let end = json!({"at": time(second * SECOND)});
            scope.spawn(move || client.post("/api/v1/episodes/e1/close", &end).expect(200).json()["end"].clone())
        };
        let both: Vec<_> = (10..18).map(close).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
    await_end(&client);
}

#[test]
fn killed_while_an_episode_ends_it_ends_once() {
    let mut random = Random::new(5);
    for _ in 0..5 {
        let server = Server::start();
        let client = server.client();
        enrol(&client, &json!({}));
        open(&client, "e1", &["chest-1"]);
        client.ingest_all(&ecg("chest-1", 150));
        let end = json!({"at": time(150 * SECOND)});
        let after = Duration::from_micros(random.below(15_000));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(after);
                server.kill();
            });
            // Whether an answer comes is open.
            let _ = client.try_post("/api/v1/episodes/e1/close", &end);
        });
        let server = server.restart_after_kill();
        let client = server.client_again(&client);
        client.post("/api/v1/episodes/e1/close", &end).expect(200);
        await_end(&client);
        assert_eq!(waveforms(&client), 3, "killed after {after:?}");
    }
}

#[test]
#[ignore = "needs AFFERENT_TEST_POSTGRES"]
fn two_processes_end_episodes_once() {
    let url = database::fresh().expect("AFFERENT_TEST_POSTGRES");
    let (one, two) = (Server::on(&url), Server::on(&url));
    let client = one.client();
    enrol(&client, &json!({"max_duration_s": 60}));
    open(&client, "e1", &["finger-1"]);
    client.ingest_all(&[scalar("finger-1", 1, "spo2", "%", 95.0)]);
    await_end(&client);
    let again = two.client_again(&client);
    assert_eq!(episode(&again, "e1")["end"], "2026-01-18T14:01:00.000000Z");
    again.post("/api/v1/episodes/e1/close", &json!({})).expect(200);
    await_end(&again);
    one.kill();
    open(&again, "e2", &["finger-2"]);
    eventually("the end of the second", || {
        let ready = again.get("/api/v1/triggers?state=ready").expect(200).json();
        let ends = ready["items"].as_array().unwrap().iter().filter(|trigger| trigger["export"] == "end").count();
        (ends == 2).then_some(())
    });
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    open(&client, "e1", &["d1"]);
    let program = "/api/v1/programs/heart";
    let profile = "/api/v1/programs/heart/profiles/ward/versions/2";
    let spec = |path: &str, value: Value| {
        let mut body = json!({"spec": {"signals": [{"signal": "ecg"}], "exports": [
            {"name": "a", "trigger": "on_episode_end", "target": "t"}]}});
        if let Some((parent, name)) = path.rsplit_once('/') {
            body.pointer_mut(parent).unwrap()[name] = value;
        }
        body
    };
    let opening = |name: &str, value: Value| {
        let mut body = json!({"enrolment": "n1"});
        body[name] = value;
        body
    };
    let other = json!({"program": "heart", "profile": {"id": "ward", "version": 1}, "patient": "p2"});
    let unknown = json!({"program": "heart", "profile": {"id": "ward", "version": 9}, "patient": "p1"});
    let url = json!({"system": "visit", "value": "1"});
    let puts = [
        (program, json!({"title": ""}), 422, "title"),
        (program, json!({"title": "a", "colour": "red"}), 422, "colour"),
        (program, json!({"title": 7}), 422, "title"),
        (program, json!({"title": "Other"}), 428, ""),
        ("/api/v1/programs/a%20b", json!({"title": "a"}), 422, "program"),
        ("/api/v1/programs/lung/profiles/a/versions/1", spec("", json!(0)), 422, "program"),
        (profile, json!({}), 422, "body"),
        (profile, spec("/spec/colour", json!("red")), 422, "spec.colour"),
        (profile, spec("/spec/exports/0/trigger", json!("sometimes")), 422, "spec.exports[0].trigger"),
        (profile, spec("/spec/exports/0/interval_s", json!(5)), 422, "spec.exports[0].interval_s"),
        (profile, spec("/spec/device_models", json!(["toaster"])), 422, "spec.device_models[0]"),
        (profile, spec("/spec/end_conditions", json!({"inactivity_s": -1})), 422, "spec.end_conditions.inactivity_s"),
        ("/api/v1/programs/heart/profiles/ward/versions/x", spec("", json!(0)), 422, "version"),
        ("/api/v1/programs/heart/profiles/ward/versions/3", spec("", json!(0)), 409, "version"),
        ("/api/v1/programs/heart/profiles/ward/versions/1", spec("", json!(0)), 409, "spec"),
        ("/api/v1/enrolments/n1", other, 409, "patient"),
        ("/api/v1/enrolments/n2", unknown, 422, "profile"),
        ("/api/v1/enrolments/n2", json!({"program": "heart"}), 422, "body"),
        ("/api/v1/episodes/e2", json!({"enrolment": "n7"}), 422, "enrolment"),
        ("/api/v1/episodes/e2", opening("devices", json!(["d2", "d1"])), 409, ""),
        ("/api/v1/episodes/e2", opening("devices", json!(["d2", "d2"])), 422, "devices[1]"),
        ("/api/v1/episodes/e2", opening("devices", json!(["a b"])), 422, "devices[0]"),
        ("/api/v1/episodes/e2", opening("start", json!("2999-01-01T00:00:00Z")), 422, "start"),
        ("/api/v1/episodes/e2", opening("start", json!("noon")), 422, "start"),
        ("/api/v1/episodes/e2", opening("episode_of_care", url.clone()), 422, "episode_of_care.system"),
        ("/api/v1/episodes/e2", opening("encounter", json!({"identifier": url, "class": "X"})), 422, "encounter.class"),
        ("/api/v1/episodes/e1", opening("devices", json!([])), 409, "content"),
        ("/api/v1/episodes/e1/devices/d1", json!({"from": time(5)}), 409, "from"),
        ("/api/v1/episodes/e1/devices/d2", json!({"from": time(-5)}), 422, "from"),
        ("/api/v1/episodes/e9/devices/d2", json!({}), 404, ""),
    ];
    for (path, body, status, element) in puts {
        let problem = client.put(path, &body).expect(status).json();
        let found = problem["element"].as_str().unwrap_or_default();
        assert_eq!(found, element, "{path} {body}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(element), "{problem}");
    }
    let taken = client.put("/api/v1/episodes/e2", &opening("devices", json!(["d1"]))).expect(409).json();
    assert_eq!((&taken["episode"], &taken["device"]), (&json!("e1"), &json!("d1")));
    client.get("/api/v1/episodes/e2").expect(404);
    assert_eq!(client.post("/api/v1/episodes/e1/close", &json!({"at": time(0)})).expect(422).json()["element"], "at");
    client.post("/api/v1/episodes/e9/close", &json!({})).expect(404);
    client.delete("/api/v1/episodes/e1/devices/d1?until=noon").expect(400);
    for query in ["count=0", "count=1001", "after=a%20b", "after=%00", "colour=red", "state=lost"] {
        let refused = client.get(&format!("/api/v1/triggers?{query}"));
        assert!(matches!(refused.status, 400 | 422), "{query}: {}", refused.status);
        assert_eq!(refused.content_type, "application/problem+json", "{query}");
    }
    assert_eq!(client.with_key("").get("/api/v1/programs").status, 401);
}

#[test]
fn who_changes_something_has_to_know_it() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    let program = "/api/v1/programs/heart";
    let first = client.get(program).expect(200).etag.unwrap();
    client.put_over(program, &first, &json!({"title": "Heart"})).expect(200);
    client.put_over(program, &first, &json!({"title": "Lung"})).expect(412);
    client.put_over(program, "first", &json!({"title": "Lung"})).expect(400);
    client.put(program, &json!({"title": "Heart"})).expect(200);
    assert_eq!(client.get(program).expect(200).json(), json!({"id": "heart", "title": "Heart"}));

    open(&client, "e1", &[]);
    let (enrolment, etag) = ("/api/v1/enrolments/n1", client.get("/api/v1/enrolments/n1").etag.unwrap());
    let mut withdrawn = client.get(enrolment).json();
    withdrawn.as_object_mut().unwrap().remove("id");
    withdrawn["status"] = json!("withdrawn");
    client.put_over(enrolment, &etag, &withdrawn).expect(409);
    client.post("/api/v1/episodes/e1/close", &json!({})).expect(200);
    client.put_over(enrolment, &etag, &withdrawn).expect(200);
    client.put("/api/v1/episodes/e2", &json!({"enrolment": "n1"})).expect(409);
}

#[test]
fn devices_come_and_go_and_lists_are_read_page_by_page() {
    let server = Server::shared();
    let client = server.tenant();
    enrol(&client, &json!({}));
    for number in 1..=5 {
        open(&client, &format!("e{number}"), &[]);
    }
    let device = "/api/v1/episodes/e1/devices/d1";
    client.put(device, &json!({"from": time(SECOND)})).expect(201);
    client.put(device, &json!({})).expect(200);
    client.put("/api/v1/episodes/e2/devices/d1", &json!({"from": time(SECOND)})).expect(409);
    client.delete(&format!("{device}?until={}", time(2 * SECOND))).expect(200);
    client.delete(device).expect(200);
    let devices = episode(&client, "e1")["devices"].clone();
    let expected =
        json!([{"device": "d1", "from": "2026-01-18T14:00:01.000000Z", "until": "2026-01-18T14:00:02.000000Z"}]);
    assert_eq!(devices, expected);
    client.post("/api/v1/episodes/e5/close", &json!({})).expect(200);
    let pages = |list: &str| {
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let page = client.get(&format!("/api/v1/{list}count=2{after}")).expect(200).json();
            pages.push(page["items"].as_array().unwrap().len());
            let Some(next) = page["next"].as_str() else { return pages };
            after = format!("&after={next}");
        }
    };
    assert_eq!(pages("episodes?"), [2, 2, 1]);
    assert_eq!(pages("episodes?running=true&"), [2, 2]);
    assert_eq!(pages("triggers?"), [2, 2, 2], "five have begun, one has ended");
    assert_eq!((pages("programs?"), pages("enrolments?")), (vec![1], vec![1]));
    assert_eq!(pages("programs/heart/profiles?"), [1]);
    client.get("/api/v1/programs/lung/profiles").expect(404);
}
