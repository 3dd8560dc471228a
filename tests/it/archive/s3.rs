//! An archive in S3, on the server that `AFFERENT_TEST_S3` names (`tests/s3/gateway`).

use std::process::Command;

use super::*;

fn bucket() -> Option<(String, String)> {
    let Ok(server) = std::env::var("AFFERENT_TEST_S3") else {
        println!("skipped: AFFERENT_TEST_S3 names no S3 server");
        return None;
    };
    let name = format!(
        "it-{}-{}",
        std::process::id(),
        if std::env::var_os("AFFERENT_TEST_POSTGRES").is_some() { "p" } else { "s" }
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3/gateway");
    let made = Command::new(script).args(["bucket", &server, &name, "lock"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    Some((server, name))
}

#[test]
fn an_archive_in_s3_is_like_one_in_a_directory() {
    let Some((address, bucket)) = bucket() else { return };
    let url = format!("s3://{bucket}/raw");
    let settings = [
        ("AFFERENT_ARCHIVE", url.as_str()),
        ("AFFERENT_ARCHIVE_S3_ENDPOINT", &address),
        ("AFFERENT_ARCHIVE_LOCK_DAYS", "1"),
    ];
    let mut server = Server::with_environment(&[&SMALL[..], &settings[..]].concat());
    let mut client = server.client();
    for round in 0..6 {
        send(&client, "chest:1", round * 20..round * 20 + 20);
        server = server.restart_after_kill();
        client = server.client_again(&client);
    }
    archived(&server);
    assert_eq!(verified(&server)["chains"][0]["packets"], 120);
    assert_eq!(read(&server, "chest:1"), (0..120).collect());
    admin(&server, &["archive", "rotate-master-key"]);
    assert_eq!(read(&server, "chest:1"), (0..120).collect());
}

#[test]
fn ingest_does_not_wait_for_an_archive_that_cannot_be_reached() {
    let settings = [
        ("AFFERENT_ARCHIVE", "s3://nowhere"),
        ("AFFERENT_ARCHIVE_S3_ENDPOINT", "http://127.0.0.1:9"),
        ("AFFERENT_ARCHIVE_LOCK_DAYS", "1"),
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
    ];
    let server = Server::with_environment(&[&SMALL[..], &settings[..]].concat());
    assert!(server.log().contains("the archive cannot be reached"), "{}", server.log());
    send(&server.client(), "d1", 0..20);
    let status: Value = serde_json::from_str(&admin(&server, &["archive", "status", "--format", "json"])).unwrap();
    assert_eq!((&status["waiting"], &status["blocks"]), (&json!(20), &json!(0)));
    // It comes back, here as a directory.
    let home = server.data().join("archive");
    let unset = [("AFFERENT_ARCHIVE", home.to_str().unwrap())];
    let server = server.restart_instead("AFFERENT_ARCHIVE_LOCK_DAYS", &unset);
    archived(&server);
    assert_eq!(read(&server, "d1"), (0..20).collect());
}
