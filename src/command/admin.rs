//! `afferent admin`: works on the database of a running or stopped server, never over the network.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use super::{archive, client_registry, developer_key, explain, rederive, storage, tenant, user};
use crate::config::Given;
use crate::store::Store;
use crate::time::SystemClock;

/// Where the database is, and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

/// Where the database is.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: afferent.db in the data directory].
    #[arg(long, env = "AFFERENT_DATABASE", hide_env_values = true, global = true)]
    database: Option<String>,
    /// Directory of what the server keeps [default: afferent-data].
    #[arg(long, env = "AFFERENT_DATA", global = true)]
    data: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, env = "AFFERENT_CONFIG", global = true)]
    config: Option<PathBuf>,
}

impl Place {
    /// What was given of the place, and what the file says.
    fn given(self) -> anyhow::Result<(Given, Given)> {
        let file = self.config.as_deref().map(Given::from_file).transpose()?.unwrap_or_default();
        Ok((Given { data: self.data, database: self.database, ..Given::default() }, file))
    }
}

/// Opens the database.
pub(super) async fn open(given: Given, file: Given) -> anyhow::Result<Store> {
    let config = given.or(file).build()?;
    std::fs::create_dir_all(&config.data)?;
    Ok(Store::open(&config.database, Arc::new(SystemClock)).await?)
}

/// Opens the database of a place.
pub(super) async fn open_at(place: Place) -> anyhow::Result<Store> {
    let (given, file) = place.given()?;
    open(given, file).await
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Developer keys.
    #[command(subcommand)]
    Key(developer_key::Action),
    /// Clients of the authorization server.
    #[command(subcommand)]
    Client(client_registry::Action),
    /// People who may sign in.
    #[command(subcommand)]
    User(user::Action),
    /// What holds for a tenant.
    #[command(subcommand)]
    Tenant(tenant::Action),
    /// Tell whether a key or client may do something, and why.
    ExplainAccess(explain::Args),
    /// The raw archive: verify it, read it, rotate its keys, delete from it.
    Archive(Box<archive::Args>),
    /// Compute again from raw what is stored, and show what would change.
    Rederive(Box<rederive::Args>),
    /// What the database takes, by table and index, and for each Observation.
    Storage(storage::StorageArgs),
    /// What the database does for a search: the statement and its plan.
    Explain(storage::ExplainArgs),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let (given, file) = args.place.given()?;
    match args.action {
        Action::Key(action) => {
            let store = open(given, file).await?;
            action.run(&store).await?;
            store.close().await;
            Ok(())
        }
        Action::Client(action) => {
            let store = open(given, file).await?;
            action.run(&store).await?;
            store.close().await;
            Ok(())
        }
        Action::User(action) => {
            let store = open(given, file).await?;
            action.run(&store).await?;
            store.close().await;
            Ok(())
        }
        Action::Tenant(action) => {
            let store = open(given, file).await?;
            action.run(&store).await?;
            store.close().await;
            Ok(())
        }
        Action::ExplainAccess(explain) => {
            let policy = given.policy.clone().or(file.policy.clone());
            let store = open(given, file).await?;
            let explained = explain.run(&store, policy.as_deref()).await;
            store.close().await;
            explained
        }
        Action::Archive(archive) => archive.run(given, file).await,
        Action::Rederive(rederive) => rederive.run(given.or(file).build()?).await,
        Action::Storage(storage) => storage.run(&given.or(file).build()?).await,
        Action::Explain(explain) => explain.run(&given.or(file).build()?).await,
    }
}
