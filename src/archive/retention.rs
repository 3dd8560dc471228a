//! Deletion of what has been kept long enough: the month's data keys are destroyed, so that its blocks cannot be read by
//! anybody, wherever copies of them are; then blocks and journal rows are removed.

use super::block::Hash;
use super::home::{Removal, block_path};
use super::{Archive, ArchiveError, ChainKey, Period};
use crate::id::TenantId;
use crate::store::{Act, Deletion, RetentionRule};
use crate::time::{Instant, MICROS};

/// What became of one month of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was deleted.
    Deleted(Deletion),
    /// It would be, if this were not a rehearsal.
    Due,
    /// Some of its packets are not archived yet.
    Unarchived(i64),
    /// All that is left of it is under hold.
    Held,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// By tenant and month.
    pub months: Vec<(TenantId, Period, Outcome)>,
    /// Deleted blocks that the home does not give up yet.
    pub locked: u64,
    /// Destroyed keys whose copies the home does not give up: what they open can still be read with the master key.
    pub locked_keys: Vec<String>,
}

/// Deletes what every tenant's rule says, as of `now`, and finishes what an earlier run could not.
///
/// # Errors
/// The database or the home failed; what was decided is finished by the next run.
pub async fn run(archive: &Archive, now: Instant, who: &str, rehearsal: bool) -> Result<Run, ArchiveError> {
    let mut done = Run::default();
    for rule in archive.store.retention_rules().await? {
        for period in expired(archive, &rule, now).await? {
            let outcome = delete(archive, &rule, period, who, rehearsal).await?;
            done.months.extend(outcome.map(|outcome| (rule.tenant.clone(), period, outcome)));
        }
    }
    if !rehearsal {
        done.locked_keys = archive.keyring.settle().await?;
        done.locked = purge(archive).await?;
        archive.store.erase_deleted().await?;
    }
    Ok(done)
}

/// The months of a tenant whose time has come.
async fn expired(archive: &Archive, rule: &RetentionRule, now: Instant) -> Result<Vec<Period>, ArchiveError> {
    let keep = rule.days.saturating_mul(86_400 * MICROS);
    let mut periods = Vec::new();
    for key in archive.store.archive_keys().await? {
        let Some(period) = Period::parse(&key.period) else { continue };
        if key.tenant == rule.tenant && period.end().plus(keep) <= now && !periods.contains(&period) {
            periods.push(period);
        }
    }
    Ok(periods)
}

async fn delete(
    archive: &Archive,
    rule: &RetentionRule,
    period: Period,
    who: &str,
    rehearsal: bool,
) -> Result<Option<Outcome>, ArchiveError> {
    let store = &archive.store;
    let name = period.to_string();
    let alive = store
        .archive_keys()
        .await?
        .into_iter()
        .any(|key| key.tenant == rule.tenant && key.period == name && key.wrapped.is_some());
    if !alive {
        return Ok(None);
    }
    let waiting = store.unarchived_before(&rule.tenant, period.end()).await?;
    if waiting > 0 {
        return Ok(Some(Outcome::Unarchived(waiting)));
    }
    if rehearsal {
        return Ok(Some(Outcome::Due));
    }
    let detail = format!("kept for {} days", rule.days);
    let act =
        Act { who, action: "delete", tenant: Some(&rule.tenant), device: None, period: Some(&name), detail: &detail };
    let deletion = store.delete_period((period.start(), period.end()), act).await?;
    Ok(Some(deletion.map_or(Outcome::Held, Outcome::Deleted)))
}

/// Takes deleted blocks' packets out of the journal and the blocks out of the home; how many it does not give up.
async fn purge(archive: &Archive) -> Result<u64, ArchiveError> {
    let mut locked = 0;
    for block in archive.store.blocks_to_purge().await? {
        archive.store.purge_journal(&block).await?;
        let chain = ChainKey { tenant: block.tenant.clone(), device: block.device.clone() };
        match archive.home.remove(&block_path(&chain, block.number, &Hash(block.name))).await? {
            Removal::Gone => archive.store.block_removed(&block).await?,
            Removal::Locked => locked += 1,
        }
    }
    Ok(locked)
}
