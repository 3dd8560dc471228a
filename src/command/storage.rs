//! `afferent admin storage` and `afferent admin explain`: what the database takes, and what it does for a search.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;

use crate::config::Config;
use crate::id::TenantId;
use crate::projection::served;
use crate::registry::Registry;
use crate::rest::search_of;
use crate::store::{Storage, Store};
use crate::time::SystemClock;

/// How to print it.
#[derive(Debug, clap::Args)]
pub(super) struct StorageArgs {
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

impl StorageArgs {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let store = open(config).await?;
        let (sizes, (observations, table)) = (store.storage().await?, store.observations().await?);
        store.close().await;
        // The table of Observations and those beside it that hold the values they are found by.
        let is_of_them = |size: &&Storage| size.table == table || size.table.starts_with(&format!("{table}_"));
        let sum = |sizes: &mut dyn Iterator<Item = &Storage>| sizes.map(|size| size.bytes).sum::<i64>();
        let (all, of_them) = (sum(&mut sizes.iter()), sum(&mut sizes.iter().filter(is_of_them)));
        // Bytes and counts far below 2^52.
        let each = |bytes: i64| (observations > 0).then(|| (bytes as f64 / observations as f64 * 10.0).round() / 10.0);
        match self.format {
            Format::Json => {
                let whole = json!({
                    "observations": observations, "bytes": all,
                    "bytes_of_observations": of_them, "bytes_per_observation": each(of_them), "tables": sizes,
                });
                println!("{whole}");
            }
            Format::Text => {
                println!("{:<56} {:>14} {:>16}", "table or index", "bytes", "per Observation");
                for size in sizes.iter().filter(|size| size.bytes > 0) {
                    let name = size.index.as_ref().map_or_else(|| size.table.clone(), |index| format!("  {index}"));
                    let share = each(size.bytes).filter(|_| is_of_them(&size));
                    println!(
                        "{name:<56} {:>14} {:>16}",
                        size.bytes,
                        share.map_or(String::new(), |b| format!("{b:.1}"))
                    );
                }
                let share = each(of_them).map_or(String::new(), |b| format!(", {b:.1} bytes each"));
                println!("{all} bytes in all; {observations} Observations take {of_them}{share}");
            }
        }
        Ok(())
    }
}

/// Which search, and of whom.
#[derive(Debug, clap::Args)]
pub(super) struct ExplainArgs {
    /// The search, as in a URL: 'Observation?patient=p1&code=8867-4&_sort=-date'.
    search: String,
    /// Tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
}

impl ExplainArgs {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<()> {
        let tenant = TenantId::new(self.tenant.as_str()).context("--tenant")?;
        let store = open(config).await?;
        let definitions = served(&Registry::load(config.registry.as_deref())?)?;
        let search = search_of(store.capability(), definitions, &self.search)?;
        let explained = store.explain(&tenant, &search).await?;
        store.close().await;
        println!("{}\n", explained.sql);
        explained.plan.iter().for_each(|line| println!("{line}"));
        Ok(())
    }
}

async fn open(config: &Config) -> anyhow::Result<Store> {
    Store::open(&config.database, Arc::new(SystemClock)).await.context("database")
}
