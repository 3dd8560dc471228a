//! Episodes to a receiver that fails at random and is killed, from servers that are killed: at the end all is there once, in
//! order, and what was refused is in quarantine, until it is sent once more.
//!
//! `tests/delivery/chaos N` runs it with N episodes; without, it is short.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::process::{Kind, Process};
use super::receiver::{CLIENT, SECRET};
use super::shaky::{Shaky, found_by};
use super::{close, enrol, export, give_tokens, open, operations};
use crate::support::{Client, Random, Server, database, scalar};

/// Values in an episode, and the one in so many episodes that has a value the receiver refuses.
const VALUES: u64 = 4;
const REFUSED: usize = 20;

/// How long nothing may move.
const STILL: Duration = Duration::from_secs(300);

fn episodes() -> usize {
    std::env::var("AFFERENT_CHAOS_EPISODES").map_or(40, |count| count.parse().expect("AFFERENT_CHAOS_EPISODES"))
}

fn patient(number: usize) -> String {
    format!("jane-doe-{}", number % (episodes() / 2).max(1))
}

/// One server on SQLite, two side by side on PostgreSQL.
struct Servers {
    all: Vec<Server>,
    clients: Vec<Client>,
    /// What they wrote before they were killed.
    logs: String,
    kills: usize,
}

impl Servers {
    fn start() -> Self {
        let all = match database::fresh() {
            Some(url) => vec![Server::on(&url), Server::on(&url)],
            None => vec![Server::start()],
        };
        let first = all[0].client();
        let clients = all.iter().map(|server| server.client_again(&first)).collect();
        Self { all, clients, logs: String::new(), kills: 0 }
    }

    fn client(&self, number: usize) -> &Client {
        &self.clients[number % self.clients.len()]
    }

    fn kill(&mut self) {
        let which = self.kills % self.all.len();
        self.all[which].kill();
        self.logs += &self.all[which].log();
        self.all[which] = self.all[which].restart_after_kill();
        self.clients[which] = self.all[which].client_again(&self.clients[which]);
        self.kills += 1;
    }

    fn logs(&self) -> String {
        self.all.iter().fold(self.logs.clone(), |logs, server| logs + &server.log())
    }
}

#[test]
fn all_is_there_once_and_every_refusal_in_quarantine() {
    let begin = Instant::now();
    let mut receiver = Process::start(Kind::best());
    let mut shaky = Shaky::before(&receiver.url, episodes() / 100);
    shaky.with(|mood| mood.refuses = Some("\"value\":42".to_owned()));
    let mut servers = Servers::start();
    let client = servers.client(0);
    give_tokens(client, &shaky.url);
    export(client, &format!("{}/fhir/R4", shaky.url), "medplum_demo");
    let patients: BTreeSet<String> = (0..episodes()).map(patient).collect();
    enrol(client, "on_episode_end", &patients.into_iter().collect::<Vec<_>>());

    let mut random = Random::new(20_260_118);
    let mut receiver_kills = 0;
    for number in 0..episodes() {
        episode(servers.client(number), number);
        if number % 20 == 19 {
            std::thread::sleep(Duration::from_millis(random.below(400)));
            servers.kill();
        }
        if number % 20 == 9 {
            receiver.kill();
            shaky.go();
            std::thread::sleep(Duration::from_millis(random.below(300)));
            receiver.restart();
            shaky.come_back();
            receiver_kills += 1;
        }
    }
    servers.client(0).settle();
    // The receiver is as shaky as before; all has to come to an end at some time.
    let client = servers.client(0);
    come_to_rest(client, episodes(), &receiver);
    let operations_failed = operations(client, "failed");
    let refused = shaky.with(|mood| mood.refused.clone());
    let by_value = (0..episodes()).filter(|number| number % REFUSED == 3).count();
    assert!(refused.len() >= by_value, "{} of {by_value} refused", refused.len());
    assert_eq!(held(client, &shaky), refused, "refusals in quarantine");
    assert!(operations_failed.iter().all(|one| one["refused"].as_i64() > Some(0)), "{operations_failed:?}");
    let letters: i64 = operations_failed.iter().map(|one| one["refused"].as_i64().unwrap()).sum();
    assert!(letters >= i64::try_from(refused.len()).unwrap());
    let arrivals = arrivals(&receiver);
    assert_in_order(&arrivals, &refused, client);
    let (requests, faults) = shaky.with(|mood| (mood.requests, mood.faults));

    // What was wrong has been put right: the dead letters go through, and what was referred to by identifier meanwhile is mended.
    shaky.with(|mood| (mood.chance, mood.refuses) = (0, None));
    for letter in &operations_failed {
        client.post(&format!("/api/v1/dead-letters/{}/redrive", letter["id"]), &json!({})).expect(200);
    }
    come_to_rest(client, episodes(), &receiver);
    assert_eq!(operations(client, "failed"), Vec::<Value>::new());
    let repaired = reconciled(client, &receiver);
    let no_more = client.get("/api/v1/quarantine?kind=delivery&state=held").expect(200).json();
    assert_eq!(no_more["items"], json!([]));
    assert_complete(&receiver, client);
    assert_nothing_told(&servers, &shaky);
    println!(
        "chaos | {:?} | {} servers | {} episodes | {} resources, each once, in order | {} refused, all in quarantine, all sent \
         in the end, {repaired} mended after | {} kills of a server, {receiver_kills} of the receiver | {requests} requests, \
         {faults} of them failed | {:.0} s",
        Kind::best(),
        servers.all.len(),
        episodes(),
        arrivals.len() + refused.len(),
        refused.len(),
        servers.kills,
        begin.elapsed().as_secs_f64()
    );
}

/// An episode of a device of its own with a few values, one after the other in the patient's time.
fn episode(client: &Client, number: usize) {
    let (name, device) = (format!("e{number}"), format!("strap-{number}"));
    open(client, &name, &patient(number), &[device.as_str()]);
    let values: Vec<Value> = (0..VALUES)
        .map(|n| {
            let is_refused = number % REFUSED == 3 && n == 1;
            let rate = if is_refused { 42.0 } else { 60.0 + (number % 10) as f64 };
            scalar(&device, n, "heart-rate", "/min", rate)
        })
        .collect();
    client.ingest_all(&values);
    close(client, &name, 60);
}

/// Waits until so many operations have come to an end, and none is under way.
#[track_caller]
fn come_to_rest(client: &Client, at_least: usize, receiver: &Process) {
    let (mut seen, mut last) = (Instant::now(), (0, 0));
    loop {
        let over = operations(client, "succeeded").len() + operations(client, "failed").len();
        let left = operations(client, "pending").len() + operations(client, "in_progress").len();
        if over >= at_least && left == 0 {
            return;
        }
        let now = (over, receiver.written().len());
        if now != last {
            (last, seen) = (now, Instant::now());
        }
        assert!(seen.elapsed() < STILL, "nothing moves: {over} over, {:?}", operations(client, "in_progress"));
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// What was made there, in order, by what it is found by.
fn arrivals(receiver: &Process) -> Vec<String> {
    let (mut seen, mut names) = (BTreeSet::new(), Vec::new());
    for resource in receiver.written().into_iter().flatten() {
        let name = format!("{}/{}", resource["resourceType"], resource["id"]);
        if seen.insert(name) {
            names.push(found_by(&resource));
        }
    }
    names
}

/// What is held back, each with what was said of it, by what it is found by.
fn held(client: &Client, shaky: &Shaky) -> BTreeSet<String> {
    let page = client.get("/api/v1/quarantine?kind=delivery&state=held&count=1000").expect(200).json();
    let of = |item: &Value| {
        let content = client.get(&format!("/api/v1/quarantine/{}/content", item["id"].as_str().unwrap()));
        let content = content.expect(200).json();
        let said = content["outcome"]["issue"][0]["details"]["text"].as_str().unwrap().to_owned();
        assert!(said == "injected" || said == "this one is not wanted here", "{content}");
        found_by(&content["content"])
    };
    assert!(page["next"].is_null(), "{} refused", shaky.with(|mood| mood.refused.len()));
    page["items"].as_array().unwrap().iter().map(of).collect()
}

/// What was sent of a patient came in the order of the patient's operations, but for what was refused.
fn assert_in_order(arrivals: &[String], refused: &BTreeSet<String>, client: &Client) {
    let order: BTreeMap<&str, usize> =
        arrivals.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let mut all = [operations(client, "succeeded"), operations(client, "failed")].concat();
    all.sort_by_key(|operation| operation["id"].as_i64());
    let mut newest: BTreeMap<String, usize> = BTreeMap::new();
    let mut compared = 0;
    for operation in all.iter().filter(|operation| operation["episode"] != "repair") {
        let episode = operation["episode"].as_str().unwrap();
        let number: usize = episode[1..].parse().unwrap();
        let observations = client.search(&format!("Observation?device:Device.identifier=strap-{number}&_count=50"));
        assert_eq!(observations.len() as u64, VALUES, "{episode}");
        let ids = observations.iter().map(|one| one["id"].as_str().unwrap()).filter(|id| !refused.contains(*id));
        let places: Vec<usize> = ids.map(|id| *order.get(id).unwrap_or_else(|| panic!("{id} is lost"))).collect();
        let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) else { continue };
        if let Some(before) = newest.insert(patient(number), *last) {
            assert!(before < *first, "{episode} came before an earlier one of its patient");
            compared += 1;
        }
    }
    assert!(compared > 0, "nothing was compared");
}

/// Reads back all that was sent until all of it is as it was sent; gives how many were mended.
fn reconciled(client: &Client, receiver: &Process) -> u64 {
    let mut mended = 0;
    loop {
        let report = client.post("/api/v1/data-exports/ehr/reconcile", &json!({})).expect(200).json();
        let of = |name: &str| report[name].as_u64().unwrap();
        assert_eq!((of("missing"), of("unanswered")), (0, 0), "{report}");
        if of("checked") == 0 {
            return mended;
        }
        mended += of("differing");
        come_to_rest(client, episodes(), receiver);
    }
}

/// The receiver has all that this server has of the episodes, each once.
fn assert_complete(receiver: &Process, client: &Client) {
    let names = arrivals(receiver);
    let once: BTreeSet<&String> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "twice");
    for kind in ["Observation", "Provenance"] {
        for one in client.search(&format!("{kind}?_count=500")) {
            let id = one["id"].as_str().unwrap().to_owned();
            assert!(once.contains(&id), "{kind} {id} is lost");
        }
    }
    let tallies = client.get("/api/v1/reconciliation").expect(200).json();
    let tally = &tallies["items"][0];
    assert_eq!((&tally["sent"], &tally["stored"]), (&json!(names.len()), &json!(names.len())), "{tallies}");
}

/// No secret, token or name is in a log or a URL.
fn assert_nothing_told(servers: &Servers, shaky: &Shaky) {
    let logs = servers.logs();
    let (urls, tokens) = shaky.with(|mood| (mood.urls.clone(), mood.tokens.clone()));
    assert!(!tokens.is_empty() && !urls.is_empty() && !logs.is_empty());
    let words =
        [SECRET, CLIENT, "Bearer", "Basic", "client_assertion", "identifier=", "jane", "strap-"].map(str::to_owned);
    for word in words.iter().chain(&tokens) {
        assert!(!logs.contains(word), "{word} in a log");
    }
    for word in [SECRET, "jane", "strap-"].map(str::to_owned).iter().chain(&tokens) {
        assert!(!urls.iter().any(|url| url.contains(word)), "{word} in a URL");
    }
}
