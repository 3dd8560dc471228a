//! Data keys in use: made when a tenant's first packets of a month are archived, wrapped by the master key, kept in the
//! database and, as a copy, beside the blocks.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::home::{Home, Removal, key_path};
use super::key::{DataKey, random};
use super::master::{Master, MasterError};
use super::{ArchiveError, KeyUse, Period};
use crate::id::TenantId;
use crate::store::{Act, ArchiveKey, Store};

/// What a data key is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyName {
    /// Its id: 16 random bytes in hex.
    pub id: String,
    /// Whose blocks it seals.
    pub tenant: TenantId,
    /// What it seals: packets that came in a month, or secrets.
    pub period: KeyUse,
    /// Which of the month, from 1 on.
    pub generation: i64,
}

impl KeyName {
    /// The associated data it is wrapped with.
    pub fn label(&self, master: &str) -> Vec<u8> {
        let Self { id, tenant, period, generation } = self;
        format!("afferent archive data key 1\0{id}\0{tenant}\0{period}\0{generation}\0{master}").into_bytes()
    }
}

/// The copy of a wrapped key beside the blocks: with the master key, all that is needed to read them.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCopy {
    /// Layout: 1.
    pub format_version: u32,
    /// Id.
    pub id: String,
    /// Tenant.
    pub tenant: TenantId,
    /// Month.
    pub period: String,
    /// Generation.
    pub generation: i64,
    /// Id of the master key.
    pub master: String,
    /// The wrapped key, base64.
    pub wrapped: String,
}

impl KeyCopy {
    /// The copy of a key that is not destroyed.
    fn of(key: &ArchiveKey) -> Option<Self> {
        Some(Self {
            format_version: 1,
            id: key.id.clone(),
            tenant: key.tenant.clone(),
            period: key.period.clone(),
            generation: key.generation,
            master: key.master.clone(),
            wrapped: STANDARD.encode(key.wrapped.as_ref()?),
        })
    }

    /// Its text.
    fn text(&self) -> Result<Vec<u8>, ArchiveError> {
        serde_json::to_vec_pretty(self).map_err(|error| ArchiveError::System(error.to_string()))
    }

    /// The key it is of.
    pub fn open(&self, master: &Master) -> Result<DataKey, ArchiveError> {
        let damaged = || MasterError::Unwrap(self.id.clone());
        let wrapped = STANDARD.decode(&self.wrapped).map_err(|_| damaged())?;
        let period = KeyUse::parse(&self.period).ok_or_else(damaged)?;
        let name = KeyName { id: self.id.clone(), tenant: self.tenant.clone(), period, generation: self.generation };
        Ok(master.unwrap(&name, &wrapped)?)
    }
}

/// The keys of an archive. Cheap to clone. It keeps none: each is unwrapped when it is used and forgotten after, so that one
/// that is destroyed is nowhere any more.
#[derive(Debug, Clone)]
pub struct Keyring {
    store: Store,
    home: Arc<dyn Home>,
    master: Master,
}

impl Keyring {
    /// Keys under this master key.
    pub fn new(store: Store, home: Arc<dyn Home>, master: Master) -> Self {
        Self { store, home, master }
    }

    /// The id of the master key.
    pub fn master_id(&self) -> &str {
        self.master.id()
    }

    /// The key to seal blocks of this tenant and month with, or its secrets: the newest there is, or a new one.
    ///
    /// # Errors
    /// The database, the home or the master key failed; the master key is not the current one; the month's keys are destroyed.
    pub async fn current(
        &self,
        tenant: &TenantId,
        period: impl Into<KeyUse>,
    ) -> Result<(String, DataKey), ArchiveError> {
        let period = period.into();
        if let Some(key) = self.store.newest_archive_key(tenant, &period.to_string()).await? {
            if !key.copied {
                self.copy(&key).await?;
            }
            let open = self.unwrapped(&key)?;
            return Ok((key.id, open));
        }
        self.make(tenant, period, 1).await
    }

    /// A key by its id; `None` where it is destroyed.
    ///
    /// # Errors
    /// The database or the master key failed, or there is no such key.
    pub async fn get(&self, id: &str) -> Result<Option<DataKey>, ArchiveError> {
        let key = self.store.archive_key(id).await?;
        let key = key.ok_or_else(|| ArchiveError::Key(id.to_owned(), "the database has no record of it"))?;
        if key.wrapped.is_none() { Ok(None) } else { self.unwrapped(&key).map(Some) }
    }

    /// Puts a new key in place of a tenant's current one of a month; what was sealed stays as it is.
    ///
    /// # Errors
    /// As for [`Self::current`].
    pub async fn rotate(&self, tenant: &TenantId, period: Period, act: Act<'_>) -> Result<String, ArchiveError> {
        let newest = self.store.newest_archive_key(tenant, &period.to_string()).await?;
        let (id, _) = self.make(tenant, period.into(), newest.map_or(1, |key| key.generation + 1)).await?;
        self.store.record_act(Act { detail: &id, ..act }).await?;
        Ok(id)
    }

    /// Wraps every key by another master key; no block is touched. How many they were.
    ///
    /// # Errors
    /// A key cannot be unwrapped: then nothing has changed. Or the home failed: then this is taken up at the next start.
    pub async fn rewrap(&self, master: &Master, act: Act<'_>) -> Result<usize, ArchiveError> {
        let mut keys = self.store.archive_keys().await?;
        keys.retain(|key| key.wrapped.is_some());
        for key in &mut keys {
            let open = self.unwrapped(key)?;
            key.wrapped = Some(master.wrap(&name(key)?, &open)?);
        }
        self.store.rewrap_archive_keys(master.id(), &keys, act).await?;
        self.settle().await?;
        Ok(keys.len())
    }

    /// Brings the copies in the archive in line with the database: written, replaced, removed. The ids of destroyed keys whose
    /// copies the home does not give up.
    ///
    /// # Errors
    /// The database or the home failed.
    pub async fn settle(&self) -> Result<Vec<String>, ArchiveError> {
        let mut locked = Vec::new();
        for key in self.store.archive_keys_to_copy().await? {
            if self.copy(&key).await? == Removal::Locked {
                locked.push(key.id);
            }
        }
        Ok(locked)
    }

    async fn make(
        &self,
        tenant: &TenantId,
        period: KeyUse,
        generation: i64,
    ) -> Result<(String, DataKey), ArchiveError> {
        let id = hex::encode(random::<16>().map_err(MasterError::from)?);
        let name = KeyName { id, tenant: tenant.clone(), period, generation };
        let open = DataKey::random().map_err(MasterError::from)?;
        let key = ArchiveKey {
            id: name.id.clone(),
            tenant: tenant.clone(),
            period: period.to_string(),
            generation,
            master: self.master.id().to_owned(),
            wrapped: Some(self.master.wrap(&name, &open)?),
            destroyed: None,
            copied: false,
        };
        if !self.store.insert_archive_key(&key).await? {
            let current = self.store.archive_master().await?;
            self.check(current.as_deref())?;
            return Err(ArchiveError::Key(name.id, "another process made one of the same generation; try again"));
        }
        self.copy(&key).await?;
        Ok((name.id, open))
    }

    /// Whether the master key is the one that keys are wrapped by.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, current: Option<&str>) -> Result<(), MasterError> {
        match current {
            Some(wanted) if wanted != self.master.id() => {
                Err(MasterError::Other { wanted: wanted.to_owned(), given: self.master.id().to_owned() })
            }
            _ => Ok(()),
        }
    }

    async fn copy(&self, key: &ArchiveKey) -> Result<Removal, ArchiveError> {
        let path = key_path(&key.tenant, &key.id);
        let removal = match KeyCopy::of(key) {
            Some(copy) => self.home.replace(&path, &copy.text()?).await.map(|()| Removal::Gone)?,
            None => self.home.remove(&path).await?,
        };
        if removal == Removal::Gone {
            self.store.archive_key_copied(key).await?;
        }
        Ok(removal)
    }

    fn unwrapped(&self, key: &ArchiveKey) -> Result<DataKey, ArchiveError> {
        let Some(wrapped) = &key.wrapped else { return Err(ArchiveError::Key(key.id.clone(), "it is destroyed")) };
        self.check(Some(&key.master))?;
        Ok(self.master.unwrap(&name(key)?, wrapped)?)
    }
}

fn name(key: &ArchiveKey) -> Result<KeyName, ArchiveError> {
    let period = KeyUse::parse(&key.period);
    let period = period.ok_or_else(|| ArchiveError::Key(key.id.clone(), "its month is damaged in the database"))?;
    Ok(KeyName { id: key.id.clone(), tenant: key.tenant.clone(), period, generation: key.generation })
}
