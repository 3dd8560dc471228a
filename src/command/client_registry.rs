//! `afferent admin client`: clients of the authorization server.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;

use crate::auth::{Fetcher, NewClient, app_secret};
use crate::id::TenantId;
use crate::store::{ClientKeys, Store};

/// What to do with clients.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Register a SMART backend client, or an app that people use, and print its id.
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Its public keys: a file with a JWK Set, or the URL of one. A backend client has them; an app may.
        #[arg(long, value_name = "FILE|URL")]
        jwks: Option<String>,
        /// Where people are sent back to who use it, exactly: this makes it an app. Can be given more than once.
        #[arg(long, value_name = "URL")]
        redirect: Vec<String>,
        /// Make a secret for an app without keys and print it on a second line: the only time it can be seen. An app with
        /// neither is one that can keep no secret, as in a browser or on a telephone.
        #[arg(long, conflicts_with = "jwks", requires = "redirect")]
        secret: bool,
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
            Self::Create { name, jwks, redirect, secret, scope, tenant, key_sets_anywhere } => {
                let (shown, keys) = match jwks {
                    Some(url) if url.contains("://") => (None, ClientKeys::Url(url)),
                    Some(file) => {
                        let set = std::fs::read_to_string(Path::new(&file));
                        (None, ClientKeys::Value(set.with_context(|| format!("{file}: cannot be read"))?))
                    }
                    None if secret => app_secret().map(|(secret, keys)| (Some(secret), keys))?,
                    None => (None, ClientKeys::Nothing),
                };
                let new = NewClient { tenant: TenantId::new(tenant)?, name, scope, keys, redirects: redirect };
                println!("{}", new.register(store, &Fetcher::new(key_sets_anywhere)?).await?.id);
                if let Some(secret) = shown {
                    println!("{}", secret.expose());
                }
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
