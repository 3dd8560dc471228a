//! Whether the archive is whole: every block that should be there is, unchanged and in its place, and holds what the journal
//! acknowledged.

mod chain;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest as _, Sha256};

pub use report::{ChainReport, Problem, Report};

use super::home::chains;
use super::{Archive, ArchiveError, ChainKey};
use crate::id::{DeviceKey, TenantId};
use crate::store::{ArchiveBlock, AuditRecord};
use chain::Walk;

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// One tenant's; `None`: everybody's.
    pub tenant: Option<TenantId>,
    /// One device's.
    pub device: Option<DeviceKey>,
}

impl Scope {
    fn holds(&self, chain: &ChainKey) -> bool {
        self.tenant.as_ref().is_none_or(|tenant| *tenant == chain.tenant)
            && self.device.as_ref().is_none_or(|device| *device == chain.device)
    }
}

/// Walks every chain in scope.
///
/// # Errors
/// The database, the home or the master key failed. What is wrong with the archive is in the report.
pub async fn verify(archive: &Archive, scope: &Scope) -> Result<Report, ArchiveError> {
    let mut known: BTreeSet<ChainKey> = chains(&*archive.home).await?.into_iter().collect();
    let recorded = archive.store.archive_chains().await?;
    known.extend(recorded.into_iter().map(|(tenant, device)| ChainKey { tenant, device }));
    let mut report = Report::default();
    let mut deleted: BTreeMap<i64, Vec<ArchiveBlock>> = BTreeMap::new();
    for chain in known.iter().filter(|chain| scope.holds(chain)) {
        let (walked, taken) = Walk::over(archive, chain, &mut report.problems).await?;
        report.chains.push(walked);
        for block in taken {
            deleted.entry(block.audit.unwrap_or_default()).or_default().push(block);
        }
    }
    let audit = archive.store.archive_audit().await?;
    for (id, blocks) in &deleted {
        let record = audit.iter().find(|record| record.id == *id && record.action == "delete");
        // What one device lost is part of what a record speaks of.
        let whole = scope.device.is_none();
        if let Some(problem) = unlawful(record, blocks, whole) {
            report.problems.extend(blocks.iter().map(|block| {
                let chain = ChainKey { tenant: block.tenant.clone(), device: block.device.clone() };
                Problem::at(&chain, Some(block.number), problem.to_owned())
            }));
        }
    }
    Ok(report)
}

/// What speaks against a deletion; `blocks` in the order of device and number.
fn unlawful(record: Option<&AuditRecord>, blocks: &[ArchiveBlock], whole: bool) -> Option<&'static str> {
    let Some(record) = record else { return Some("it is marked as deleted, but the audit knows of no such deletion") };
    if blocks.iter().any(|block| record.tenant.as_deref() != Some(block.tenant.as_str())) {
        return Some("it is marked as deleted by a deletion of another tenant's data");
    }
    let names = blocks.iter().fold(Sha256::new(), |hash, block| hash.chain_update(block.name)).finalize();
    let same = record.names_sha256.as_deref() == Some(&hex::encode(names));
    (whole && !same).then_some("it is marked as deleted, but the audit record's hash of what was deleted is another")
}
