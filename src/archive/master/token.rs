//! A master key in a PKCS#11 token: data keys are wrapped and unwrapped inside it, the key itself is never seen.

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{MasterError, MasterKey};
use crate::archive::key::{DataKey, random};
use crate::archive::keyring::KeyName;

/// Bits of the tag.
const TAG: u64 = 128;

/// Which token, and which key in it.
pub struct Token {
    /// The library that speaks to it.
    pub module: PathBuf,
    /// Label of the token.
    pub token: String,
    /// Label of the AES-256 key.
    pub key: String,
    /// PIN of the user.
    pub pin: Zeroizing<String>,
}

/// A key in a token, with a session that is logged in.
pub struct TokenMaster {
    id: String,
    session: Mutex<Session>,
    key: ObjectHandle,
}

impl fmt::Debug for TokenMaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMaster").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TokenMaster {
    /// Opens the token and finds the key.
    ///
    /// # Errors
    /// The library cannot be loaded, the PIN is wrong, or there is no such token or key.
    pub fn open(token: &Token) -> Result<Self, MasterError> {
        let library = Pkcs11::new(&token.module)?;
        // Two keys of one token share the library and the login.
        match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            initialized => initialized?,
        }
        let mut found = None;
        for slot in library.get_slots_with_initialized_token()? {
            if library.get_token_info(slot)?.label() == token.token {
                found = Some(slot);
            }
        }
        let slot = found.ok_or_else(|| MasterError::NotFound(format!("no token is labelled {}", token.token)))?;
        let session = library.open_ro_session(slot)?;
        match session.login(UserType::User, Some(&AuthPin::new(token.pin.as_str().into()))) {
            Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            logged_in => logged_in?,
        }
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(token.key.as_bytes().to_vec()),
        ];
        let [key] = session.find_objects(&wanted)?[..] else {
            return Err(MasterError::NotFound(format!("not exactly one AES key is labelled {}", token.key)));
        };
        let id = format!("pkcs11:{}/{}", token.token, token.key);
        Ok(Self { id, session: Mutex::new(session), key })
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl MasterKey for TokenMaster {
    fn id(&self) -> &str {
        &self.id
    }

    fn wrap(&self, name: &KeyName, key: &DataKey) -> Result<Vec<u8>, MasterError> {
        let nonce = random::<12>()?;
        let (mut iv, label) = (nonce, name.label(&self.id));
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, &label, TAG.into())?);
        let sealed = self.session().encrypt(&mechanism, self.key, key.bytes())?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<DataKey, MasterError> {
        let failed = || MasterError::Unwrap(name.id.clone());
        let (nonce, sealed) = wrapped.split_first_chunk::<12>().ok_or_else(failed)?;
        let (mut iv, label) = (*nonce, name.label(&self.id));
        let mechanism = Mechanism::AesGcm(GcmParams::new(&mut iv, &label, TAG.into())?);
        let plain = Zeroizing::new(self.session().decrypt(&mechanism, self.key, sealed).map_err(|_| failed())?);
        Ok(DataKey::from(<[u8; 32]>::try_from(plain.as_slice()).map_err(|_| failed())?))
    }
}
