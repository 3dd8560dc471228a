//! A running `afferent serve` with data of its own, ended when the last test lets go of it.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tempfile::TempDir;

use super::{Client, database, eventually};

/// A server process.
pub(crate) struct Server {
    process: Mutex<Child>,
    address: String,
    place: Place,
}

/// What a server is started with, and started again with.
#[derive(Clone)]
struct Place {
    data: Arc<TempDir>,
    /// Where it is not the file in `data`.
    database: Option<String>,
    registry: Option<PathBuf>,
    /// Further settings, for the server and for `admin`.
    environment: Vec<(String, String)>,
}

impl Place {
    fn new(database: Option<String>) -> Self {
        Self { data: Arc::new(tempfile::tempdir().unwrap()), database, registry: None, environment: Vec::new() }
    }
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static TENANTS: AtomicU32 = AtomicU32::new(1);

impl Server {
    /// The server tests share; each works in a tenant of its own.
    pub(crate) fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return running;
        }
        let started = Arc::new(Self::start());
        *shared = Arc::downgrade(&started);
        started
    }

    /// A server for one test alone.
    pub(crate) fn start() -> Self {
        Self::start_at(Place::new(database::fresh()))
    }

    /// A server on a database that others may be on too.
    ///
    /// They share the archive and its master key, as servers on one database have to.
    pub(crate) fn on(database: &str) -> Self {
        let name: String = database.chars().filter(char::is_ascii_alphanumeric).collect();
        let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).display().to_string();
        let environment =
            vec![("AFFERENT_ARCHIVE".to_owned(), archive), ("AFFERENT_ARCHIVE_MASTER_KEY".to_owned(), "11".repeat(32))];
        Self::start_at(Place { environment, ..Place::new(Some(database.to_owned())) })
    }

    /// A server on a file of its own, whatever the other tests run on.
    pub(crate) fn on_file() -> Self {
        Self::start_at(Place::new(None))
    }

    /// A server with further registry rows.
    pub(crate) fn with_registry(registry: &Path) -> Self {
        Self::start_at(Place { registry: Some(registry.to_owned()), ..Place::new(database::fresh()) })
    }

    /// A server with further settings in its environment.
    pub(crate) fn with_environment(environment: &[(&str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::start_at(Place { environment, ..Place::new(database::fresh()) })
    }

    /// A server on a database that others may be on too, with further settings in its environment.
    pub(crate) fn beside(&self) -> Self {
        Self::start_at(Place { data: Arc::new(tempfile::tempdir().unwrap()), ..self.place.clone() })
    }

    /// The directory of its data.
    pub(crate) fn data(&self) -> &Path {
        self.place.data.path()
    }

    /// Runs `afferent admin …` on its data.
    pub(crate) fn admin(&self, arguments: &[&str]) -> Output {
        self.place.run_admin(arguments)
    }

    /// Runs `afferent keys …` on its data.
    pub(crate) fn keys(&self, arguments: &[&str]) -> Output {
        self.place.run("keys", arguments)
    }

    /// Tries to start another server on the data of this one, with other settings; gives what it wrote when it ended.
    pub(crate) fn refuses_to_start_with(&self, environment: &[(&str, &str)]) -> String {
        self.kill();
        let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(self.place.arguments()).env("NO_COLOR", "1");
        command.envs(self.place.environment.iter().cloned()).envs(environment.iter().copied());
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    }

    /// Another server on the same data, without one setting and with others.
    pub(crate) fn restart_instead(&self, without: &str, with: &[(&str, &str)]) -> Self {
        self.kill();
        let mut place = self.place.clone();
        place.environment.retain(|(name, _)| name != without && with.iter().all(|(other, _)| name != other));
        place.environment.extend(with.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self::start_at(place)
    }

    /// Ends the process as a power cut would, and starts another on the same data.
    pub(crate) fn restart_after_kill(&self) -> Self {
        self.kill();
        Self::start_at(self.place.clone())
    }

    /// Starts a process on this server's data, while its own is gone, and kills it after a while: before it serves, or
    /// right after.
    pub(crate) fn start_and_kill(&self, after: Duration) {
        let mut process = self.place.serve(&self.place.data.path().join("killed.log"));
        std::thread::sleep(after);
        let _ = process.kill();
        let _ = process.wait();
    }

    /// SIGKILL.
    pub(crate) fn kill(&self) {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = process.kill();
        let _ = process.wait();
    }

    /// A client with a new key for everything in the default tenant.
    pub(crate) fn client(&self) -> Client {
        self.client_of("default")
    }

    /// A client in a tenant nobody else uses.
    pub(crate) fn tenant(&self) -> Client {
        self.client_of(&format!("test-{}", TENANTS.fetch_add(1, Ordering::Relaxed)))
    }

    /// A client with the key of one that talked to the server before it was restarted.
    pub(crate) fn client_again(&self, before: &Client) -> Client {
        Client::new(&self.address, &before.key)
    }

    /// A key for everything in the default tenant of a server that was not started here.
    pub(crate) fn key(data: &Path, database: &str) -> String {
        let arguments = vec!["--data".into(), data.into(), "--database".into(), database.into()];
        admin(&["key", "create", "--sandbox", "--tenant", "default"], arguments)
    }

    /// The URL of its database.
    pub(crate) fn url(&self) -> String {
        let file = || format!("sqlite:{}", self.place.data.path().join("afferent.db").display());
        self.place.database.clone().unwrap_or_else(file)
    }

    /// What it wrote about its work.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.place.log()).unwrap()
    }

    /// Whether the process runs.
    pub(crate) fn is_alive(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        process.try_wait().unwrap().is_none()
    }

    fn client_of(&self, tenant: &str) -> Client {
        let key = self.place.admin(&["key", "create", "--sandbox", "--tenant", tenant]);
        Client::new(&self.address, &key)
    }

    fn start_at(place: Place) -> Self {
        let log = place.log();
        let mut process = place.serve(&log);
        let address = eventually("the server to serve", || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            let gone = process.try_wait().unwrap();
            assert!(gone.is_none(), "the server ended at once, {gone:?}:\n{text}");
            address_in(&text)
        });
        Self { process: Mutex::new(process), address, place }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The address in the line `… serving address=127.0.0.1:PORT`.
fn address_in(log: &str) -> Option<String> {
    let line = log.lines().find(|line| line.contains("serving"))?;
    let start = line.find("127.0.0.1:")?;
    let address: String = line[start..].chars().take_while(|c| c.is_ascii_digit() || matches!(c, '.' | ':')).collect();
    Some(address)
}

impl Place {
    fn log(&self) -> PathBuf {
        self.data.path().join("serve.log")
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["--data".into(), self.data.path().into()];
        if let Some(database) = &self.database {
            arguments.extend(["--database".into(), database.into()]);
        }
        arguments
    }

    fn run_admin(&self, arguments: &[&str]) -> Output {
        self.run("admin", arguments)
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
        command.envs(self.environment.iter().cloned()).env("NO_COLOR", "1");
        command.arg(name).args(arguments).args(self.arguments()).output().unwrap()
    }

    /// Starts a process.
    fn serve(&self, log: &Path) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(self.arguments());
        if let Some(registry) = &self.registry {
            command.arg("--registry").arg(registry);
        }
        command.envs(self.environment.iter().cloned());
        command.env("NO_COLOR", "1").env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(log).unwrap()).spawn().unwrap()
    }

    /// Runs `afferent admin …` on this data; gives what it prints.
    #[track_caller]
    fn admin(&self, arguments: &[&str]) -> String {
        let output = self.run_admin(arguments);
        assert!(output.status.success(), "admin {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Runs `afferent admin …`; gives what it prints.
#[track_caller]
fn admin(arguments: &[&str], place: Vec<OsString>) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afferent"));
    let output = command.arg("admin").args(arguments).args(place).output().unwrap();
    assert!(output.status.success(), "admin {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
