//! `afferent admin tenant`: what holds for a tenant.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use clap::Subcommand;

use crate::id::TenantId;
use crate::store::Store;

/// What to do with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Tell what holds for a tenant.
    Show {
        /// The tenant.
        #[arg(default_value = "default")]
        tenant: String,
    },
    /// Record that a business associate agreement is in force for a tenant, or no longer is. Policies can ask for one. A
    /// server knows it within a second.
    Baa {
        /// The tenant.
        #[arg(default_value = "default")]
        tenant: String,
        /// It is no longer in force.
        #[arg(long)]
        ended: bool,
    },
}

impl Action {
    pub(super) async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Self::Show { tenant } => {
                let facts = store.tenant(&TenantId::new(&tenant)?).await?;
                let facts = facts.ok_or_else(|| anyhow::anyhow!("there is no tenant {tenant}"))?;
                println!("patients: {}", if facts.synthetic { "synthetic" } else { "real" });
                println!("business associate agreement: {}", if facts.baa { "in force" } else { "none" });
            }
            Self::Baa { tenant, ended } => {
                let done = store.set_baa(&TenantId::new(&tenant)?, !ended).await?;
                anyhow::ensure!(done, "there is no tenant {tenant}");
            }
        }
        Ok(())
    }
}
