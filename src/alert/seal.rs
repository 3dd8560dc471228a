//! What of a channel nobody but its receiver is to know, in and out of the vault: a webhook's URL, which is often all the secret
//! it has, and what its messages are signed with.

use serde::{Deserialize, Serialize};

use crate::archive::{SealError, Vault};
use crate::id::{ChannelId, TenantId};
use crate::secret::Secret;

/// Where a webhook is, and what it is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sealed {
    /// Its URL.
    pub url: Secret,
    /// `whsec_` and base64, see [`super::Ways::check_secret`].
    pub secret: Option<Secret>,
}

#[derive(Serialize)]
struct Plain<'a> {
    url: &'a str,
    secret: Option<&'a str>,
}

impl Sealed {
    /// Seals it for a channel.
    ///
    /// # Errors
    /// The vault failed.
    pub async fn seal(&self, vault: &Vault, tenant: &TenantId, channel: &ChannelId) -> Result<Vec<u8>, SealError> {
        let plain = Plain { url: self.url.expose(), secret: self.secret.as_ref().map(Secret::expose) };
        vault.seal_json(tenant, &place(channel), &plain).await
    }

    /// Opens what was sealed for a channel.
    ///
    /// # Errors
    /// The vault failed, or it is damaged.
    pub async fn open(vault: &Vault, tenant: &TenantId, channel: &ChannelId, sealed: &[u8]) -> Result<Self, SealError> {
        vault.open_json(tenant, &place(channel), sealed).await
    }
}

/// What may be seen of a webhook's URL.
pub fn origin(url: &str) -> String {
    url.parse::<reqwest::Url>().map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

fn place(channel: &ChannelId) -> String {
    format!("alert-channel/{channel}")
}
