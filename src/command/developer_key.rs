//! `afferent admin key`: developer keys.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use clap::Subcommand;

use crate::auth::NewKey;
use crate::id::{ResourceId, TenantId};
use crate::store::Store;
use crate::time::{Clock as _, Instant, MICROS, SystemClock};

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Make a key and print it: the only time it can be seen.
    Create {
        /// Tenant it opens. Its first key tells whether a tenant holds synthetic patients alone, or real ones.
        #[arg(long, default_value = "default")]
        tenant: String,
        /// For synthetic patients only.
        #[arg(long)]
        sandbox: bool,
        /// Blank-separated scopes [default: everything].
        #[arg(long)]
        scope: Option<String>,
        /// Logical id of the Patient its patient/ scopes are about.
        #[arg(long)]
        patient: Option<String>,
        /// Days it is good for [default: until it is revoked].
        #[arg(long)]
        days: Option<u32>,
    },
    /// List the keys of a tenant by their public ids.
    List {
        /// Tenant they open.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Take a key back. A server takes it for a second more.
    Revoke {
        /// Its public id.
        id: String,
    },
}

impl Action {
    pub(super) async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Self::Create { tenant, sandbox, scope, patient, days } => {
                let mut key = NewKey::for_everything(TenantId::new(tenant)?, sandbox);
                key.scope = scope.unwrap_or(key.scope);
                key.patient = patient.map(ResourceId::new).transpose()?;
                key.expires = days.map(|days| SystemClock.now().plus(i64::from(days) * 86_400 * MICROS));
                println!("{}", key.create(store).await?.expose());
            }
            Self::List { tenant } => {
                for key in store.keys(&TenantId::new(tenant)?).await? {
                    let expires = key.expires.map_or_else(|| "never".to_owned(), Instant::to_fhir);
                    let kind = if key.sandbox { "sandbox" } else { "live" };
                    println!("{}\t{kind}\texpires {expires}\t{}", key.id, key.scope);
                }
            }
            Self::Revoke { id } => anyhow::ensure!(store.revoke_key(&id).await?, "there is no key {id}"),
        }
        Ok(())
    }
}
