//! The raw archive of a running server: what was acknowledged is in it, also after a kill; what is done to it is named; its
//! keys can be changed. On SQLite, and on PostgreSQL where `AFFERENT_TEST_POSTGRES` names one.

mod keys;
mod s3;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Random, Server, eventually, scalar};

/// Blocks of a few packets, made at once.
pub(crate) const SMALL: [(&str, &str); 2] =
    [("AFFERENT_ARCHIVE_BLOCK_BYTES", "4000"), ("AFFERENT_ARCHIVE_BLOCK_SECONDS", "0")];

#[test]
fn what_was_acknowledged_is_archived_and_what_is_done_to_it_is_named() {
    let server = Server::with_environment(&SMALL);
    let client = server.client();
    send(&client, "d1", 0..200);
    send(&client, "d2", 0..50);
    archived(&server);
    let report = verified(&server);
    assert_eq!(
        (report["chains"][0]["packets"].as_u64(), report["chains"][1]["packets"].as_u64()),
        (Some(200), Some(50))
    );
    assert_eq!(read(&server, "d1"), (0..200).collect());

    let blocks = blocks(&server, "d1");
    assert!(blocks.len() > 4);
    // A flipped bit, a block cut off, two that changed places, one that is gone: each by its number.
    let mut bytes = fs::read(&blocks[1]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0x80;
    assert_eq!(
        named(&server, &blocks[1], Some(&bytes)),
        ["default d1 block 2: its bytes are not those it is named after: it was changed"]
    );
    let half = bytes.len() / 2;
    assert_eq!(
        named(&server, &blocks[1], Some(&bytes[..half])),
        [format!("default d1 block 2: it is cut off: {half} of {} bytes", bytes.len())]
    );
    let other = fs::read(&blocks[2]).unwrap();
    assert_eq!(named(&server, &blocks[0], Some(&other)).len(), 1);
    for at in [0, 2, blocks.len() - 1] {
        assert_eq!(named(&server, &blocks[at], None), [format!("default d1 block {}: it is missing", at + 1)]);
    }
    verified(&server);
}

#[test]
fn killed_while_archiving_all_that_was_acknowledged_is_archived_once() {
    const ROUNDS: u64 = 25;
    const EACH: u64 = 40;
    let mut random = Random::new(7);
    let mut server = Server::with_environment(&SMALL);
    let mut client = server.client();
    for round in 0..ROUNDS {
        send(&client, "d1", round * EACH..(round + 1) * EACH);
        send(&client, "d2", round * 3..(round + 1) * 3);
        std::thread::sleep(Duration::from_millis(random.below(120)));
        server = server.restart_after_kill();
        client = server.client_again(&client);
    }
    archived(&server);
    let report = verified(&server);
    assert_eq!(report["chains"][0]["packets"], ROUNDS * EACH);
    assert_eq!(report["chains"][0]["left_over"], 0);
    assert_eq!(read(&server, "d1"), (0..ROUNDS * EACH).collect());
    assert_eq!(read(&server, "d2"), (0..ROUNDS * 3).collect());
}

#[test]
fn what_was_archived_can_be_replayed() {
    let server = Server::with_environment(&SMALL);
    let client = server.client();
    send(&client, "d1", 0..20);
    archived(&server);
    let lines = admin(&server, &["archive", "read", "--device", "d1"]);
    let other = server.tenant();
    other.ingest_raw("application/x-ndjson", lines).expect(202);
    archived(&server);
    let tenant = "test-";
    let report = verified(&server);
    let copy = report["chains"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["tenant"].as_str().unwrap().starts_with(tenant))
        .unwrap();
    assert_eq!(copy["packets"], 20);
    // By the time they came.
    let none = admin(&server, &["archive", "read", "--device", "d1", "--until", "2026-01-01T00:00:00Z"]);
    assert_eq!(none, "");
}

#[test]
fn holds_and_rules_are_kept_and_on_record() {
    let server = Server::with_environment(&SMALL);
    send(&server.client(), "d1", 0..3);
    archived(&server);
    let by = ["--by", "officer"];
    let run = |arguments: &[&str]| admin(&server, &[&["archive"], arguments, &by[..]].concat());
    run(&["retention", "set", "--tenant", "default", "--days", "30"]);
    assert_eq!(run(&["retention", "list"]), "default: 30 days after the end of the month");
    assert_eq!(run(&["retention", "run"]), "", "the month is not over");
    run(&["hold", "set", "--tenant", "default", "--device", "d1", "--reason", "case 7"]);
    assert!(run(&["hold", "list"]).starts_with("default d1 since "));
    let again = server.admin(&["archive", "hold", "set", "--tenant", "default", "--device", "d1", "--reason", "x"]);
    assert_eq!(again.status.code(), Some(1));
    run(&["hold", "release", "--tenant", "default", "--device", "d1"]);
    assert_eq!(run(&["hold", "list"]), "");
    let audit = run(&["audit"]);
    let acts: Vec<(String, String)> = audit.lines().map(act).collect();
    let expected = ["retention", "hold", "release"].map(|action| ("officer".to_owned(), action.to_owned()));
    assert_eq!(acts, expected);
}

fn act(line: &str) -> (String, String) {
    let record: Value = serde_json::from_str(line).unwrap();
    (record["who"].as_str().unwrap().to_owned(), record["action"].as_str().unwrap().to_owned())
}

#[test]
fn of_two_servers_on_one_database_one_archives() {
    if std::env::var_os("AFFERENT_TEST_POSTGRES").is_none() {
        println!("skipped: AFFERENT_TEST_POSTGRES names no PostgreSQL");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let (home, key) = (place.path().join("archive"), place.path().join("key"));
    fs::write(&key, "11".repeat(32)).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let shared =
        [("AFFERENT_ARCHIVE", home.to_str().unwrap()), ("AFFERENT_ARCHIVE_MASTER_KEY_FILE", key.to_str().unwrap())];
    let first = Server::with_environment(&[&SMALL[..], &shared[..]].concat());
    let second = first.beside();
    let (one, two) = (first.client(), second.client());
    for round in 0..20 {
        send(&one, "d1", round * 10..round * 10 + 5);
        send(&two, "d1", round * 10 + 5..round * 10 + 10);
    }
    archived(&first);
    assert_eq!(verified(&first)["chains"][0]["left_over"], 0);
    // The one that archives goes, whichever it is; the other goes on.
    first.kill();
    send(&two, "d1", 200..210);
    archived(&second);
    assert_eq!(verified(&second)["chains"][0]["packets"], 210);
    assert_eq!(read(&second, "d1"), (0..210).collect());
}

/// Makes packets of a device durable.
fn send(client: &Client, device: &str, numbers: std::ops::Range<u64>) {
    let packets: Vec<Value> = numbers.map(|n| scalar(device, n, "spo2", "%", 95.0)).collect();
    packets.chunks(7).for_each(|some| client.ingest_all(some));
}

/// Waits until nothing waits for the archive.
#[track_caller]
pub(crate) fn archived(server: &Server) {
    eventually("the archive to have everything", || {
        let status = admin(server, &["archive", "status", "--format", "json"]);
        let tenants = status.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["waiting"] == 0);
        tenants.collect::<Vec<_>>().into_iter().all(|done| done).then_some(())
    });
}

/// `afferent admin archive verify` with nothing to complain about.
#[track_caller]
pub(crate) fn verified(server: &Server) -> Value {
    let report: Value = serde_json::from_str(&admin(server, &["archive", "verify", "--format", "json"])).unwrap();
    assert_eq!(report["problems"], json!([]));
    report
}

/// What `verify` says while a block has other bytes, or is gone; it is put back afterwards.
#[track_caller]
fn named(server: &Server, block: &PathBuf, bytes: Option<&[u8]>) -> Vec<String> {
    let before = fs::read(block).unwrap();
    fs::remove_file(block).unwrap();
    if let Some(bytes) = bytes {
        fs::write(block, bytes).unwrap();
    }
    let output = server.admin(&["archive", "verify"]);
    fs::write(block, before).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.starts_with("default ")).map(str::to_owned).collect()
}

/// The numbers of a device's packets in the archive, as they can be read without the database.
#[track_caller]
fn read(server: &Server, device: &str) -> BTreeSet<u64> {
    let lines = admin(server, &["archive", "read", "--device", device]);
    let numbers: Vec<u64> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64().unwrap()).collect();
    let set: BTreeSet<u64> = numbers.iter().copied().collect();
    assert_eq!(set.len(), numbers.len(), "a packet is there twice");
    set
}

/// The files of a device's blocks, in order.
fn blocks(server: &Server, device: &str) -> Vec<PathBuf> {
    let folder = server.data().join("archive/t-default").join(format!("d-{device}"));
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[track_caller]
pub(crate) fn admin(server: &Server, arguments: &[&str]) -> String {
    let output = server.admin(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
