//! `afferent check`: registry, capability and ig are consistent.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::PathBuf;

use crate::conformant;
use crate::registry::Registry;

/// What to check, and whether to bring derived files up to date.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of additional registry rows.
    #[arg(long, env = "AFFERENT_REGISTRY")]
    registry: Option<PathBuf>,
    /// Directory of the implementation guide.
    #[arg(long, default_value = "ig")]
    ig: PathBuf,
    /// Write derived files instead of comparing them.
    #[arg(long)]
    write: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let registry = Registry::load(args.registry.as_deref())?;
    let mut problems = crate::app::problems(&registry);
    println!(
        "registry: {} signals, {} algorithms, {} alert rules, {} device models",
        registry.signals.len(),
        registry.algorithms.len(),
        registry.alerts.len(),
        registry.devices.len()
    );
    if let Err(error) = crate::rest::check() {
        problems.push(error.to_string());
    }
    let validator = conformant::validator(&registry, None)?;
    problems.extend(conformant::lint(&registry, &validator).into_iter().map(|line| format!("registry: {line}")));
    if args.ig.is_dir() {
        problems.extend(guide(&registry, args)?);
    }
    for problem in &problems {
        println!("{problem}");
    }
    anyhow::ensure!(problems.is_empty(), "{} problems", problems.len());
    println!("consistent");
    Ok(())
}

/// What of the implementation guide is not what the registry says; with `--write`, only what that could not mend.
fn guide(registry: &Registry, args: &Args) -> anyhow::Result<Vec<String>> {
    let report = crate::projection::ig::check(registry, &args.ig, args.write)?;
    println!("ig: {} derived files, {} stale", report.current.len() + report.stale.len(), report.stale.len());
    let stale = report.stale.iter().map(|f| format!("ig/{f}: is not what the registry says; run check --write"));
    let misnamed = report.misnamed.iter().map(|f| format!("ig/{f}: name and canonical URL do not agree"));
    Ok(if args.write { misnamed.collect() } else { stale.chain(misnamed).collect() })
}
