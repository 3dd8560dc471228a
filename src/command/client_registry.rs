//! `afferent admin client`: clients of the authorization server.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;

use crate::auth::{Fetcher, NewClient};
use crate::id::TenantId;
use crate::store::{ClientKeys, Store};

/// What to do with clients.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Register a SMART backend client and print its id.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Its public keys: a file with a JWK Set, or the URL of one.
        #[arg(long, value_name = "FILE|URL")]
        jwks: String,
        /// Blank-separated scopes, the most it may be granted: such as system/Observation.rs.
        #[arg(long)]
        scope: String,
        /// Tenant it belongs to.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// Take a URL that is http, or at a private address; the server needs the same setting.
        #[arg(long, env = "AFFERENT_KEY_SETS_ANYWHERE")]
        key_sets_anywhere: bool,
    },
    /// List the clients of a tenant.
    List {
        /// Tenant they belong to.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Take a registration back, and with it the client's tokens. A server takes them for a second more.
    Revoke {
        /// The client's id.
        id: String,
    },
}

impl Action {
    pub(super) async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Self::Create { name, jwks, scope, tenant, key_sets_anywhere } => {
                let keys = if jwks.contains("://") {
                    ClientKeys::Url(jwks)
                } else {
                    let set =
                        std::fs::read_to_string(Path::new(&jwks)).with_context(|| format!("{jwks}: cannot be read"))?;
                    ClientKeys::Value(set)
                };
                let new = NewClient { tenant: TenantId::new(tenant)?, name, scope, keys };
                println!("{}", new.register(store, &Fetcher::new(key_sets_anywhere)?).await?.id);
            }
            Self::List { tenant } => {
                for client in store.clients(&TenantId::new(tenant)?).await? {
                    println!("{}\t{}\t{}", client.id, client.name, client.scope);
                }
            }
            Self::Revoke { id } => anyhow::ensure!(store.revoke_client(&id).await?, "there is no client {id}"),
        }
        Ok(())
    }
}
