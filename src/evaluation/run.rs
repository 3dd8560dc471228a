//! A whole evaluation: every task over the folder, and what was left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::folder::{Folder, extension};
use super::read::beats::Reference;
use super::read::waves::stem;
use super::report::{LeftOut, Report};
use super::task::{Context, Watch};
use super::tasks::TASKS;
use crate::registry::Registry;

/// What of a folder is evaluated.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only these records, by name or by path; all where empty.
    pub records: Vec<String>,
    /// Only these tasks; all where empty.
    pub tasks: Vec<String>,
    /// The signal of each WFDB record to look at, counted from 0; the first ECG lead where left out.
    pub signal: Option<usize>,
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// A task begins.
    Task {
        /// Its heading.
        title: &'a str,
        /// How many cases it has.
        cases: usize,
    },
    /// A case is done.
    Case {
        /// The record.
        record: &'a str,
    },
}

/// There is no such task.
#[derive(Debug, thiserror::Error)]
#[error("there is no task {name:?}; there are {}", known.join(", "))]
pub struct UnknownTask {
    name: String,
    known: Vec<&'static str>,
}

impl Options {
    pub(super) fn wants_record(&self, name: &str) -> bool {
        let is = |wanted: &String| name == wanted || name.rsplit('/').next() == Some(wanted);
        self.records.is_empty() || self.records.iter().any(is)
    }

    fn wants_task(&self, name: &str) -> bool {
        self.tasks.is_empty() || self.tasks.iter().any(|wanted| wanted == name)
    }
}

/// Evaluates a folder, named `name` in the report.
///
/// # Errors
/// A task was asked for that there is none of.
pub fn evaluate(
    name: &str,
    folder: &Folder,
    options: &Options,
    registry: &Registry,
    watch: Watch<'_>,
) -> Result<Report, UnknownTask> {
    let known: Vec<&'static str> = TASKS.iter().map(|t| t.name).collect();
    if let Some(name) = options.tasks.iter().find(|t| !known.contains(&t.as_str())) {
        return Err(UnknownTask { name: name.clone(), known });
    }
    let context = Context { folder, options, registry };
    let (mut sections, mut judged) = (Vec::new(), BTreeSet::new());
    for entry in TASKS.iter().filter(|entry| options.wants_task(entry.name)) {
        if let Some(done) = (entry.run)(&context, watch) {
            sections.push(done.section);
            judged.extend(done.files);
        }
    }
    // With a filter, what is left over is what the user did not ask for.
    let filtered = !(options.records.is_empty() && options.tasks.is_empty());
    let left_out = if filtered { Vec::new() } else { left_out(folder, &judged) };
    Ok(Report { folder: name.to_owned(), sections, left_out })
}

/// Files that look like recordings or references and that no task took.
fn left_out(folder: &Folder, judged: &BTreeSet<PathBuf>) -> Vec<LeftOut> {
    let mut by_reason: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut of_records: BTreeSet<&PathBuf> = BTreeSet::new();
    for record in &folder.records {
        of_records.extend(record.annotations.iter().chain(&record.data).chain([&record.header]));
        if judged.contains(&record.header) {
            continue;
        }
        let reason = match &record.head {
            Err(problem) => format!("the header cannot be used: {problem}"),
            Ok(head) if head.signals.is_empty() && !record.annotations.is_empty() => {
                "beats without a waveform, and no reference to compare their rhythm with".to_owned()
            }
            Ok(head) if head.signals.is_empty() => "a header without signals".to_owned(),
            Ok(_) if record.annotations.is_empty() => "signals without reference annotations beside them".to_owned(),
            Ok(_) => match Reference::read(folder, record) {
                Ok(_) => "beats beside signals of another kind".to_owned(),
                Err(problem) => format!("its annotations cannot be used: {problem}"),
            },
        };
        by_reason.entry(reason).or_default().push(record.header.clone());
    }
    // What lies in several tables is one recording: its monitor's numbers, notes about it.
    let parts: BTreeSet<&str> = folder.tables.iter().filter(|t| judged.contains(&t.path)).map(stem).collect();
    of_records.extend(folder.tables.iter().filter(|t| parts.contains(stem(t))).map(|t| &t.path));
    for file in folder.files.iter().filter(|f| !judged.contains(*f) && !of_records.contains(f)) {
        let reason = match extension(file).as_str() {
            "edf" | "bdf" => "an EDF file: its annotations are not read",
            "dat" | "mat" => "signals without a header",
            "csv" | "tsv" | "txt" | "gz" | "json" | "npy" => "no reference is known for it",
            _ => continue,
        };
        by_reason.entry(reason.to_owned()).or_default().push(file.clone());
    }
    by_reason.into_iter().map(|(reason, files)| LeftOut { reason, files }).collect()
}
