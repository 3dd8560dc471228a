//! One contract for both homes, and what S3 does beyond it.
//!
//! S3 is a real server, which `AFFERENT_TEST_S3` names (`tests/s3/gateway`); without one its tests say that they are skipped.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "tests find the server through the environment")]

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::time::SystemClock;

const BLOCK: &str = "t-clinic/d-chest:1/0000000001-aa.block";
const KEY: &str = "t-clinic/keys/k.json";

/// What every home does.
async fn contract(home: &dyn Home) {
    // Nothing is there yet.
    assert_eq!(home.get(BLOCK).await.unwrap(), None);
    assert_eq!(home.files("t-clinic/d-chest:1").await.unwrap(), []);
    assert_eq!(home.folders("").await.unwrap(), Vec::<String>::new());
    assert_eq!(home.remove(BLOCK).await.unwrap(), Removal::Gone);

    // A block is written once: again with the same bytes is fine, with others is not.
    home.create(BLOCK, b"one").await.unwrap();
    home.create(BLOCK, b"one").await.unwrap();
    for other in [&b"two"[..], b"on", b""] {
        assert!(matches!(home.create(BLOCK, other).await, Err(HomeError::Taken(_))));
    }
    assert_eq!(home.get(BLOCK).await.unwrap().as_deref(), Some(&b"one"[..]));

    // Copies of keys can be replaced and removed.
    home.replace(KEY, b"old").await.unwrap();
    home.replace(KEY, b"newer").await.unwrap();
    assert_eq!(home.get(KEY).await.unwrap().as_deref(), Some(&b"newer"[..]));

    // Files and folders are told apart and come in order.
    let second = "t-clinic/d-chest:1/0000000002-bb.block";
    home.create(second, &[7; 100_000]).await.unwrap();
    home.create("t-clinic/d-a/0000000001-cc.block", b"").await.unwrap();
    home.create("t-ward/d-../0000000001-dd.block", b"x").await.unwrap();
    let item = |path: &str, size| Item { path: path.to_owned(), size };
    assert_eq!(home.files("t-clinic/d-chest:1").await.unwrap(), [item(BLOCK, 3), item(second, 100_000)]);
    assert_eq!(home.files("t-clinic").await.unwrap(), []);
    assert_eq!(home.folders("t-clinic").await.unwrap(), ["d-a", "d-chest:1", "keys"]);
    let found: Vec<String> =
        chains(home).await.unwrap().into_iter().map(|c| format!("{} {}", c.tenant, c.device)).collect();
    assert_eq!(found, ["clinic a", "clinic chest:1", "ward .."]);

    assert_eq!(home.remove(KEY).await.unwrap(), Removal::Gone);
    assert_eq!(home.get(KEY).await.unwrap(), None);
    home.tidy().await.unwrap();
    assert_eq!(home.get(second).await.unwrap().map(|bytes| bytes.len()), Some(100_000));
}

#[tokio::test]
async fn a_directory_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let home = LocalHome::new(directory.path().join("archive"));
    contract(&home).await;
    let file = std::fs::metadata(directory.path().join("archive").join(BLOCK)).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o400, "nobody writes to a block");
    assert_eq!(home.remove(BLOCK).await.unwrap(), Removal::Gone);
    assert_eq!(home.get(BLOCK).await.unwrap(), None);
}

/// A bucket of its own.
pub(in crate::archive) fn bucket(server: &str, kind: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("unit-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/s3/gateway");
    let made = Command::new(script).args(["bucket", server, &name, kind]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    name
}

pub(in crate::archive) fn settings(server: &str, bucket: String, prefix: &str) -> S3Settings {
    S3Settings {
        bucket,
        prefix: prefix.to_owned(),
        endpoint: Some(server.to_owned()),
        region: "us-east-1".to_owned(),
        lock: Lock { mode: Mode::Compliance, days: 1 },
    }
}

/// The server, if there is one.
pub(in crate::archive) fn server() -> Option<String> {
    // Both are normally chosen by the binary.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let server = std::env::var("AFFERENT_TEST_S3").ok();
    if server.is_none() {
        println!("skipped: AFFERENT_TEST_S3 names no S3 server");
    }
    server
}

#[tokio::test]
async fn a_bucket_keeps_the_contract_and_its_blocks() {
    let Some(server) = server() else { return };
    for prefix in ["", "raw/clinics/"] {
        let settings = settings(&server, bucket(&server, "lock"), prefix);
        let home = S3Home::open(settings, Arc::new(SystemClock)).await.unwrap();
        contract(&home).await;
        // A locked block can neither be deleted nor written over.
        assert_eq!(home.remove(BLOCK).await.unwrap(), Removal::Locked);
        assert_eq!(home.get(BLOCK).await.unwrap().as_deref(), Some(&b"one"[..]));
        assert!(matches!(home.create(BLOCK, b"two").await, Err(HomeError::Taken(_))));
        // Whoever writes over it all the same makes another version; the block is still there.
        home.replace(BLOCK, b"two").await.unwrap();
        assert_eq!(home.remove(BLOCK).await.unwrap(), Removal::Locked);
        assert_eq!(home.get(BLOCK).await.unwrap().as_deref(), Some(&b"one"[..]));
    }
}

#[tokio::test]
async fn a_bucket_without_object_lock_is_no_archive() {
    let Some(server) = server() else { return };
    let open = |bucket| S3Home::open(settings(&server, bucket, ""), Arc::new(SystemClock));
    let refused = open(bucket(&server, "plain")).await.unwrap_err();
    assert!(refused.to_string().contains("was made without Object Lock"), "{refused}");
    let refused = open("there-is-none".to_owned()).await.unwrap_err();
    assert!(refused.to_string().contains("there is no bucket"), "{refused}");
    // One that locks everything would lock the copies of keys.
    let refused = open(bucket(&server, "default")).await.unwrap_err();
    assert!(refused.to_string().contains("default retention"), "{refused}");
}
