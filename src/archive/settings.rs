//! What the archive is told: where it is, how large blocks get, and its master key.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::home::{HomeError, LocalHome, Lock, Mode, S3Home, S3Settings};
use super::master::{FileMaster, Master, MasterError};
use super::{Archive, ArchiveError, Home};
use crate::store::Store;
use crate::time::Clock;

/// What was given, by flags, environment or file.
#[derive(Debug, Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Archive")]
pub struct Given {
    /// Where blocks are kept: a directory, or s3://BUCKET[/PREFIX] [default: archive in the data directory].
    #[arg(id = "archive_home", long = "archive", env = "AFFERENT_ARCHIVE", global = true)]
    pub home: Option<String>,
    /// S3 server other than Amazon's.
    #[arg(long = "archive-s3-endpoint", env = "AFFERENT_ARCHIVE_S3_ENDPOINT", global = true)]
    pub s3_endpoint: Option<String>,
    /// S3 region [default: us-east-1].
    #[arg(long = "archive-s3-region", env = "AFFERENT_ARCHIVE_S3_REGION", global = true)]
    pub s3_region: Option<String>,
    /// Days S3 is to refuse to delete a block; there is no default.
    #[arg(long = "archive-lock-days", env = "AFFERENT_ARCHIVE_LOCK_DAYS", global = true)]
    pub lock_days: Option<u32>,
    /// Who may lift that lock: nobody, or whoever has the right to bypass it [default: compliance].
    #[arg(long = "archive-lock-mode", env = "AFFERENT_ARCHIVE_LOCK_MODE", global = true)]
    pub lock_mode: Option<Mode>,
    /// A device's packets become a block when they have so many bytes [default: 1048576].
    #[arg(long = "archive-block-bytes", env = "AFFERENT_ARCHIVE_BLOCK_BYTES", global = true)]
    pub block_bytes: Option<u64>,
    /// Or when the oldest has waited so many seconds [default: 300].
    #[arg(long = "archive-block-seconds", env = "AFFERENT_ARCHIVE_BLOCK_SECONDS", global = true)]
    pub block_seconds: Option<u64>,
    /// The master key.
    #[command(flatten)]
    #[serde(default)]
    pub master: GivenMaster,
}

/// The master key that was given.
#[derive(Clone, Default, Deserialize, clap::Args)]
#[serde(deny_unknown_fields)]
#[command(next_help_heading = "Master key of the archive [default: one is made in the data directory]")]
pub struct GivenMaster {
    /// File with its 32 bytes, or 64 hex digits.
    #[arg(long = "archive-master-key-file", env = "AFFERENT_ARCHIVE_MASTER_KEY_FILE", global = true)]
    #[serde(rename = "key_file")]
    pub master_key_file: Option<PathBuf>,
    /// The key itself, 64 hex digits: from the environment only.
    #[arg(
        long = "archive-master-key",
        env = "AFFERENT_ARCHIVE_MASTER_KEY",
        global = true,
        hide = true,
        hide_env_values = true
    )]
    #[serde(skip)]
    pub master_key: Option<String>,
    /// Library of a PKCS#11 token that has the key.
    #[arg(long = "archive-pkcs11-module", env = "AFFERENT_ARCHIVE_PKCS11_MODULE", global = true)]
    pub pkcs11_module: Option<PathBuf>,
    /// Label of the token.
    #[arg(long = "archive-pkcs11-token", env = "AFFERENT_ARCHIVE_PKCS11_TOKEN", global = true)]
    pub pkcs11_token: Option<String>,
    /// Label of the AES-256 key in it.
    #[arg(long = "archive-pkcs11-key", env = "AFFERENT_ARCHIVE_PKCS11_KEY", global = true)]
    pub pkcs11_key: Option<String>,
    /// File with the PIN of the token's user.
    #[arg(long = "archive-pkcs11-pin-file", env = "AFFERENT_ARCHIVE_PKCS11_PIN_FILE", global = true)]
    pub pkcs11_pin_file: Option<PathBuf>,
    /// The PIN itself: from the environment only.
    #[arg(
        long = "archive-pkcs11-pin",
        env = "AFFERENT_ARCHIVE_PKCS11_PIN",
        global = true,
        hide = true,
        hide_env_values = true
    )]
    #[serde(skip)]
    pub pkcs11_pin: Option<String>,
}

impl std::fmt::Debug for GivenMaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GivenMaster").finish_non_exhaustive()
    }
}

/// Where the archive is and how it is written.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Directory the server keeps its data in.
    pub data: PathBuf,
    /// Where blocks are kept.
    pub home: Place,
    /// Bytes of packets that make a block.
    pub block_bytes: u64,
    /// Time after which fewer do.
    pub block_age: Duration,
    /// The master key that was given.
    pub master: GivenMaster,
}

/// Where blocks are kept.
#[derive(Debug, Clone)]
pub enum Place {
    /// A directory.
    Local(PathBuf),
    /// A bucket.
    S3(S3Settings),
}

impl Given {
    /// This, and where it says nothing, `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            home: self.home.or(other.home),
            s3_endpoint: self.s3_endpoint.or(other.s3_endpoint),
            s3_region: self.s3_region.or(other.s3_region),
            lock_days: self.lock_days.or(other.lock_days),
            lock_mode: self.lock_mode.or(other.lock_mode),
            block_bytes: self.block_bytes.or(other.block_bytes),
            block_seconds: self.block_seconds.or(other.block_seconds),
            // Whole or not at all: half of one and half of another is nobody's key.
            master: if self.master.is_given() { self.master } else { other.master },
        }
    }

    /// The settings, with defaults for what nobody gave.
    ///
    /// # Errors
    /// What is wrong with which.
    pub fn build(self, data: &Path) -> Result<Settings, &'static str> {
        let home = self.home.clone().unwrap_or_else(|| data.join("archive").display().to_string());
        let home = match home.strip_prefix("s3://") {
            None if self.lock_days.is_some() => return Err("archive.lock_days: only S3 locks blocks"),
            None => Place::Local(home.into()),
            Some(bucket) => {
                let (bucket, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
                let prefix = prefix.trim_matches('/');
                Place::S3(S3Settings {
                    bucket: bucket.to_owned(),
                    prefix: if prefix.is_empty() { String::new() } else { format!("{prefix}/") },
                    endpoint: self.s3_endpoint,
                    region: self.s3_region.unwrap_or_else(|| "us-east-1".to_owned()),
                    lock: Lock {
                        mode: self.lock_mode.unwrap_or_default(),
                        days: self.lock_days.filter(|days| (1..=36_500).contains(days)).ok_or(
                            "archive.lock_days: say how many days, 1 to 36500, S3 is to refuse to delete a block",
                        )?,
                    },
                })
            }
        };
        let block_bytes = self.block_bytes.unwrap_or(1 << 20);
        if !(1..=64 << 20).contains(&block_bytes) {
            return Err("archive.block_bytes: 1 to 67108864");
        }
        let block_age = Duration::from_secs(self.block_seconds.unwrap_or(300));
        Ok(Settings { data: data.to_owned(), home, block_bytes, block_age, master: self.master })
    }
}

impl GivenMaster {
    fn is_given(&self) -> bool {
        self.master_key_file.is_some() || self.master_key.is_some() || self.pkcs11_module.is_some()
    }

    /// The key, if one was given.
    ///
    /// # Errors
    /// More than one was given, or it cannot be read or found.
    pub fn open(&self) -> Result<Option<Master>, MasterError> {
        match (&self.master_key_file, &self.master_key, &self.pkcs11_module) {
            (None, None, None) => Ok(None),
            (Some(file), None, None) => Ok(Some(Arc::new(FileMaster::read(file)?))),
            (None, Some(text), None) => Ok(Some(Arc::new(FileMaster::from_text(text, "AFFERENT_ARCHIVE_MASTER_KEY")?))),
            (None, None, Some(module)) => self.token(module).map(Some),
            _ => Err(MasterError::Settings("archive: more than one master key is given")),
        }
    }

    #[cfg(feature = "pkcs11")]
    fn token(&self, module: &Path) -> Result<Master, MasterError> {
        use super::master::{Token, TokenMaster};
        const MISSING: MasterError = MasterError::Settings("archive: a PKCS#11 module needs token, key and PIN");
        let pin = match (&self.pkcs11_pin, &self.pkcs11_pin_file) {
            (Some(pin), None) => pin.clone(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|source| MasterError::File { path: path.clone(), source })?
                .trim()
                .to_owned(),
            _ => return Err(MISSING),
        };
        let (Some(token), Some(key)) = (&self.pkcs11_token, &self.pkcs11_key) else { return Err(MISSING) };
        let token = Token { module: module.to_owned(), token: token.clone(), key: key.clone(), pin: pin.into() };
        Ok(Arc::new(TokenMaster::open(&token)?))
    }

    #[cfg(not(feature = "pkcs11"))]
    fn token(&self, _module: &Path) -> Result<Master, MasterError> {
        Err(MasterError::Settings("archive: this program was built without the feature pkcs11"))
    }
}

impl Settings {
    /// Opens the home.
    ///
    /// # Errors
    /// S3 cannot be reached, or the bucket cannot be an archive.
    pub async fn home(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Home>, HomeError> {
        Ok(match &self.home {
            Place::Local(path) => Arc::new(LocalHome::new(path)),
            Place::S3(settings) => Arc::new(S3Home::open(settings.clone(), clock).await?),
        })
    }

    /// The master key: the one given or, where none is, the one in the data directory, which is made where there is none at
    /// all yet. `current` is the one that the data keys are wrapped by.
    ///
    /// # Errors
    /// It cannot be read, found or made, or is not the current one.
    pub fn master(&self, current: Option<&str>) -> Result<Master, MasterError> {
        let directory = self.key_directory();
        let master = match (self.master.open()?, current) {
            (Some(master), _) => master,
            (None, Some(current)) => {
                let path = directory.join(format!("{current}.key"));
                if !path.exists() {
                    return Err(MasterError::Other { wanted: current.to_owned(), given: "none".to_owned() });
                }
                Arc::new(FileMaster::read(&path)?)
            }
            (None, None) => {
                let master = FileMaster::create(&directory)?;
                tracing::warn!(directory = %directory.display(),
                    "no master key for the archive was given: one was made here; keep a copy elsewhere, for without it the \
                     archive cannot be read, and see docs/archive.md for better places");
                Arc::new(master)
            }
        };
        match current {
            Some(wanted) if wanted != master.id() => {
                Err(MasterError::Other { wanted: wanted.to_owned(), given: master.id().to_owned() })
            }
            _ => Ok(master),
        }
    }

    /// Where a master key is made that nobody gave.
    pub fn key_directory(&self) -> PathBuf {
        self.data.join("archive-master")
    }

    /// Opens the archive of a database.
    ///
    /// # Errors
    /// The home or the master key is not to be had.
    pub async fn open(&self, store: &Store, clock: Arc<dyn Clock>) -> Result<Archive, ArchiveError> {
        let home = self.home(clock).await?;
        let current = store.archive_master().await?;
        let master = self.master(current.as_deref())?;
        if current.is_none() {
            store.adopt_archive_master(master.id()).await?;
        }
        let archive = Archive::new(store.clone(), home, master);
        // Another process may have been quicker.
        archive.keyring.check(store.archive_master().await?.as_deref())?;
        Ok(archive)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_needs_a_lock_and_a_directory_has_none() {
        let s3 = Given { home: Some("s3://raw/clinic/a/".to_owned()), ..Given::default() };
        assert!(s3.clone().build(Path::new("d")).unwrap_err().starts_with("archive.lock_days"));
        let Place::S3(settings) = Given { lock_days: Some(30), ..s3 }.build(Path::new("d")).unwrap().home else {
            panic!()
        };
        assert_eq!((settings.bucket.as_str(), settings.prefix.as_str()), ("raw", "clinic/a/"));
        assert_eq!(settings.lock, Lock { mode: Mode::Compliance, days: 30 });
        assert!(Given { lock_days: Some(1), ..Given::default() }.build(Path::new("d")).is_err());
        assert!(Given { block_bytes: Some(0), ..Given::default() }.build(Path::new("d")).is_err());
    }

    #[test]
    fn a_master_key_is_made_once_and_never_replaced_by_another() {
        let data = tempfile::tempdir().unwrap();
        let settings = Given::default().build(data.path()).unwrap();
        let made = settings.master(None).unwrap();
        assert_eq!(settings.master(Some(made.id())).unwrap().id(), made.id());
        assert!(matches!(settings.master(Some("0000")), Err(MasterError::Other { .. })));
        let given = GivenMaster { master_key: Some("ab".repeat(32)), ..GivenMaster::default() };
        let other = Settings { master: given, ..settings };
        assert!(other.master(Some(made.id())).unwrap_err().to_string().contains(made.id()));
    }
}
