//! `afferent serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::alert;
use crate::app::App;
use crate::config::{Config, ConfigError, Given};
use crate::time::SystemClock;
use crate::{archive, auth};

/// Settings of a server; each can also come from the file or the environment.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Configuration file (TOML).
    #[arg(long, env = "AFFERENT_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

/// The settings themselves.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Settings {
    /// Address to listen at [default: 127.0.0.1:8080].
    #[arg(long, env = "AFFERENT_LISTEN")]
    listen: Option<SocketAddr>,
    /// Database, sqlite:PATH or postgres://USER:PASSWORD@HOST/NAME [default: afferent.db in the data directory].
    #[arg(long, env = "AFFERENT_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// Directory for what the server keeps [default: afferent-data].
    #[arg(long, env = "AFFERENT_DATA")]
    data: Option<PathBuf>,
    /// URL clients reach the server at, where it is not the Host they ask for.
    #[arg(long, env = "AFFERENT_PUBLIC_URL")]
    public_url: Option<String>,
    /// Directory of additional registry rows (signal/, algorithm/, device/).
    #[arg(long, env = "AFFERENT_REGISTRY")]
    registry: Option<PathBuf>,
    /// Name of the organization that answers for the data.
    #[arg(long, env = "AFFERENT_ORGANIZATION")]
    organization: Option<String>,
    /// Seconds a device's clock may be off before its measurements say so [default: 30]
    #[arg(long, env = "AFFERENT_CLOCK_BOUND_S", value_name = "SECONDS")]
    clock_bound_s: Option<u32>,
    /// Refuse references to what is not there in what FHIR clients write
    #[arg(long, env = "AFFERENT_CHECK_REFERENCES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    check_references: Option<bool>,
    /// Refuse what FHIR clients write if it is not valid by R4 and the profiles it claims [default: true]
    #[arg(long, env = "AFFERENT_VALIDATE_WRITES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    validate_writes: Option<bool>,
    /// Fetch key sets of clients from private addresses and over http as well
    #[arg(long, env = "AFFERENT_KEY_SETS_ANYWHERE", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    key_sets_anywhere: Option<bool>,
    /// Deliver to private addresses and over http too, as within a hospital's network or in development
    #[arg(long, env = "AFFERENT_TARGETS_ANYWHERE", num_args = 0..=1, default_missing_value = "true")]
    targets_anywhere: Option<bool>,
    /// File of policies in Cedar that forbid more than scopes do.
    #[arg(long, env = "AFFERENT_POLICY")]
    policy: Option<PathBuf>,
    /// Requests a second with one developer key or of one client [default: 5000]
    #[arg(long, env = "AFFERENT_REQUESTS_PER_S", value_name = "N")]
    requests_per_s: Option<u32>,
    /// Tables of profiles that resources are judged by, as `afferent ig` writes them [default: those built in]
    #[arg(long, env = "AFFERENT_TABLES", value_name = "FILE")]
    tables: Option<PathBuf>,
    /// Pipeline threads [default: one a core].
    #[arg(long, env = "AFFERENT_WORKERS")]
    workers: Option<usize>,
    #[command(flatten)]
    sign_in: auth::GivenSignIn,
    #[command(flatten)]
    archive: archive::Given,
    #[command(flatten)]
    alerts: alert::Given,
}

impl Settings {
    /// With what `file` says, and defaults.
    pub(super) fn into_config(self, file: Given) -> Result<Config, ConfigError> {
        let given = Given {
            listen: self.listen,
            data: self.data,
            database: self.database,
            public_url: self.public_url,
            registry: self.registry,
            organization: self.organization,
            clock_bound_s: self.clock_bound_s,
            check_references: self.check_references,
            validate_writes: self.validate_writes,
            key_sets_anywhere: self.key_sets_anywhere,
            targets_anywhere: self.targets_anywhere,
            policy: self.policy,
            requests_per_s: self.requests_per_s,
            tables: self.tables,
            workers: self.workers,
            sign_in: self.sign_in,
            archive: self.archive,
            alerts: self.alerts,
        };
        given.or(file).build()
    }
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let file = args.config.as_deref().map(Given::from_file).transpose()?.unwrap_or_default();
    let config = args.settings.into_config(file)?;
    let app = App::build(config, Arc::new(SystemClock)).await?;
    tracing::info!(address = %app.address()?, "serving");
    app.serve(stopped()).await?;
    Ok(())
}

/// Done when the process is asked to stop.
pub(super) async fn stopped() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
    tracing::info!("stopping");
}
