//! The registry is data: every biosignal, algorithm and device format is a row in `registry/`, never an `if` in the code.
//!
//! Rows are TOML files with a `format_version`; unknown fields are refused. The rows of this repository are compiled into
//! the binary; a directory given at start adds rows or replaces rows of the same code. [`Registry::load`] checks each row
//! by itself and all rows against each other, and names the file and field at fault.

mod alert;
mod algorithm;
mod check;
mod device;
mod signal;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

pub use alert::{Alert, Condition, Limit, Priority};
pub use algorithm::Algorithm;
pub use device::{Calibration, ClockKind, DeviceModel, Field, GattService, VendorSchema};
pub use signal::{
    Category, CodedValue, Component, Conversion, InputUnit, Kind, LoincCoding, Plausible, SampledData, Signal,
    StripPaper, Unit,
};
pub use target::Target;

pub use crate::id::CANONICAL_BASE;

use crate::id::SignalCode;

/// Directories of rows.
const KINDS: [&str; 5] = ["signal", "algorithm", "alert", "device", "target"];

/// The newest `format_version` this code reads.
const FORMAT_VERSION: u32 = 1;

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/registry");

/// Every row, checked.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    /// `registry/signal`, by code.
    pub signals: BTreeMap<SignalCode, Signal>,
    /// `registry/algorithm`, by id.
    pub algorithms: BTreeMap<String, Algorithm>,
    /// `registry/alert`, by id.
    pub alerts: BTreeMap<String, Alert>,
    /// `registry/device`, by model.
    pub devices: BTreeMap<String, DeviceModel>,
    /// `registry/target`, by name.
    pub targets: BTreeMap<String, Target>,
}

/// What is wrong with a row, and where.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The file cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a row.
    #[error("{}: {source}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and field.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// The row contradicts itself or another row.
    #[error("{row}: {problem}")]
    Inconsistent {
        /// `signal/heart-rate` or the like.
        row: String,
        /// Field and reason.
        problem: String,
    },
}

impl Registry {
    /// The rows compiled into this binary.
    ///
    /// # Errors
    /// A row is malformed or contradicts another; a test keeps that from being released.
    pub fn builtin() -> Result<Self, RegistryError> {
        Self::load(None)
    }

    /// The built-in rows and those under `overlay` (`signal/`, `algorithm/`, `alert/`, `device/`, `target/`), which win.
    ///
    /// # Errors
    /// The first row that is malformed or contradicts another.
    pub fn load(overlay: Option<&Path>) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        for kind in KINDS {
            let files = BUILTIN.get_dir(kind).into_iter().flat_map(Dir::files);
            for file in files.filter(|f| f.path().extension().is_some_and(|e| e == "toml")) {
                registry.add(kind, file.path(), file.contents_utf8().unwrap_or_default())?;
            }
        }
        if let Some(directory) = overlay {
            for kind in KINDS {
                registry.add_directory(kind, &directory.join(kind))?;
            }
        }
        check::check(&registry)?;
        Ok(registry)
    }

    /// The row of a signal.
    pub fn signal(&self, code: &SignalCode) -> Option<&Signal> {
        self.signals.get(code)
    }

    fn add_directory(&mut self, kind: &str, directory: &Path) -> Result<(), RegistryError> {
        let read_error = |path: &Path| {
            let path = path.to_owned();
            move |source| RegistryError::Read { path, source }
        };
        if !directory.exists() {
            return Ok(());
        }
        let entries = std::fs::read_dir(directory).map_err(read_error(directory))?;
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        paths.sort();
        for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
            let text = std::fs::read_to_string(path).map_err(read_error(path))?;
            self.add(kind, path, &text)?;
        }
        Ok(())
    }

    fn add(&mut self, kind: &str, path: &Path, text: &str) -> Result<(), RegistryError> {
        let parse_error = |source| RegistryError::Parse { path: path.to_owned(), source: Box::new(source) };
        match kind {
            "signal" => {
                let row: Signal = toml::from_str(text).map_err(parse_error)?;
                self.signals.insert(row.code.clone(), row);
            }
            "algorithm" => {
                let row: Algorithm = toml::from_str(text).map_err(parse_error)?;
                self.algorithms.insert(row.id.clone(), row);
            }
            "alert" => {
                let row: Alert = toml::from_str(text).map_err(parse_error)?;
                self.alerts.insert(row.id.clone(), row);
            }
            "target" => {
                let row: Target = toml::from_str(text).map_err(parse_error)?;
                self.targets.insert(row.target.clone(), row);
            }
            _ => {
                let row: DeviceModel = toml::from_str(text).map_err(parse_error)?;
                self.devices.insert(row.model.clone(), row);
            }
        }
        Ok(())
    }
}
