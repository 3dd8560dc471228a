//! Where a server keeps its data: in a file of its own or, with `AFFERENT_TEST_POSTGRES=postgres://…`, in a schema of its own
//! there. So every test here is one of both databases; `tests/run` runs those that matter on each.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tempfile::TempDir;

use super::block_on;

/// A database nobody else uses, where it is not the file in the server's data directory.
pub(crate) fn fresh() -> Option<String> {
    Some(fresh_on(&std::env::var("AFFERENT_TEST_POSTGRES").ok()?))
}

/// A schema nobody else uses, on this PostgreSQL.
pub(crate) fn fresh_on(server: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("it_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    block_on(async {
        let mut connection = connect(server).await;
        connection.execute(AssertSqlSafe(format!("CREATE SCHEMA {name}"))).await.unwrap();
    });
    format!("{server}?options=-csearch_path%3D{name}")
}

/// The one number a statement gives.
pub(crate) fn number(url: &str, statement: &'static str) -> i64 {
    block_on(async { connect(url).await.fetch_one(statement).await.unwrap().get(0) })
}

async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnection::connect(url).await.unwrap()
}

/// A PostgreSQL that a test may stop.
pub(crate) struct Cluster {
    directory: TempDir,
    /// Its URL.
    pub(crate) url: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = cluster(&["start", directory.path().to_str().unwrap()]);
        Self { directory, url }
    }

    /// Stops it as a crash does.
    pub(crate) fn crash(&self) {
        self.stop("immediate");
    }

    /// Stops it in one of PostgreSQL's modes.
    pub(crate) fn stop(&self, mode: &str) {
        cluster(&["stop", self.directory.path().to_str().unwrap(), mode]);
    }

    /// Starts it again where it was.
    pub(crate) fn start_again(&self) {
        assert_eq!(cluster(&["start", self.directory.path().to_str().unwrap()]), self.url);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.crash();
    }
}

/// Runs `tests/postgres/cluster`; gives what it prints.
#[track_caller]
fn cluster(arguments: &[&str]) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/postgres/cluster");
    let output = Command::new(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
