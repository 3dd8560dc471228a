//! `afferent validate`: judges FHIR resources.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::conformant::{self, Issue, Severity, Validator};
use crate::registry::Registry;

const EXAMPLES: &str = "\
A file holds one resource as JSON, or one a line (.ndjson); of a folder all such files are judged. A Bundle is judged whole, the
references among its entries too. A resource is judged by R4, by the profiles of its meta.profile and by those given.

Examples:
  afferent validate observation.json
  afferent validate export/*.ndjson --format json
  afferent validate patient.json --profile http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient

Exit codes: 0 no errors, 1 errors, 2 wrong usage";

/// Arguments of `afferent validate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Files and folders of FHIR resources
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Judge every resource by this profile too
    #[arg(long, value_name = "URL")]
    profile: Vec<String>,
    /// How the verdicts are written: for JSON a line each
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only errors
    #[arg(long, short)]
    quiet: bool,
    /// Tables of profiles, as `afferent ig` writes them [default: those built in]
    #[arg(long, env = "AFFERENT_TABLES", value_name = "FILE")]
    tables: Option<PathBuf>,
    /// Directory of additional registry rows
    #[arg(long, env = "AFFERENT_REGISTRY", value_name = "DIR")]
    registry: Option<PathBuf>,
}

/// How verdicts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines to read.
    Text,
    /// Every issue, for programs.
    Json,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let registry = Registry::load(args.registry.as_deref())?;
    let validator = conformant::validator(&registry, args.tables.as_deref())?;
    for profile in &args.profile {
        ensure!(
            validator.knows(profile),
            "the profile {profile} is not known; `afferent ig install` adds those of a package"
        );
    }
    let mut total = Total::default();
    each_resource(&args.files, |name, text| judge(args, &validator, name, text, &mut total))?;
    if args.format == Format::Text {
        println!(
            "{} resources, {} with errors; {} errors, {} warnings",
            total.resources, total.bad, total.errors, total.warnings
        );
    }
    ensure!(total.bad == 0, "{} of {} resources have errors", total.bad, total.resources);
    Ok(())
}

/// Reads the resources of files and folders, each with what it is called, and shows how far it is.
pub(super) fn each_resource(named: &[PathBuf], mut with: impl FnMut(&str, &[u8])) -> anyhow::Result<()> {
    let files = files(named)?;
    let bar = if files.len() > 1 { ProgressBar::new(files.len() as u64) } else { ProgressBar::hidden() };
    bar.set_style(ProgressStyle::with_template("[{bar:30}] {pos}/{len} {msg}")?.progress_chars("=> "));
    for file in &files {
        bar.inc(1);
        let content = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
        if file.extension().is_some_and(|extension| extension == "ndjson") {
            for (line, text) in content.split(|byte| *byte == b'\n').enumerate() {
                if !text.trim_ascii().is_empty() {
                    let name = format!("{}:{}", file.display(), line + 1);
                    bar.suspend(|| with(&name, text));
                }
            }
        } else {
            bar.suspend(|| with(&file.display().to_string(), &content));
        }
    }
    bar.finish_and_clear();
    Ok(())
}

#[derive(Default)]
struct Total {
    resources: usize,
    bad: usize,
    errors: usize,
    warnings: usize,
}

fn judge(args: &Args, validator: &Validator, name: &str, text: &[u8], total: &mut Total) {
    let profiles: Vec<&str> = args.profile.iter().map(String::as_str).collect();
    let mut issues = validator.validate(text, &profiles);
    let count = |severity| issues.iter().filter(|issue| issue.severity == severity).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    total.resources += 1;
    total.bad += usize::from(errors > 0);
    total.errors += errors;
    total.warnings += warnings;
    issues.retain(|issue| !args.quiet || issue.severity == Severity::Error);
    match args.format {
        Format::Json => {
            println!(
                "{}",
                serde_json::json!({ "file": name, "errors": errors, "warnings": warnings, "issues": issues })
            );
        }
        Format::Text => issues.iter().for_each(|issue| println!("{name}: {}", line(issue))),
    }
}

fn line(issue: &Issue) -> String {
    let severity = match issue.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Information => "note",
    };
    let profile = issue.profile.as_deref().map(|profile| format!(" [{profile}]")).unwrap_or_default();
    format!("{severity}: {}: {}{profile}", issue.expression, issue.text)
}

/// The files named, and those of folders in the order of their names.
fn files(named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let is_resource = |path: &Path| path.extension().is_some_and(|known| known == "json" || known == "ndjson");
        let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
        let mut inner: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        inner.retain(|path| is_resource(path));
        inner.sort();
        files.extend(inner);
    }
    Ok(files)
}
