//! What the database knows of the raw archive: blocks and heads, wrapped keys, rules and holds, the audit.

mod audit;
mod block;
mod deletion;
mod key;
mod retention;
mod writer;

pub use audit::{Act, AuditRecord};
pub use block::{ArchiveBlock, ArchiveHead, ArchiveTotals, Mark};
pub use deletion::Deletion;
pub use key::ArchiveKey;
pub use retention::{LegalHold, RetentionRule};
pub use writer::ArchiveWriter;

use sqlx::Row as _;
use sqlx::any::AnyRow;

use super::StoreError;
use crate::id::{DeviceKey, TenantId};

fn tenant(row: &AnyRow, column: usize) -> Result<TenantId, StoreError> {
    TenantId::new(row.try_get::<String, _>(column)?).map_err(|_| StoreError::Damaged { what: "tenant" })
}

fn device(row: &AnyRow, column: usize) -> Result<DeviceKey, StoreError> {
    DeviceKey::new(row.try_get::<String, _>(column)?).map_err(|_| StoreError::Damaged { what: "device" })
}

fn hash(bytes: Vec<u8>) -> Result<[u8; 32], StoreError> {
    bytes.try_into().map_err(|_| StoreError::Damaged { what: "block name" })
}
