//! Secrets of OAuth providers in and out of the vault.

use zeroize::Zeroizing;

use super::keys::Secrets;
use crate::archive::{ArchiveError, Vault};
use crate::id::{ConnectionId, TenantId};
use crate::store::KeptConnection;

/// What may go wrong with sealed secrets.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The vault failed.
    #[error("the vault")]
    Vault(#[from] ArchiveError),
    /// What was sealed is not what this version seals.
    #[error("sealed secrets are damaged")]
    Damaged,
}

fn place(id: &ConnectionId) -> String {
    format!("oauth-provider/{id}")
}

/// Seals the secrets of a provider.
///
/// # Errors
/// The vault failed.
pub async fn seal(
    vault: &Vault,
    tenant: &TenantId,
    id: &ConnectionId,
    secrets: &Secrets,
) -> Result<Vec<u8>, SealError> {
    let plain = Zeroizing::new(serde_json::to_vec(secrets).map_err(|_| SealError::Damaged)?);
    Ok(vault.seal(tenant, &place(id), &plain).await?)
}

/// Opens the secrets of a provider.
///
/// # Errors
/// The vault failed, or they are damaged.
pub async fn secrets(vault: &Vault, tenant: &TenantId, kept: &KeptConnection) -> Result<Secrets, SealError> {
    let Some(sealed) = &kept.sealed else { return Ok(Secrets::default()) };
    let plain = vault.open(tenant, &place(&kept.id), sealed).await?;
    serde_json::from_slice(&plain).map_err(|_| SealError::Damaged)
}
