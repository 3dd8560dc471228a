//! Secrets of OAuth providers in and out of the vault.

use super::keys::Secrets;
use crate::archive::{SealError, Vault};
use crate::id::{ConnectionId, TenantId};
use crate::store::KeptConnection;

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
    vault.seal_json(tenant, &place(id), secrets).await
}

/// Opens the secrets of a provider.
///
/// # Errors
/// The vault failed, or they are damaged.
pub async fn secrets(vault: &Vault, tenant: &TenantId, kept: &KeptConnection) -> Result<Secrets, SealError> {
    let Some(sealed) = &kept.sealed else { return Ok(Secrets::default()) };
    vault.open_json(tenant, &place(&kept.id), sealed).await
}
