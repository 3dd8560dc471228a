//! `afferent admin archive retention` and `hold`.

use clap::Subcommand;

use super::{DeviceArg, TenantArg, open};
use crate::archive::retention::{Outcome, run};
use crate::config::Config;
use crate::store::{Act, Store};
use crate::time::{Clock as _, SystemClock};

#[derive(Debug, Subcommand)]
pub(super) enum RetentionAction {
    /// Keep a tenant's packets for so many days after the end of the month they came in.
    Set {
        /// Tenant.
        #[arg(long)]
        tenant: TenantArg,
        /// Days.
        #[arg(long, value_parser = clap::value_parser!(i64).range(0..=36_500))]
        days: i64,
    },
    /// Keep a tenant's packets for ever.
    Unset {
        /// Tenant.
        #[arg(long)]
        tenant: TenantArg,
    },
    /// The rules; tenants without one keep everything.
    List,
    /// Delete what the rules say. Meant to be run every day.
    Run {
        /// Say what would be deleted, and delete nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum HoldAction {
    /// Delete nothing of a device, or of a whole tenant.
    Set {
        /// Tenant.
        #[arg(long)]
        tenant: TenantArg,
        /// Device [default: all of them].
        #[arg(long)]
        device: Option<DeviceArg>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Take a hold away.
    Release {
        /// Tenant.
        #[arg(long)]
        tenant: TenantArg,
        /// Device [default: the hold on all of them].
        #[arg(long)]
        device: Option<DeviceArg>,
    },
    /// The holds.
    List,
}

impl RetentionAction {
    pub(super) async fn run(self, config: &Config, store: &Store, by: &str) -> anyhow::Result<()> {
        let (tenant, days) = match self {
            Self::Set { tenant, days } => (tenant.0, Some(days)),
            Self::Unset { tenant } => (tenant.0, None),
            Self::List => {
                for rule in store.retention_rules().await? {
                    println!("{}: {} days after the end of the month", rule.tenant, rule.days);
                }
                return Ok(());
            }
            Self::Run { dry_run } => return delete(config, store, by, dry_run).await,
        };
        let detail = days.map_or_else(|| "no rule".to_owned(), |days| format!("{days} days"));
        let act =
            Act { who: by, action: "retention", tenant: Some(&tenant), device: None, period: None, detail: &detail };
        store.set_retention(&tenant, days, act).await?;
        Ok(())
    }
}

async fn delete(config: &Config, store: &Store, by: &str, dry_run: bool) -> anyhow::Result<()> {
    let done = run(&open(config, store).await?, SystemClock.now(), by, dry_run).await?;
    for (tenant, period, outcome) in done.months {
        match outcome {
            Outcome::Due => println!("{tenant} {period}: would be deleted"),
            Outcome::Unarchived(packets) => {
                println!("{tenant} {period}: waits, {packets} packets are not archived yet");
            }
            Outcome::Held => println!("{tenant} {period}: under hold"),
            Outcome::Deleted(deletion) => {
                let key = if deletion.destroyed { "keys destroyed" } else { "keys kept for what is under hold" };
                println!(
                    "{tenant} {period}: {} blocks with {} packets deleted, {key}; audit record {}",
                    deletion.blocks, deletion.packets, deletion.audit
                );
            }
        }
    }
    if done.locked > 0 {
        println!("{} deleted blocks are locked in the archive's home; a later run removes them", done.locked);
    }
    anyhow::ensure!(
        done.locked_keys.is_empty(),
        "the home does not give up the copies of {} destroyed keys: {}",
        done.locked_keys.len(),
        done.locked_keys.join(", ")
    );
    Ok(())
}

impl HoldAction {
    pub(super) async fn run(self, store: &Store, by: &str) -> anyhow::Result<()> {
        let (tenant, device, reason) = match self {
            Self::Set { tenant, device, reason } => (tenant.0, device.map(|d| d.0), Some(reason)),
            Self::Release { tenant, device } => (tenant.0, device.map(|d| d.0), None),
            Self::List => {
                for hold in store.legal_holds().await? {
                    let device = hold.device.map_or_else(|| "all devices".to_owned(), |device| device.to_string());
                    println!("{} {device} since {}: {}", hold.tenant, hold.since, hold.reason);
                }
                return Ok(());
            }
        };
        let act = Act {
            who: by,
            action: if reason.is_some() { "hold" } else { "release" },
            tenant: Some(&tenant),
            device: device.as_ref(),
            period: None,
            detail: reason.as_deref().unwrap_or_default(),
        };
        let changed = store.set_legal_hold(&tenant, device.as_ref(), reason.as_deref(), act).await?;
        anyhow::ensure!(changed, if reason.is_some() { "there is such a hold" } else { "there is no such hold" });
        Ok(())
    }
}
