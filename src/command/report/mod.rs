//! `afferent report`: documents that integrators ask for, made of what the server goes by.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

mod conformance;
mod mapping;
mod sheet;

use std::path::PathBuf;

use anyhow::Context as _;

use super::admin::{Place, open_at};
use super::validate::each_resource;
use crate::conformant::{self, Validator};
use crate::id::TenantId;
use crate::registry::Registry;
use crate::store::Store;
use crate::store::search::Search;
use conformance::Findings;
use sheet::Format;

const EXAMPLES: &str = "\
Examples:
  afferent report mapping > mapping.md
  afferent report mapping --format csv > mapping.csv
  afferent report conformance --data afferent-data --format html > conformance.html
  afferent report conformance export/*.ndjson";

/// Which document.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    report: Report,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Format::Markdown, global = true)]
    format: Format,
    /// Directory of additional registry rows
    #[arg(long, env = "AFFERENT_REGISTRY", value_name = "DIR", global = true)]
    registry: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Report {
    /// Every signal: its resource, codes, unit and profile
    Mapping,
    /// What was judged by what, how often, and what was found
    Conformance(ConformanceArgs),
}

#[derive(Debug, clap::Args)]
struct ConformanceArgs {
    /// Files and folders of resources [default: all that the database has of the tenant]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Tenant.
    #[arg(long, default_value = "default")]
    tenant: String,
    /// Tables of profiles, as `afferent ig` writes them [default: those built in]
    #[arg(long, env = "AFFERENT_TABLES", value_name = "FILE")]
    tables: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let registry = Registry::load(args.registry.as_deref())?;
    let version = env!("CARGO_PKG_VERSION");
    let (title, about, sheets) = match args.report {
        Report::Mapping => {
            let about = format!("What each signal becomes, by the registry of Afferent {version}.");
            ("Resource mapping", about, mapping::sheets(&registry))
        }
        Report::Conformance(asked) => {
            let validator = conformant::validator(&registry, asked.tables.as_deref())?;
            let findings = asked.judge(&validator).await?;
            let Findings { resources, wrong, .. } = findings;
            let about = format!("{resources} resources judged by Afferent {version}: {} valid.", resources - wrong);
            ("Profile conformance", about, findings.sheets(&validator))
        }
    };
    print!("{}", sheet::write(args.format, title, &about, &sheets));
    Ok(())
}

impl ConformanceArgs {
    async fn judge(self, validator: &Validator) -> anyhow::Result<Findings> {
        let mut findings = Findings::default();
        if !self.files.is_empty() {
            each_resource(&self.files, |name, text| findings.judge(validator, name, text))?;
            return Ok(findings);
        }
        let tenant = TenantId::new(self.tenant).context("--tenant")?;
        let store = open_at(self.place).await.context("database")?;
        for row in store.capability().resources() {
            all_of(&store, &tenant, &row.resource, |name, text| findings.judge(validator, name, text)).await?;
        }
        store.close().await;
        Ok(findings)
    }
}

/// Every resource of a type.
async fn all_of(store: &Store, tenant: &TenantId, kind: &str, mut with: impl FnMut(&str, &[u8])) -> anyhow::Result<()> {
    let mut search = Search { kind: kind.to_owned(), count: 500, ..Search::default() };
    loop {
        let page = store.search(tenant, &search).await?;
        page.matches.iter().for_each(|stored| with(&format!("{kind}/{}", stored.id), &stored.json()));
        search.after = page.next;
        if search.after.is_none() {
            return Ok(());
        }
    }
}
