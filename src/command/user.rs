//! `afferent admin user`: who may sign in.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use clap::Subcommand;

use crate::auth::NewPerson;
use crate::id::TenantId;
use crate::store::Store;

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Let somebody sign in whom the identity provider knows, and print their id.
    Create {
        /// The identity provider's issuer URL.
        #[arg(long)]
        issuer: String,
        /// What the provider calls them, `sub`.
        #[arg(long)]
        subject: String,
        /// Who they are in the tenant's data: Practitioner/ID or Patient/ID.
        #[arg(long)]
        resource: String,
        /// Tenant they sign in to.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// List who may sign in to a tenant.
    List {
        /// The tenant.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
    /// Let somebody sign in no longer, and take back what they granted to apps. A server takes their tokens for a second more.
    Revoke {
        /// Their id.
        id: String,
        /// Tenant they sign in to.
        #[arg(long, default_value = "default")]
        tenant: String,
    },
}

impl Action {
    pub(super) async fn run(self, store: &Store) -> anyhow::Result<()> {
        match self {
            Self::Create { issuer, subject, resource, tenant } => {
                let new = NewPerson { tenant: TenantId::new(tenant)?, issuer, subject, resource };
                println!("{}", new.register(store).await?.id);
            }
            Self::List { tenant } => {
                for person in store.people(&TenantId::new(tenant)?).await? {
                    println!("{}\t{}\t{}\t{}", person.id, person.resource, person.issuer, person.subject);
                }
            }
            Self::Revoke { id, tenant } => {
                let done = store.revoke_person(&TenantId::new(tenant)?, &id).await?;
                anyhow::ensure!(done, "there is no user {id}");
            }
        }
        Ok(())
    }
}
