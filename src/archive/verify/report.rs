//! What a verification found.

use std::fmt;

use serde::Serialize;

use crate::archive::ChainKey;
use crate::archive::block::Hash;
use crate::id::{DeviceKey, TenantId};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Number of the block, where it is about one.
    pub block: Option<u64>,
    /// What is wrong.
    pub problem: String,
}

impl Problem {
    pub(super) fn at(chain: &ChainKey, block: Option<u64>, problem: String) -> Self {
        Self { tenant: chain.tenant.clone(), device: chain.device.clone(), block, problem }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.tenant, self.device)?;
        if let Some(block) = self.block {
            write!(f, " block {block}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// What a device has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// Tenant.
    pub tenant: TenantId,
    /// Device.
    pub device: DeviceKey,
    /// Blocks that were opened and are whole.
    pub blocks: u64,
    /// Their packets: each has the SHA-256 it was acknowledged with.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blocks that were lawfully deleted: their keys are destroyed, or they are gone, and the audit says so.
    pub deleted: u64,
    /// Blocks an interrupted writer left behind, whose packets are in the chain all the same.
    pub left_over: u64,
    /// Number and name of the newest block. Kept elsewhere, it shows later whether the chain was cut or rewritten.
    pub head: Option<(u64, Hash)>,
}

/// What a verification found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Every device.
    pub chains: Vec<ChainReport>,
    /// What is wrong; empty where nothing is.
    pub problems: Vec<Problem>,
}

impl Report {
    fn sum(&self, of: fn(&ChainReport) -> u64) -> u64 {
        self.chains.iter().map(of).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let devices = self.chains.len();
        let (blocks, packets, bytes) = (self.sum(|c| c.blocks), self.sum(|c| c.packets), self.sum(|c| c.bytes));
        write!(f, "{devices} devices: {blocks} blocks with {packets} packets in {bytes} bytes are whole")?;
        if self.sum(|c| c.deleted) > 0 {
            write!(f, "; {} blocks were deleted, as the audit says", self.sum(|c| c.deleted))?;
        }
        if self.sum(|c| c.left_over) > 0 {
            write!(f, "; {} are left over from interrupted writing", self.sum(|c| c.left_over))?;
        }
        match self.problems.len() {
            0 => write!(f, "; nothing is wrong"),
            1 => write!(f, "; 1 problem"),
            n => write!(f, "; {n} problems"),
        }
    }
}
