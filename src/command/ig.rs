//! `afferent ig`: tables of profiles from FHIR packages.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Subcommand;

use crate::conformant::Validator;
use crate::conformant::compile::{Package, compile};
use crate::conformant::table::Tables;
use crate::projection;

const EXAMPLES: &str = "\
A package is an archive (.tgz), a folder, or NAME#VERSION of the package cache (~/.fhir/packages). Tables hold what its
profiles, value sets and code systems say: paths, cardinalities, codes and expressions, none of their text.

Examples:
  afferent ig compile --to ig/tables/profiles.bin hl7.fhir.r4.core-4.0.1.tgz hl7.fhir.us.core-6.1.0.tgz
  afferent ig install --to us-core-7.bin hl7.fhir.us.core#7.0.0
  afferent validate --tables us-core-7.bin patient.json";

/// Arguments of `afferent ig`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write tables of packages, R4's own first
    Compile(Job),
    /// Write the tables built in, with packages added; what a package defines again holds
    Install(Job),
    /// What is in the tables built in, or in a file
    List {
        /// A file of tables
        tables: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct Job {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Packages
    #[arg(required = true)]
    packages: Vec<String>,
}

pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    match &args.action {
        Action::Compile(job) => write(Tables::default(), job),
        Action::Install(job) => write(Tables::unpack(projection::tables())?, job),
        Action::List { tables } => {
            let tables = match tables {
                Some(path) => Tables::unpack(&std::fs::read(path)?)?,
                None => Tables::unpack(projection::tables())?,
            };
            tables.packages.iter().for_each(|package| println!("{package}"));
            summary(&tables);
            Ok(())
        }
    }
}

fn write(mut tables: Tables, job: &Job) -> anyhow::Result<()> {
    let packages: Vec<Package> = job.packages.iter().map(|name| read(name)).collect::<anyhow::Result<_>>()?;
    for remark in compile(&mut tables, &packages) {
        println!("{remark}");
    }
    ensure!(!tables.types.is_empty(), "there are no types: R4's own package, hl7.fhir.r4.core, comes first");
    let packed = tables.pack()?;
    summary(&tables);
    Validator::new(tables)?;
    std::fs::write(&job.to, &packed).with_context(|| format!("{} cannot be written", job.to.display()))?;
    println!("{}: {} bytes", job.to.display(), packed.len());
    Ok(())
}

fn summary(tables: &Tables) {
    let terminology = &tables.terminology;
    println!(
        "{} types, {} profiles and extensions, {} invariants, {} code systems, {} value sets",
        tables.types.len(),
        tables.profiles.len(),
        tables.constraints.len(),
        terminology.systems.len(),
        terminology.value_sets.len()
    );
}

/// A package by its path, or from the package cache.
fn read(name: &str) -> anyhow::Result<Package> {
    let path = Path::new(name);
    let cached = || std::env::home_dir().map(|home| home.join(".fhir/packages").join(name));
    let path = if path.exists() { Some(path.to_owned()) } else { cached().filter(|path| path.exists()) };
    let path =
        path.with_context(|| format!("there is no package {name}, neither as a file nor in ~/.fhir/packages"))?;
    Package::read(&path).with_context(|| format!("the package {name} cannot be read"))
}
