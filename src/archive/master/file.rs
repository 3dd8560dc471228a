//! A master key that is 32 bytes.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use zeroize::Zeroizing;

use super::{MasterError, MasterKey};
use crate::archive::key::{DataKey, random};
use crate::archive::keyring::KeyName;

/// 32 secret bytes and the id that follows from them.
pub struct FileMaster {
    id: String,
    key: DataKey,
}

impl fmt::Debug for FileMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileMaster").field("id", &self.id).finish_non_exhaustive()
    }
}

impl FileMaster {
    /// From its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), b"afferent archive master key id 1");
        let id = hex::encode(tag.as_ref().get(..8).unwrap_or_default());
        Self { id, key: DataKey::from(bytes) }
    }

    /// From 64 hex digits, with white space around them; `place` is where they were found.
    ///
    /// # Errors
    /// They are none.
    pub fn from_text(text: &str, place: &str) -> Result<Self, MasterError> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text.trim(), &mut *bytes).map_err(|_| MasterError::Shape(place.to_owned()))?;
        Ok(Self::new(*bytes))
    }

    /// From a file of 32 bytes or 64 hex digits.
    ///
    /// # Errors
    /// It cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Self, MasterError> {
        let error = |source| MasterError::File { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(error)?.permissions().mode();
        if mode & 0o077 != 0 {
            tracing::warn!(path = %path.display(), mode = format!("{:o}", mode & 0o777),
                "others than its owner may read the archive's master key: chmod 600 it");
        }
        let content = Zeroizing::new(fs::read(path).map_err(error)?);
        if let Ok(bytes) = <[u8; 32]>::try_from(content.as_slice()) {
            return Ok(Self::new(bytes));
        }
        let place = path.display().to_string();
        let text = std::str::from_utf8(&content).map_err(|_| MasterError::Shape(place.clone()))?;
        Self::from_text(text, &place)
    }

    /// Makes one in a directory, in a file named after it that only its owner may read.
    ///
    /// # Errors
    /// No randomness, or the file cannot be made.
    pub fn create(directory: &Path) -> Result<Self, MasterError> {
        let bytes = Zeroizing::new(random::<32>()?);
        let master = Self::new(*bytes);
        let path = directory.join(format!("{}.key", master.id));
        let write = || {
            fs::create_dir_all(directory)?;
            fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
            let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
            file.write_all(Zeroizing::new(hex::encode(*bytes)).as_bytes())?;
            file.sync_all()?;
            fs::File::open(directory)?.sync_all()
        };
        write().map_err(|source| MasterError::File { path: path.clone(), source })?;
        Ok(master)
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, self.key.bytes()).ok()?))
    }
}

impl MasterKey for FileMaster {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap(&self, name: &KeyName, key: &DataKey) -> Result<Vec<u8>, MasterError> {
        let failed = || MasterError::Shape("the master key".to_owned());
        let nonce = random::<12>()?;
        let mut sealed = Zeroizing::new(Vec::with_capacity(key.bytes().len() + AES_256_GCM.tag_len()));
        sealed.extend_from_slice(key.bytes());
        let cipher = self.cipher().ok_or_else(failed)?;
        cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(name.label(&self.id)),
                &mut *sealed,
            )
            .map_err(|_| failed())?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<DataKey, MasterError> {
        let unwrap = || {
            let (nonce, sealed) = wrapped.split_first_chunk::<12>()?;
            let mut sealed = Zeroizing::new(sealed.to_vec());
            let label = Aad::from(name.label(&self.id));
            let plain = self.cipher()?.open_in_place(Nonce::assume_unique_for_key(*nonce), label, &mut sealed).ok()?;
            Some(DataKey::from(<[u8; 32]>::try_from(&*plain).ok()?))
        };
        unwrap().ok_or_else(|| MasterError::Unwrap(name.id.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: &str) -> KeyName {
        KeyName {
            id: id.to_owned(),
            tenant: crate::id::TenantId::new("clinic").unwrap(),
            period: crate::archive::KeyUse::parse("2026-01").unwrap(),
            generation: 1,
        }
    }

    #[test]
    fn a_key_is_unwrapped_by_its_master_for_its_name_only() {
        let (master, other) = (FileMaster::new([1; 32]), FileMaster::new([2; 32]));
        let key = DataKey::random().unwrap();
        let wrapped = master.wrap(&name("a"), &key).unwrap();
        assert_eq!(wrapped.len(), 60);
        assert_eq!(master.unwrap(&name("a"), &wrapped).unwrap().bytes(), key.bytes());
        assert!(master.unwrap(&name("b"), &wrapped).is_err());
        assert!(other.unwrap(&name("a"), &wrapped).is_err());
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(master.unwrap(&name("a"), &changed).is_err(), "byte {at}");
        }
        assert_ne!(wrapped, master.wrap(&name("a"), &key).unwrap(), "the nonce is new each time");
    }

    #[test]
    fn files_hold_bytes_or_hex_digits_and_are_their_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let made = FileMaster::create(directory.path()).unwrap();
        let path = directory.path().join(format!("{}.key", made.id()));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(FileMaster::read(&path).unwrap().id(), made.id());
        assert!(!format!("{made:?}").contains(&hex::encode(made.key.bytes())));
        fs::write(&path, made.key.bytes()).unwrap();
        assert_eq!(FileMaster::read(&path).unwrap().id(), made.id());
        fs::write(&path, "not a key").unwrap();
        assert!(FileMaster::read(&path).unwrap_err().to_string().contains("64 hex digits"));
    }
}
