//! What of a channel nobody but its endpoint is to know, in and out of the vault: what notifications are signed with, and the
//! values of their headers. Each is sealed by itself: one that a client writes back masked stays what it is, unopened.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::archive::{SealError, Sealer, Vault};
use crate::id::{ResourceId, TenantId};
use crate::rest::error::Error;
use crate::secret::Secret;
use crate::store::{Definition, UnsealedSubscription};

/// The element of what notifications are signed with.
pub(super) const SECRET: &str = "Subscription.channel.extension(subscription-secret)";

/// A secret, or that it is what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Given {
    /// This one.
    Secret(Secret),
    /// What it was.
    Masked,
}

/// The secrets of a channel as a client writes them.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) secret: Option<Given>,
    /// By the names of the headers.
    pub(super) headers: Vec<(String, Given)>,
}

/// The same as they are kept, in base64.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sealed {
    secret: Option<String>,
    headers: Vec<(String, String)>,
}

/// The same in the clear, for who sends.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// What notifications are signed with.
    pub(crate) secret: Option<Secret>,
    /// Names and values of headers.
    pub(crate) headers: Vec<(String, Secret)>,
}

impl Secrets {
    /// Whether one of them is what it was.
    pub(super) fn is_masked(&self) -> bool {
        let headers = self.headers.iter().map(|(_, given)| given);
        self.secret.iter().chain(headers).any(|given| *given == Given::Masked)
    }

    /// Seals those of a subscription that goes to `endpoint`. What it was stays where that went there too: whoever may write
    /// a Subscription is not told its secrets by having them sent elsewhere.
    pub(super) fn seal(
        &self,
        id: &ResourceId,
        endpoint: &str,
        kept: Option<(Definition, Option<String>)>,
        sealer: Option<&Sealer>,
    ) -> Result<Option<String>, Error> {
        if self.secret.is_none() && self.headers.is_empty() {
            return Ok(None);
        }
        let kept = kept.filter(|(definition, _)| definition.channel.endpoint == endpoint);
        let kept = kept.and_then(|(_, sealed)| sealed).map(|sealed| parse(&sealed)).transpose();
        let kept = kept.map_err(|_| Error::Damaged)?.unwrap_or_default();
        let seal = |path: &str, place: &str, given: &Given, kept: Option<&String>| match given {
            Given::Masked => kept.cloned().ok_or_else(|| {
                Error::refused(path, "is masked, and there is none to keep: say it again where the endpoint is another")
            }),
            Given::Secret(secret) => {
                let sealed = sealer.ok_or(Error::Sealing)?.seal(place, secret.expose().as_bytes());
                Ok(STANDARD.encode(sealed.map_err(|_| Error::Sealing)?))
            }
        };
        let secret =
            self.secret.as_ref().map(|given| seal(SECRET, &of_secret(id), given, kept.secret.as_ref())).transpose()?;
        let mut headers = Vec::with_capacity(self.headers.len());
        for (place, (name, given)) in self.headers.iter().enumerate() {
            // A header may be there twice.
            let before = self.headers.iter().take(place).filter(|(other, _)| other == name).count();
            let kept = kept.headers.iter().filter(|(other, _)| other == name).nth(before).map(|(_, sealed)| sealed);
            let path = format!("Subscription.channel.header[{place}]");
            headers.push((name.clone(), seal(&path, &of_header(id, name), given, kept)?));
        }
        serde_json::to_string(&Sealed { secret, headers }).map(Some).map_err(|_| Error::Damaged)
    }
}

/// Seals those of a subscription that was written before they were.
///
/// # Errors
/// The vault failed.
pub(crate) async fn seal(vault: &Vault, before: &UnsealedSubscription) -> Result<Option<String>, SealError> {
    let UnsealedSubscription { tenant, id, secret, headers, .. } = before;
    if secret.is_none() && headers.is_empty() {
        return Ok(None);
    }
    let sealer = vault.sealer(tenant).await?;
    let seal = |place: &str, secret: &Secret| {
        let sealed = sealer.seal(place, secret.expose().as_bytes());
        sealed.map(|sealed| STANDARD.encode(sealed)).map_err(SealError::from)
    };
    let secret = secret.as_ref().map(|secret| seal(&of_secret(id), secret)).transpose()?;
    let headers = headers.iter().map(|(name, value)| Ok((name.clone(), seal(&of_header(id, name), value)?)));
    let headers = headers.collect::<Result<_, SealError>>()?;
    serde_json::to_string(&Sealed { secret, headers }).map(Some).map_err(|_| SealError::Damaged)
}

/// Opens those of a subscription.
///
/// # Errors
/// The vault failed, or they are damaged.
pub(crate) async fn open(
    vault: &Vault,
    tenant: &TenantId,
    id: &ResourceId,
    sealed: Option<&str>,
) -> Result<Opened, SealError> {
    let mut opened = Opened::default();
    let Some(sealed) = sealed else { return Ok(opened) };
    let sealed = parse(sealed)?;
    if let Some(secret) = &sealed.secret {
        opened.secret = Some(open_one(vault, tenant, &of_secret(id), secret).await?);
    }
    for (name, value) in &sealed.headers {
        opened.headers.push((name.clone(), open_one(vault, tenant, &of_header(id, name), value).await?));
    }
    Ok(opened)
}

async fn open_one(vault: &Vault, tenant: &TenantId, place: &str, sealed: &str) -> Result<Secret, SealError> {
    let sealed = STANDARD.decode(sealed).map_err(|_| SealError::Damaged)?;
    let plain = vault.open(tenant, place, &sealed).await?;
    Ok(Secret::new(std::str::from_utf8(&plain).map_err(|_| SealError::Damaged)?.to_owned()))
}

fn parse(sealed: &str) -> Result<Sealed, SealError> {
    serde_json::from_str(sealed).map_err(|_| SealError::Damaged)
}

fn of_secret(id: &ResourceId) -> String {
    format!("subscription/{id}/secret")
}

fn of_header(id: &ResourceId, name: &str) -> String {
    format!("subscription/{id}/header/{name}")
}
