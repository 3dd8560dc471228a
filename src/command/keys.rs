//! `afferent keys`: the keys access tokens are signed with.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use clap::Subcommand;

use super::admin::{Place, open_at};
use crate::auth::rotate;
use crate::id::TenantId;
use crate::time::{Clock as _, Instant, SystemClock};

/// Where the database is, and what to do.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make new signing keys: published now, they sign in ten minutes; those before them are taken for seventy minutes more.
    Rotate {
        /// Tenant whose tokens it signs.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// For keys that were seen by others: sign at once, and take nothing the old ones signed.
        #[arg(long)]
        at_once: bool,
    },
    /// List the signing keys of a tenant that are published.
    List {
        /// Tenant whose tokens they sign.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let store = open_at(args.place).await?;
    match args.action {
        Action::Rotate { tenant, at_once } => {
            for id in rotate(&store, &TenantId::new(tenant)?, SystemClock.now(), at_once).await? {
                println!("{id}");
            }
        }
        Action::List { tenant } => {
            for key in store.signing_keys(&TenantId::new(tenant)?).await? {
                let expires = key.expires.map_or_else(|| "never".to_owned(), Instant::to_fhir);
                println!("{}\t{}\tsigns from {}\texpires {expires}", key.id, key.algorithm.name(), key.signs.to_fhir());
            }
        }
    }
    store.close().await;
    Ok(())
}
