//! What was given of the settings, by flags, environment or file.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::home::{Lock, Mode, S3Settings};
use super::master::{FileMaster, Master, MasterError};
use super::settings::{Place, Settings};

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
    #[expect(clippy::unused_self, reason = "as it is with the feature")]
    fn token(&self, _module: &Path) -> Result<Master, MasterError> {
        Err(MasterError::Settings("archive: this program was built without the feature pkcs11"))
    }
}
