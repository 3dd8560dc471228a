//! `afferent evaluate`: accuracy of the detectors and metrics on annotated recordings.
#![expect(clippy::print_stdout, reason = "a command's answer goes to standard output")]

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};

use crate::evaluation::{self, Folder, Options, Step};
use crate::registry::Registry;

const EXAMPLES: &str = "\
A folder of recordings with references is searched, folders in it too; each data set is recognised by its content:
  WFDB records (.hea) with beat annotations (.atr, .ecg, .qrs, ...), their rhythm annotations
  strips labelled N, A, O and ~ in a REFERENCE*.csv beside them
  RR series with an atrial fibrillation flag, pulse waves with an ECG or RR intervals, annotated breaths
  tables of canonical heart rate variability values

Examples:
  afferent evaluate mitdb
  afferent evaluate recordings --format html > report.html
  afferent evaluate recordings --format json --task r-peaks --record 105 108 203
  afferent evaluate mitdb --signal 1";

/// Arguments of `afferent evaluate`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Folder of recordings with reference annotations
    folder: PathBuf,
    /// How the report is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only these tasks
    #[arg(long = "task", value_name = "NAME", num_args = 1.., value_parser = clap::builder::PossibleValuesParser::new(evaluation::task_names().map(|(name, _)| name)))]
    tasks: Vec<String>,
    /// Only these records, by name or by path in the folder
    #[arg(long = "record", value_name = "NAME", num_args = 1..)]
    records: Vec<String>,
    /// Signal of each WFDB record to look at, counted from 0 [default: the first ECG lead]
    #[arg(long, value_name = "N")]
    signal: Option<usize>,
    /// Directory of additional registry rows
    #[arg(long, env = "AFFERENT_REGISTRY", value_name = "DIR")]
    registry: Option<PathBuf>,
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables for a terminal.
    Text,
    /// Every figure, for programs.
    Json,
    /// A page with tables and plots.
    Html,
}

pub(super) fn run(args: Args) -> anyhow::Result<()> {
    let registry = Registry::load(args.registry.as_deref())?;
    let name = args.folder.display().to_string();
    let folder = Folder::open(&args.folder).with_context(|| format!("{name} cannot be read"))?;
    let options = Options { records: args.records, tasks: args.tasks, signal: args.signal };
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{prefix} [{bar:30}] {pos}/{len} {msg}")?.progress_chars("=> "));
    let watch = |step: Step<'_>| match step {
        Step::Task { title, cases } => {
            bar.set_prefix(title.to_owned());
            bar.set_length(cases as u64);
            bar.set_position(0);
        }
        Step::Case { record } => {
            bar.set_message(record.to_owned());
            bar.inc(1);
        }
    };
    let report = evaluation::evaluate(&name, &folder, &options, &registry, &watch)?;
    bar.finish_and_clear();
    match args.format {
        Format::Text => print!("{}", evaluation::text(&report)),
        Format::Json => println!("{:#}", evaluation::json(&report)),
        Format::Html => print!("{}", evaluation::html(&report)),
    }
    let judged: usize = report.sections.iter().map(|section| section.judged).sum();
    ensure!(judged > 0, "{name}: nothing could be evaluated");
    Ok(())
}
