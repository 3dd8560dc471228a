//! What `object_store` has no words for: whether a bucket locks objects, and the versions of one.
//!
//! In a bucket with Object Lock a plain `DELETE` only hides an object behind a marker. To remove one is to delete each of its
//! versions by id.

use std::fmt::Write as _;

use object_store::ClientOptions;
use object_store::aws::{AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpClient, HttpConnector as _, HttpRequest, HttpRequestBody, ReqwestConnector};
use reqwest::Method;
use serde::Deserialize;

use super::S3Settings;
use crate::archive::home::{HomeError, Removal};

/// Asks a bucket's server what `object_store` cannot.
#[derive(Debug)]
pub(super) struct Versions {
    client: HttpClient,
    credentials: AwsCredentialProvider,
    region: String,
    /// URL of the bucket.
    url: String,
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockConfiguration {
    object_lock_enabled: Option<String>,
    rule: Option<LockRule>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct LockRule {
    default_retention: Option<DefaultRetention>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DefaultRetention {
    mode: Option<String>,
}

impl LockConfiguration {
    fn locks(&self) -> bool {
        self.object_lock_enabled.as_deref() == Some("Enabled")
    }

    /// Some servers answer with an empty rule where there is none.
    fn locks_everything(&self) -> bool {
        let retention = self.rule.as_ref().and_then(|rule| rule.default_retention.as_ref());
        retention.and_then(|retention| retention.mode.as_ref()).is_some_and(|mode| !mode.is_empty())
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html>
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVersions {
    #[serde(default, rename = "Version")]
    versions: Vec<Listed>,
    #[serde(default, rename = "DeleteMarker")]
    markers: Vec<Listed>,
    #[serde(default)]
    is_truncated: bool,
    next_key_marker: Option<String>,
    next_version_id_marker: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    key: String,
    version_id: String,
    #[serde(default)]
    is_latest: bool,
}

struct Answer {
    status: u16,
    body: String,
}

impl Versions {
    pub(super) fn new(settings: &S3Settings, credentials: AwsCredentialProvider) -> Result<Self, HomeError> {
        let amazon = || format!("https://s3.{}.amazonaws.com", settings.region);
        let endpoint = settings.endpoint.clone().unwrap_or_else(amazon);
        let options = ClientOptions::new().with_allow_http(endpoint.starts_with("http://"));
        Ok(Self {
            client: ReqwestConnector::default().connect(&options)?,
            credentials,
            region: settings.region.clone(),
            url: format!("{}/{}", endpoint.trim_end_matches('/'), settings.bucket),
        })
    }

    /// Whether the bucket locks what is put with a lock, and only that.
    pub(super) async fn check_lock(&self, bucket: &str) -> Result<(), HomeError> {
        let answer = self.ask(Method::GET, "", "object-lock=").await?;
        if answer.status == 404 && answer.body.contains("NoSuchBucket") {
            return Err(HomeError::Settings(format!("archive: there is no bucket {bucket}")));
        }
        let configuration = match answer.status {
            200 => Some(parse::<LockConfiguration>(&answer.body)?),
            404 => None,
            _ => return Err(unexpected("the bucket's Object Lock configuration", &answer)),
        };
        let Some(configuration) = configuration.filter(LockConfiguration::locks) else {
            return Err(HomeError::Settings(format!("archive: bucket {bucket} was made without Object Lock")));
        };
        if configuration.locks_everything() {
            return Err(HomeError::Settings(format!(
                "archive: bucket {bucket} has a default retention, which would lock the copies of data keys too; \
                 take it off, blocks are locked one by one"
            )));
        }
        Ok(())
    }

    /// Deletes an object's versions; but for the newest, where that is to stay.
    pub(super) async fn remove(&self, key: &str, keep_newest: bool) -> Result<Removal, HomeError> {
        let mut removal = Removal::Gone;
        for version in self.versions(key).await? {
            if version.is_latest && keep_newest {
                continue;
            }
            let answer = self.ask(Method::DELETE, key, &query(&[("versionId", &version.version_id)])).await?;
            match answer.status {
                200 | 204 | 404 => {}
                // Amazon says 403, others 400 or 409.
                400 | 403 | 409 => removal = Removal::Locked,
                _ => return Err(unexpected("a version's deletion", &answer)),
            }
        }
        Ok(removal)
    }

    async fn versions(&self, key: &str) -> Result<Vec<Listed>, HomeError> {
        let mut found = Vec::new();
        let mut from = (String::new(), String::new());
        loop {
            // In the order of their names, as they are signed.
            let mut pairs = vec![("prefix", key), ("versions", "")];
            if !from.0.is_empty() {
                pairs =
                    vec![("key-marker", &from.0), ("prefix", key), ("version-id-marker", &from.1), ("versions", "")];
            }
            let answer = self.ask(Method::GET, "", &query(&pairs)).await?;
            if answer.status != 200 {
                return Err(unexpected("a list of versions", &answer));
            }
            let page = parse::<ListedVersions>(&answer.body)?;
            found.extend(page.versions.into_iter().chain(page.markers).filter(|listed| listed.key == key));
            match (page.is_truncated, page.next_key_marker) {
                (true, Some(next)) => from = (next, page.next_version_id_marker.unwrap_or_default()),
                _ => return Ok(found),
            }
        }
    }

    async fn ask(&self, method: Method, key: &str, query: &str) -> Result<Answer, HomeError> {
        let path: Vec<String> = key.split('/').map(encode).collect();
        let slash = if key.is_empty() { "" } else { "/" };
        let url = format!("{}{slash}{}?{query}", self.url, path.join("/"));
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.parse().map_err(|_| HomeError::Settings(format!("archive: {url} is no URL")))?;
        let credential = self.credentials.get_credential().await?;
        AwsAuthorizer::new(&credential, "s3", &self.region).try_authorize(&mut request, None)?;
        let failed = |error: object_store::client::HttpError| HomeError::Answer(error.to_string());
        let response = self.client.execute(request).await.map_err(failed)?;
        let status = response.status().as_u16();
        let body = response.into_body().bytes().await.map_err(failed)?;
        Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, HomeError> {
    quick_xml::de::from_str(body).map_err(|error| HomeError::Answer(format!("{error} in {body:?}")))
}

fn unexpected(what: &str, answer: &Answer) -> HomeError {
    HomeError::Answer(format!("asked for {what}, it answered {} {}", answer.status, answer.body))
}

fn query(pairs: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    pairs.join("&")
}

/// Percent-encoding as signatures of version 4 want it: everything but letters, digits and `-._~`.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(byte.into()),
            // Writing into a String cannot fail.
            _ => _ = write!(encoded, "%{byte:02X}"),
        }
    }
    encoded
}
