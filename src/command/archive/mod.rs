//! `afferent admin archive`.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod keys;
mod retention;

use std::io::Write as _;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};

use crate::archive::read::{Reader, master_of};
use crate::archive::verify::{Scope, verify};
use crate::archive::{Archive, ChainKey, Given as ArchiveGiven};
use crate::config::{Config, Given};
use crate::id::{DeviceKey, TenantId};
use crate::store::Store;
use crate::time::{Instant, SystemClock};

/// Which archive, who asks, and what for.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    given: ArchiveGiven,
    /// Who does it, for the audit.
    #[arg(long, env = "USER", default_value = "unknown", global = true)]
    by: String,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Blocks, bytes and packets of each tenant, and what is not archived yet.
    Status {
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Check every block: its hash, its place in its chain, its packets against the journal. Exit code 1 if anything is wrong.
    Verify {
        /// One tenant only.
        #[arg(long)]
        tenant: Option<TenantArg>,
        /// One device only.
        #[arg(long)]
        device: Option<DeviceArg>,
        #[arg(long, default_value = "text")]
        format: Format,
    },
    /// Write a device's packets to standard output, one a line, as `afferent replay` reads them. Needs no database.
    Read {
        /// Tenant.
        #[arg(long, default_value = "default")]
        tenant: TenantArg,
        /// Device.
        #[arg(long)]
        device: DeviceArg,
        /// Packets received at this time or later.
        #[arg(long)]
        from: Option<TimeArg>,
        /// Packets received before this time.
        #[arg(long)]
        until: Option<TimeArg>,
    },
    /// Wrap all data keys by another master key; no block is touched.
    RotateMasterKey(keys::NewMaster),
    /// Seal from now on with a new data key.
    RotateDataKey {
        /// Tenant.
        #[arg(long)]
        tenant: TenantArg,
    },
    /// How long packets are kept.
    #[command(subcommand)]
    Retention(retention::RetentionAction),
    /// What must not be deleted.
    #[command(subcommand)]
    Hold(retention::HoldAction),
    /// Who did what to keys, rules, holds, data and subscriptions.
    Audit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

type TenantArg = Checked<TenantId>;
type DeviceArg = Checked<DeviceKey>;
type TimeArg = Checked<Instant>;

/// An argument that is checked when it is read.
#[derive(Debug, Clone)]
struct Checked<T>(T);

impl std::str::FromStr for Checked<TenantId> {
    type Err = crate::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        TenantId::new(text).map(Self)
    }
}

impl std::str::FromStr for Checked<DeviceKey> {
    type Err = crate::id::InvalidId;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        DeviceKey::new(text).map(Self)
    }
}

impl std::str::FromStr for Checked<Instant> {
    type Err = crate::time::InvalidTime;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Instant::parse(text).map(Self)
    }
}

impl Args {
    pub(super) async fn run(self, given: Given, file: Given) -> anyhow::Result<()> {
        let config = Given { archive: self.given, ..given }.or(file).build()?;
        if let Action::Read { tenant, device, from, until } = self.action {
            let chain = ChainKey { tenant: tenant.0, device: device.0 };
            return read(&config, &chain, from.map_or(i64::MIN, |t| t.0.0), until.map_or(i64::MAX, |t| t.0.0)).await;
        }
        std::fs::create_dir_all(&config.data)?;
        let store = Store::open(&config.database, Arc::new(SystemClock)).await.context("database")?;
        let done = act(self.action, &config, &store, &self.by).await;
        store.close().await;
        done
    }
}

async fn act(action: Action, config: &Config, store: &Store, by: &str) -> anyhow::Result<()> {
    match action {
        Action::Status { format } => status(store, format).await,
        Action::Audit => {
            for record in store.archive_audit().await? {
                println!("{}", serde_json::to_string(&record)?);
            }
            Ok(())
        }
        Action::Hold(action) => action.run(store, by).await,
        Action::Verify { tenant, device, format } => {
            let scope = Scope { tenant: tenant.map(|t| t.0), device: device.map(|d| d.0) };
            let report = verify(&open(config, store).await?, &scope).await?;
            match format {
                Format::Text => println!("{report}"),
                Format::Json => println!("{}", serde_json::to_string_pretty(&report)?),
            }
            anyhow::ensure!(report.problems.is_empty(), "the archive is not whole");
            Ok(())
        }
        Action::RotateMasterKey(new) => new.run(config, &open(config, store).await?, by).await,
        Action::RotateDataKey { tenant } => keys::rotate_data_key(&open(config, store).await?, &tenant.0, by).await,
        Action::Retention(action) => action.run(config, store, by).await,
        Action::Read { .. } => Ok(()), // without a database
    }
}

async fn open(config: &Config, store: &Store) -> anyhow::Result<Archive> {
    config.archive.open(store, Arc::new(SystemClock)).await.context("archive")
}

async fn status(store: &Store, format: Format) -> anyhow::Result<()> {
    for totals in store.archive_totals().await? {
        let oldest = totals.oldest_waiting.map(Instant::to_fhir);
        match format {
            Format::Text => {
                print!(
                    "{}: {} packets of {} devices in {} blocks, {} bytes; {} packets wait",
                    totals.tenant, totals.packets, totals.devices, totals.blocks, totals.bytes, totals.waiting
                );
                println!("{}", oldest.map_or_else(String::new, |oldest| format!(", the oldest since {oldest}")));
            }
            Format::Json => println!(
                "{}",
                serde_json::json!({
                    "tenant": totals.tenant, "devices": totals.devices, "blocks": totals.blocks, "bytes": totals.bytes,
                    "packets": totals.packets, "waiting": totals.waiting, "oldest_waiting": oldest,
                })
            ),
        }
    }
    Ok(())
}

/// Writes packets; what a block has again that another had is left out.
async fn read(config: &Config, chain: &ChainKey, from: i64, until: i64) -> anyhow::Result<()> {
    let home = config.archive.home(Arc::new(SystemClock)).await?;
    let master = master_of(&*home, &chain.tenant).await?;
    let master = master.with_context(|| format!("the archive has no keys of tenant {}", chain.tenant))?;
    let reader = Reader::open(home, &config.archive.master(Some(&master))?, &chain.tenant).await?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let (mut last, mut unread) = (i64::MIN, 0);
    for block in reader.blocks(chain).await? {
        match reader.packets(&block).await? {
            Ok(packets) => {
                for packet in packets.iter().filter(|packet| packet.position > last) {
                    if (from..until).contains(&packet.received.0) {
                        out.write_all(&packet.json)?;
                        out.write_all(b"\n")?;
                    }
                }
                last = packets.last().map_or(last, |packet| last.max(packet.position));
            }
            Err(why) => {
                tracing::warn!(block = why.number, "{}", why.why);
                unread += 1;
            }
        }
    }
    out.flush()?;
    anyhow::ensure!(unread == 0, "{unread} blocks could not be read");
    Ok(())
}
