//! S3 with Object Lock. Every block is put with a date until which the server refuses to delete it, whoever asks (mode
//! `compliance`) or whoever may not bypass it (mode `governance`).
//!
//! `object_store` knows nothing of Object Lock. But it signs default headers with each request, so blocks are put by a client
//! whose default headers are those of the lock. What it cannot ask at all (the bucket's configuration, versions) is asked with
//! requests of our own that it signs: [`super::s3::versions`].

mod versions;

use std::sync::Mutex;

use async_trait::async_trait;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::{ClientOptions, Error, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions};
use serde::Deserialize;

use super::{Home, HomeError, Item, Removal};
use crate::time::{Clock, Instant, MICROS};
use versions::Versions;

/// Microseconds in a day.
const DAY: i64 = 86_400 * MICROS;

/// Who may lift a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nobody, not the owner of the account either.
    #[default]
    Compliance,
    /// Whoever has the right to bypass it.
    Governance,
}

/// How blocks are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lock {
    /// Who may lift it.
    pub mode: Mode,
    /// Days from the writing of a block on.
    pub days: u32,
}

/// Which bucket. Credentials come from the environment, as for every S3 program: `AWS_ACCESS_KEY_ID` and so on.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// Bucket.
    pub bucket: String,
    /// What stands before each path; empty or ending in `/`.
    pub prefix: String,
    /// Another server than Amazon's.
    pub endpoint: Option<String>,
    /// Region.
    pub region: String,
    /// How blocks are locked.
    pub lock: Lock,
}

/// An archive in a bucket.
pub struct S3Home {
    settings: S3Settings,
    clock: std::sync::Arc<dyn Clock>,
    plain: AmazonS3,
    /// The client that locks, and until when.
    locking: Mutex<Option<(i64, AmazonS3)>>,
    versions: Versions,
}

impl std::fmt::Debug for S3Home {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Home").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl S3Home {
    /// Opens the bucket and sees that it can be an archive.
    ///
    /// # Errors
    /// It cannot be reached, has no Object Lock, or locks everything by default: copies of keys must be removable.
    pub async fn open(settings: S3Settings, clock: std::sync::Arc<dyn Clock>) -> Result<Self, HomeError> {
        let plain = builder(&settings, reqwest::header::HeaderMap::new()).build()?;
        let versions = Versions::new(&settings, plain.credentials().clone())?;
        versions.check_lock(&settings.bucket).await?;
        Ok(Self { settings, clock, plain, locking: Mutex::new(None), versions })
    }

    fn path(&self, path: &str) -> Result<Path, HomeError> {
        Path::parse(format!("{}{path}", self.settings.prefix)).map_err(|error| HomeError::S3(error.into()))
    }

    /// The client that locks until the end of the last day of the lock, so that one serves a day long.
    fn locking(&self) -> Result<AmazonS3, HomeError> {
        let until = (self.clock.now().0.div_euclid(DAY) + 1 + i64::from(self.settings.lock.days)) * DAY;
        let mut locking = self.locking.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((known, client)) = &*locking
            && *known == until
        {
            return Ok(client.clone());
        }
        let date = Instant(until).to_fhir();
        let mode = match self.settings.lock.mode {
            Mode::Compliance => "COMPLIANCE",
            Mode::Governance => "GOVERNANCE",
        };
        let mut headers = reqwest::header::HeaderMap::new();
        headers.insert("x-amz-object-lock-mode", reqwest::header::HeaderValue::from_static(mode));
        let date = date.parse().map_err(|_| HomeError::Settings(format!("archive lock until {date}")))?;
        headers.insert("x-amz-object-lock-retain-until-date", date);
        // Amazon takes no object to be locked without a checksum.
        let client = builder(&self.settings, headers).with_checksum_algorithm(Checksum::SHA256).build()?;
        *locking = Some((until, client.clone()));
        Ok(client)
    }
}

fn builder(settings: &S3Settings, headers: reqwest::header::HeaderMap) -> AmazonS3Builder {
    let insecure = settings.endpoint.as_ref().is_some_and(|url| url.starts_with("http://"));
    let options = ClientOptions::new().with_default_headers(headers).with_allow_http(insecure);
    let mut builder = AmazonS3Builder::from_env()
        .with_client_options(options)
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region);
    if let Some(endpoint) = &settings.endpoint {
        builder = builder.with_endpoint(endpoint);
    }
    builder
}

#[async_trait]
impl Home for S3Home {
    async fn create(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.locking()?.put_opts(&self.path(path)?, bytes.to_vec().into(), options).await {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => match self.get(path).await? {
                Some(there) if there == bytes => Ok(()),
                _ => Err(HomeError::Taken(path.to_owned())),
            },
            put => Ok(put.map(drop)?),
        }
    }

    async fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), HomeError> {
        let location = self.path(path)?;
        self.plain.put(&location, bytes.to_vec().into()).await?;
        self.versions.remove(location.as_ref(), true).await?;
        Ok(())
    }

    async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, HomeError> {
        match self.plain.get(&self.path(path)?).await {
            Err(Error::NotFound { .. }) => Ok(None),
            got => Ok(Some(got?.bytes().await?.to_vec())),
        }
    }

    async fn files(&self, folder: &str) -> Result<Vec<Item>, HomeError> {
        let listed = self.plain.list_with_delimiter(Some(&self.path(folder)?)).await?;
        let item = |object: object_store::ObjectMeta| {
            let path = object.location.as_ref().strip_prefix(&self.settings.prefix)?.to_owned();
            Some(Item { path, size: object.size })
        };
        let mut files: Vec<Item> = listed.objects.into_iter().filter_map(item).collect();
        files.sort();
        Ok(files)
    }

    async fn folders(&self, folder: &str) -> Result<Vec<String>, HomeError> {
        let listed = self.plain.list_with_delimiter(Some(&self.path(folder)?)).await?;
        let mut names: Vec<String> =
            listed.common_prefixes.iter().filter_map(|path| path.filename().map(str::to_owned)).collect();
        names.sort();
        Ok(names)
    }

    async fn remove(&self, path: &str) -> Result<Removal, HomeError> {
        self.versions.remove(self.path(path)?.as_ref(), false).await
    }
}
