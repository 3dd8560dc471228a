//! `afferent admin rederive`: computes from raw what is stored, and shows what would change before it writes.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;

use crate::app::problems;
use crate::config::Config;
use crate::conformant;
use crate::id::{DeviceKey, EpisodeId, TenantId};
use crate::pipeline::{Comparison, Rederivation};
use crate::registry::Registry;
use crate::store::Store;
use crate::time::SystemClock;

/// What to compute again.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// All that came of a device.
    #[arg(long, required_unless_present = "episode")]
    device: Option<String>,
    /// What came of an episode.
    #[arg(long)]
    episode: Option<String>,
    /// Only what this algorithm gives: its id, and the version the rows must have: heart-rate or heart-rate@1.1.0.
    #[arg(long)]
    algorithm: Option<String>,
    /// Directory of additional registry rows (signal/, algorithm/, device/).
    #[arg(long, env = "AFFERENT_REGISTRY")]
    registry: Option<PathBuf>,
    /// Store what differs, as new versions.
    #[arg(long)]
    write: bool,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Args {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<()> {
        let registry = Arc::new(Registry::load(self.registry.as_deref().or(config.registry.as_deref()))?);
        let wrong = problems(&registry);
        anyhow::ensure!(wrong.is_empty(), "registry: {}", wrong.join("; "));
        let algorithm = self.algorithm.as_deref().map(|named| algorithm(&registry, named)).transpose()?;
        let tenant = TenantId::new(self.tenant.as_str()).context("--tenant")?;
        let device = self.device.as_deref().map(DeviceKey::new).transpose().context("--device")?;
        let episode = self.episode.as_deref().map(EpisodeId::new).transpose().context("--episode")?;
        let validator = conformant::validator(&registry, config.tables.as_deref()).context("tables")?;
        let store = Store::open(&config.database, Arc::new(SystemClock)).await.context("database")?;
        let store = store.judged_by(Arc::new(validator));
        let mut devices = Vec::from_iter(device);
        if let Some(episode) = episode.as_ref().filter(|_| devices.is_empty()) {
            devices = store.devices_of(&tenant, episode).await?;
            anyhow::ensure!(!devices.is_empty(), "--episode: {episode} has no devices");
        }
        let organization = config.organization;
        let clock_bound_us = config.clock_bound_us;
        let write = self.write;
        let rederivation =
            Rederivation { store: store.clone(), registry, organization, clock_bound_us, episode, algorithm, write };
        let mut found = Vec::new();
        for device in &devices {
            let streams = store.streams_of(&tenant, device).await?;
            anyhow::ensure!(!streams.is_empty(), "nothing has come of device {device}");
            for stream in streams {
                let name = store.stream_key(stream).await?.name;
                found.push((format!("{device}/{name}"), rederivation.stream(stream).await?));
            }
        }
        store.close().await;
        match self.format {
            Format::Text => found.iter().for_each(|(stream, comparison)| print(stream, comparison, write)),
            Format::Json => println!("{}", json(&found, write)),
        }
        Ok(())
    }
}

fn algorithm(registry: &Registry, named: &str) -> anyhow::Result<String> {
    let (id, version) = named.split_once('@').map_or((named, None), |(id, version)| (id, Some(version)));
    let row = registry.algorithms.get(id).with_context(|| format!("--algorithm: there is no row {id}"))?;
    if let Some(version) = version {
        anyhow::ensure!(row.version == version, "--algorithm: this server has {id} in version {}", row.version);
    }
    Ok(id.to_owned())
}

fn print(stream: &str, comparison: &Comparison, written: bool) {
    let Comparison { same, changed, new, invalid, unreadable } = comparison;
    let (change, create) = if written { ("changed", "are new") } else { ("would change", "would be new") };
    println!("{stream}: {same} the same, {} {change}, {} {create}", changed.len(), new.len());
    changed.iter().for_each(|reference| println!("  {change}: {reference}"));
    new.iter().for_each(|reference| println!("  {create}: {reference}"));
    invalid.iter().for_each(|reference| println!("  not valid, held back: {reference}"));
    unreadable.iter().for_each(|number| println!("  cannot be read: packet {number}"));
}

fn json(found: &[(String, Comparison)], written: bool) -> serde_json::Value {
    let one = |(stream, c): &(String, Comparison)| {
        json!({
            "stream": stream, "same": c.same, "changed": c.changed, "new": c.new, "invalid": c.invalid,
            "unreadable": c.unreadable,
        })
    };
    json!({"written": written, "streams": found.iter().map(one).collect::<Vec<_>>()})
}
