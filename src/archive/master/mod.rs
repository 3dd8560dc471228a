//! The master key: what data keys are wrapped by. 32 bytes from a file or the environment, or a key in a PKCS#11 token that
//! never leaves it.

mod file;
#[cfg(feature = "pkcs11")]
mod token;

use std::path::PathBuf;
use std::sync::Arc;

pub use file::FileMaster;
#[cfg(feature = "pkcs11")]
pub use token::{Token, TokenMaster};

use super::key::{DataKey, NoRandomness};
use super::keyring::KeyName;

/// Wraps data keys and unwraps them.
///
/// What is wrapped is 12 bytes of random nonce, 32 of data key sealed with AES-256-GCM, 16 of tag; [`KeyName::label`] is the
/// associated data, so that a wrapped key cannot pass for another.
pub trait MasterKey: Send + Sync + std::fmt::Debug {
    /// What it is called; tells nothing about the key.
    fn id(&self) -> &str;

    /// Wraps a data key.
    ///
    /// # Errors
    /// No randomness, or the token failed.
    fn wrap(&self, name: &KeyName, key: &DataKey) -> Result<Vec<u8>, MasterError>;

    /// Unwraps a data key.
    ///
    /// # Errors
    /// It was not wrapped by this key for this name, or the token failed.
    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<DataKey, MasterError>;
}

/// A master key.
pub type Master = Arc<dyn MasterKey>;

/// Why there is no use of a master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// The file cannot be read or made.
    #[error("master key {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What was given is no key.
    #[error("{0} must hold 32 bytes, or 64 hex digits")]
    Shape(String),
    /// The archive's keys are wrapped by another.
    #[error("the archive's data keys are wrapped by master key {wanted}; the one given is {given}")]
    Other {
        /// The one that would do.
        wanted: String,
        /// The one that was given.
        given: String,
    },
    /// More than one is given, or half of one.
    #[error("{0}")]
    Settings(&'static str),
    /// A data key is not wrapped by it, or not for this use.
    #[error("data key {0} cannot be unwrapped: damaged, or wrapped by another master key")]
    Unwrap(String),
    /// The token failed.
    #[cfg(feature = "pkcs11")]
    #[error("PKCS#11 token")]
    Token(#[from] cryptoki::error::Error),
    /// The token has no such key.
    #[error("PKCS#11 token: {0}")]
    NotFound(String),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
}
