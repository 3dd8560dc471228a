//! `afferent admin explain-access`: whether a key or client may do something, and why.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::auth::{Action, Grant, Place, Policy};
use crate::id::TenantId;
use crate::store::Store;

/// Who, what and where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Public id of a developer key, or of a client.
    #[arg(long, value_name = "KEY|CLIENT")]
    who: String,
    /// create, read, update, delete, search, ingest or control.
    #[arg(long)]
    action: String,
    /// The resource type, where the action is about one.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Tenant it is to be done in [default: that of the key or client].
    #[arg(long)]
    tenant: Option<String>,
    /// File of policies in Cedar that forbid more than scopes do.
    #[arg(long, env = "AFFERENT_POLICY")]
    policy: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(self, store: &Store, configured: Option<&Path>) -> anyhow::Result<()> {
        let own = self.policy.as_deref().or(configured).map(std::fs::read_to_string).transpose().context("policy")?;
        let policy = Policy::new(own.as_deref())?;
        let grant = self.grant(store).await?;
        let action = Action::of(&self.action).with_context(|| format!("there is no action {}", self.action))?;
        let about_type = matches!(action, Action::Fhir(_));
        anyhow::ensure!(about_type == self.kind.is_some(), "--type goes with create, read, update, delete and search");
        let tenant = self.tenant.map(TenantId::new).transpose()?.unwrap_or_else(|| grant.tenant.clone());
        let synthetic = store.is_synthetic(&tenant).await?.unwrap_or(false);
        let place = Place { tenant: &tenant, synthetic, kind: self.kind.as_deref() };
        let decision = policy.decide(&grant, action, place);
        let word = if decision.is_allowed { "allowed" } else { "refused" };
        println!("{word}: {}", decision.reasons.join(", "));
        println!("scopes: {}", grant.scope);
        if let Some(patient) = grant.patient {
            println!("of what is Patient/{patient}'s");
        }
        Ok(())
    }

    async fn grant(&self, store: &Store) -> anyhow::Result<Grant> {
        if let Some(key) = store.key(&self.who).await? {
            let synthetic = store.is_synthetic(&key.tenant).await?.unwrap_or(false);
            return Ok(Grant::of_key(key, synthetic));
        }
        let client =
            store.client(&self.who).await?.with_context(|| format!("there is no key or client {}", self.who))?;
        let synthetic = store.is_synthetic(&client.tenant).await?.unwrap_or(false);
        Ok(Grant::of_client(client, synthetic))
    }
}
