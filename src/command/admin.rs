//! `afferent admin`: works on the database of a running or stopped server, never over the network.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use super::{archive, rederive, storage};
use crate::auth::NewKey;
use crate::config::Given;
use crate::id::TenantId;
use crate::store::Store;
use crate::time::SystemClock;

/// Where the database is, and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: afferent.db in the data directory].
    #[arg(long, env = "AFFERENT_DATABASE", hide_env_values = true, global = true)]
    database: Option<String>,
    /// Directory of what the server keeps [default: afferent-data].
    #[arg(long, env = "AFFERENT_DATA", global = true)]
    data: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, env = "AFFERENT_CONFIG", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Developer keys.
    #[command(subcommand)]
    Key(KeyAction),
    /// The raw archive: verify it, read it, rotate its keys, delete from it.
    Archive(Box<archive::Args>),
    /// Compute again from raw what is stored, and show what would change.
    Rederive(Box<rederive::Args>),
    /// What the database takes, by table and index, and for each Observation.
    Storage(storage::StorageArgs),
    /// What the database does for a search: the statement and its plan.
    Explain(storage::ExplainArgs),
}

#[derive(Debug, Subcommand)]
enum KeyAction {
    /// Make a key and print it: the only time it can be seen.
    Create {
        /// Tenant it opens.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// For synthetic patients only.
        #[arg(long)]
        sandbox: bool,
        /// Blank-separated scopes [default: everything].
        #[arg(long)]
        scope: Option<String>,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let file = args.config.as_deref().map(Given::from_file).transpose()?.unwrap_or_default();
    let given = Given { data: args.data, database: args.database, ..Given::default() };
    let KeyAction::Create { tenant, sandbox, scope } = match args.action {
        Action::Key(action) => action,
        Action::Archive(archive) => return archive.run(given, file).await,
        Action::Rederive(rederive) => return rederive.run(given.or(file).build()?).await,
        Action::Storage(storage) => return storage.run(&given.or(file).build()?).await,
        Action::Explain(explain) => return explain.run(&given.or(file).build()?).await,
    };
    let config = given.or(file).build()?;
    std::fs::create_dir_all(&config.data)?;
    let store = Store::open(&config.database, Arc::new(SystemClock)).await?;
    let mut key = NewKey::for_everything(TenantId::new(tenant)?, sandbox);
    if let Some(scope) = scope {
        key.scope = scope;
    }
    println!("{}", key.create(&store).await?);
    store.close().await;
    Ok(())
}
