//! `afferent admin explain-access`: whether a key or client may do something, and why.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::auth::{Action, Grant, PatientConsent, Place, Policy, consent_of};
use crate::id::{ResourceId, TenantId};
use crate::store::{Store, TenantFacts};
use crate::time::{Clock as _, SystemClock};

/// Who, what and where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Public id of a developer key, or of a client.
    #[arg(long, value_name = "KEY|CLIENT")]
    who: String,
    /// The person who uses the client, by id.
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Logical id of the patient it is about.
    #[arg(long)]
    patient: Option<String>,
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
        let mut grant = self.grant(store).await?;
        if let Some(patient) = &grant.patient {
            grant.consent = consent_of(store, &grant.tenant, patient, SystemClock.now()).await?;
        }
        let action = Action::of(&self.action).with_context(|| format!("there is no action {}", self.action))?;
        let about_type = matches!(action, Action::Fhir(_));
        anyhow::ensure!(about_type == self.kind.is_some(), "--type goes with create, read, update, delete and search");
        let tenant = self.tenant.map(TenantId::new).transpose()?.unwrap_or_else(|| grant.tenant.clone());
        let TenantFacts { synthetic, baa } = store.tenant(&tenant).await?.unwrap_or_default();
        let place = Place { tenant: &tenant, synthetic, baa, kind: self.kind.as_deref() };
        let decision = policy.decide(&grant, action, place);
        let word = if decision.is_allowed { "allowed" } else { "refused" };
        println!("{word}: {}", decision.reasons.join(", "));
        println!("scopes: {}", grant.scope);
        println!("business associate agreement: {}", if baa { "in force" } else { "none" });
        if let Some(patient) = grant.patient {
            println!("of what is Patient/{patient}'s");
            println!("consent: {}", grant.consent.map_or("nothing was said", PatientConsent::word));
        }
        Ok(())
    }

    async fn grant(&self, store: &Store) -> anyhow::Result<Grant> {
        if let Some(key) = store.key(&self.who).await? {
            anyhow::ensure!(self.user.is_none() && self.patient.is_none(), "--user and --patient go with a client");
            let facts = store.tenant(&key.tenant).await?.unwrap_or_default();
            return Ok(Grant::of_key(key, facts));
        }
        let client =
            store.client(&self.who).await?.with_context(|| format!("there is no key or client {}", self.who))?;
        let facts = store.tenant(&client.tenant).await?.unwrap_or_default();
        let grant = Grant::of_client(client, facts);
        let patient = self.patient.clone().map(ResourceId::new).transpose()?;
        let Some(user) = &self.user else {
            anyhow::ensure!(patient.is_none(), "--patient goes with --user");
            return Ok(grant);
        };
        let person = store.person(&grant.tenant, user).await?.with_context(|| format!("there is no user {user}"))?;
        Ok(grant.used_by(person, patient))
    }
}
