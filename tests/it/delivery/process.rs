//! A receiver in a process of its own, with a journal of what it has: killed at any moment, it comes back with what it had
//! said that it has. It is Medplum's code where that is beside the repository, and the project's own receiver else.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::shared;

/// Medplum's code, installed into `target/` where it is not yet.
static MEDPLUM: LazyLock<PathBuf> = LazyLock::new(|| {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("receiver");
    std::fs::create_dir_all(&place).unwrap();
    for file in ["package.json", "package-lock.json", "polyfill.mjs", "receiver.mjs"] {
        let text = std::fs::read(shared().join("receiver").join(file)).unwrap();
        std::fs::write(place.join(file), text).unwrap();
    }
    let durable = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/delivery/durable.mjs");
    std::fs::copy(durable, place.join("durable.mjs")).unwrap();
    if !place.join("node_modules").exists() {
        let installed = Command::new("npm").args(["ci", "--silent"]).current_dir(&place).status().unwrap();
        assert!(installed.success());
    }
    place
});

/// A receiver's process.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    folder: TempDir,
    kind: Kind,
}

/// Whose code it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Medplum's, with atomic transactions or without.
    Medplum { transactions: bool },
    /// The project's own.
    Own,
}

impl Kind {
    /// Medplum's where that is there.
    pub(crate) fn best() -> Self {
        if std::env::var_os("AFFERENT_SHARED").is_some() && Command::new("node").arg("--version").output().is_ok() {
            return Self::Medplum { transactions: false };
        }
        println!("the project's own receiver stands in for Medplum's code, which AFFERENT_SHARED and Node would give");
        Self::Own
    }

    fn command(self) -> Command {
        match self {
            Self::Medplum { transactions } => {
                let mut command = Command::new("node");
                command.args(["--import", "./durable.mjs", "receiver.mjs"]).current_dir(&*MEDPLUM);
                command.env("TRANSACTIONS", transactions.to_string()).env("CHECK_REFERENCES", "true");
                command.env("FHIR_QUOTA", "-1");
                command
            }
            Self::Own => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.args(["delivery::receiver::serve", "--exact", "--ignored", "--nocapture"]);
                command
            }
        }
    }
}

impl Process {
    pub(crate) fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (child, url) = spawn(kind, folder.path(), "0");
        Self { child, url, folder, kind }
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again where it was, with what it had.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let port = self.url.rsplit(':').next().unwrap();
        (self.child, self.url) = spawn(self.kind, self.folder.path(), port);
    }

    /// What each request wrote, in order.
    pub(crate) fn written(&self) -> Vec<Vec<Value>> {
        read(&self.folder.path().join("journal"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(kind: Kind, folder: &Path, port: &str) -> (Child, String) {
    let mut command = kind.command();
    command.env("PORT", port).env("JOURNAL", folder.join("journal"));
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let url = ready(&mut child);
    (child, url)
}

/// Waits for the line of a process that says where it listens.
pub(crate) fn ready(child: &mut Child) -> String {
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    // Those on the test runner have a word before it.
    let line = lines.find_map(|line| line.find('{').map(|start| line[start..].to_owned()));
    let ready: Value = serde_json::from_str(&line.expect("it to listen")).unwrap();
    // Its pipe is read to the end, so that whatever it writes does not stop it.
    std::thread::spawn(move || lines.for_each(drop));
    ready["url"].as_str().unwrap().to_owned()
}

/// What is in a journal: for each request what it wrote. A last line that is not whole was not answered.
pub(crate) fn read(journal: &Path) -> Vec<Vec<Value>> {
    let text = std::fs::read_to_string(journal).unwrap_or_default();
    let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A journal to be written on, without a last line that is not whole.
pub(crate) fn opened(journal: &Path) -> File {
    let bytes = std::fs::read(journal).unwrap_or_default();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let file = OpenOptions::new().create(true).append(true).open(journal).unwrap();
    file.set_len(whole as u64).unwrap();
    file
}
