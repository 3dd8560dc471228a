//! Configuration: defaults < file (TOML) < `AFFERENT_*` environment < flags.
//!
//! The flags and the environment are `clap`'s work in `main`; this module reads the file and fills in the defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::id::TenantId;
use crate::outward::Reach;
use crate::time::MICROS;
use crate::{alert, archive, auth};

/// Everything a server is told at start.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Directory for what it keeps.
    pub data: PathBuf,
    /// Database URL.
    pub database: String,
    /// URL clients reach it at, where that is not the Host they ask for.
    pub public_url: Option<String>,
    /// Directory of additional registry rows.
    pub registry: Option<PathBuf>,
    /// Name of the organization that answers for the data.
    pub organization: String,
    /// Tenant of `/fhir/R4` for callers that have none of their own.
    pub tenant: TenantId,
    /// How far a device's clock that is believed may be off before its measurements say so, in microseconds.
    pub clock_bound_us: i64,
    /// Whether references to what is not there are refused in what clients write.
    pub check_references: bool,
    /// Whether what clients write has to be valid.
    pub validate_writes: bool,
    /// Whether key sets of clients are fetched from private addresses and over http as well.
    pub key_sets_anywhere: bool,
    /// How far targets of exports may be, where that is said.
    pub targets: Option<Reach>,
    /// File of policies in Cedar that forbid more than scopes do.
    pub policy: Option<PathBuf>,
    /// How much callers may ask for.
    pub limits: auth::Limits,
    /// How people sign in.
    pub sign_in: auth::SignInSettings,
    /// A file of tables of profiles; those built in where not given.
    pub tables: Option<PathBuf>,
    /// Pipeline threads.
    pub workers: usize,
    /// The raw archive.
    pub archive: archive::Settings,
    /// How alerts are sent.
    pub alerts: alert::Settings,
}

/// The part of it that was given, by one source.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// `listen`.
    pub listen: Option<SocketAddr>,
    /// `data`.
    pub data: Option<PathBuf>,
    /// `database`.
    pub database: Option<String>,
    /// `public_url`.
    pub public_url: Option<String>,
    /// `registry`.
    pub registry: Option<PathBuf>,
    /// `organization`.
    pub organization: Option<String>,
    /// `clock_bound_s`, in whole seconds.
    pub clock_bound_s: Option<u32>,
    /// `check_references`.
    pub check_references: Option<bool>,
    /// `validate_writes`.
    pub validate_writes: Option<bool>,
    /// `key_sets_anywhere`.
    pub key_sets_anywhere: Option<bool>,
    /// `targets_anywhere`.
    pub targets_anywhere: Option<bool>,
    /// `policy`.
    pub policy: Option<PathBuf>,
    /// `requests_per_s`, with one key or of one client.
    pub requests_per_s: Option<u32>,
    /// `tables`.
    pub tables: Option<PathBuf>,
    /// `workers`.
    pub workers: Option<usize>,
    /// `[sign_in]`.
    #[serde(default)]
    pub sign_in: auth::GivenSignIn,
    /// `[archive]`.
    #[serde(default)]
    pub archive: archive::Given,
    /// `[alerts]`.
    #[serde(default)]
    pub alerts: alert::Given,
}

/// Why the configuration is no good.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A setting contradicts itself or another.
    #[error("{0}")]
    Invalid(&'static str),
    /// The default tenant's name is wrong.
    #[error(transparent)]
    Tenant(#[from] crate::id::InvalidId),
}

impl Given {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read or has unknown fields.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })
    }

    /// This, and where it says nothing, `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            listen: self.listen.or(other.listen),
            data: self.data.or(other.data),
            database: self.database.or(other.database),
            public_url: self.public_url.or(other.public_url),
            registry: self.registry.or(other.registry),
            organization: self.organization.or(other.organization),
            clock_bound_s: self.clock_bound_s.or(other.clock_bound_s),
            check_references: self.check_references.or(other.check_references),
            validate_writes: self.validate_writes.or(other.validate_writes),
            key_sets_anywhere: self.key_sets_anywhere.or(other.key_sets_anywhere),
            targets_anywhere: self.targets_anywhere.or(other.targets_anywhere),
            policy: self.policy.or(other.policy),
            requests_per_s: self.requests_per_s.or(other.requests_per_s),
            tables: self.tables.or(other.tables),
            workers: self.workers.or(other.workers),
            sign_in: self.sign_in.or(other.sign_in),
            archive: self.archive.or(other.archive),
            alerts: self.alerts.or(other.alerts),
        }
    }

    /// The whole configuration, with defaults for what nobody gave.
    ///
    /// # Errors
    /// A setting that cannot be.
    pub fn build(self) -> Result<Config, ConfigError> {
        let data = self.data.unwrap_or_else(|| PathBuf::from("afferent-data"));
        let public_url = self.public_url.map(|url| url.trim_end_matches('/').to_owned());
        if public_url.as_ref().is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            return Err(ConfigError::Invalid("public_url: must start with http:// or https://"));
        }
        if self.requests_per_s == Some(0) {
            return Err(ConfigError::Invalid("requests_per_s: at least 1"));
        }
        if self.workers == Some(0) {
            return Err(ConfigError::Invalid("workers: at least 1"));
        }
        Ok(Config {
            listen: self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            database: self.database.unwrap_or_else(|| format!("sqlite:{}", data.join("afferent.db").display())),
            archive: self.archive.build(&data).map_err(ConfigError::Invalid)?,
            alerts: self.alerts.build().map_err(ConfigError::Invalid)?,
            data,
            public_url,
            registry: self.registry,
            organization: self.organization.unwrap_or_else(|| "Afferent".to_owned()),
            tenant: TenantId::new("default")?,
            clock_bound_us: i64::from(self.clock_bound_s.unwrap_or(30)) * MICROS,
            check_references: self.check_references.unwrap_or_default(),
            validate_writes: self.validate_writes.unwrap_or(true),
            key_sets_anywhere: self.key_sets_anywhere.unwrap_or_default(),
            targets: self.targets_anywhere.unwrap_or_default().then_some(Reach::Anywhere),
            policy: self.policy,
            limits: self
                .requests_per_s
                .map_or_else(auth::Limits::default, |requests_per_s| auth::Limits { requests_per_s }),
            sign_in: self.sign_in.build().map_err(ConfigError::Invalid)?,
            tables: self.tables,
            workers: self.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearer_sources_win() {
        let flags = Given { workers: Some(3), ..Given::default() };
        let file: Given = toml::from_str(
            "workers = 1\norganization = \"Clinic\"\n[archive]\nblock_bytes = 99\nmaster.key_file = \"k\"",
        )
        .unwrap();
        let config = flags.or(file).build().unwrap();
        assert_eq!((config.workers, config.organization.as_str(), config.archive.block_bytes), (3, "Clinic", 99));
        assert!(toml::from_str::<Given>("wrokers = 1").unwrap_err().to_string().contains("wrokers"));
    }
}
