//! What the archive is told: where it is, how large blocks get, and its master key.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::given::GivenMaster;
use super::home::{HomeError, LocalHome, S3Home, S3Settings};
use super::master::{FileMaster, Master, MasterError};
use super::{Archive, ArchiveError, Home};
use crate::store::Store;
use crate::time::Clock;

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
    use std::path::Path;

    use crate::archive::Given;
    use crate::archive::home::{Lock, Mode};

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
