//! What a task is: it recognises its cases in a folder, runs each, and tells what came out.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::folder::Folder;
use super::report::{Algorithm, Failure, Findings, Section};
use super::run::{Options, Step};
use crate::registry::Registry;

/// What a task works with.
pub struct Context<'a> {
    /// The folder.
    pub folder: &'a Folder,
    /// What the user asked for.
    pub options: &'a Options,
    /// The signals, by which channels are recognised.
    pub registry: &'a Registry,
}

/// A case a task found: one line of its tables.
pub struct Found<C> {
    /// The record's name.
    pub record: String,
    /// The files it is read from.
    pub files: Vec<PathBuf>,
    /// What the task needs to run it.
    pub case: C,
}

/// A record with what came out of it.
pub struct Judged<O> {
    /// The record's name.
    pub record: String,
    /// What came out.
    pub outcome: O,
}

/// What rows over several records are over: each folder, where there are several, then everything.
pub(super) fn groups<O>(judged: &[Judged<O>]) -> Vec<(String, Vec<&Judged<O>>)> {
    grouped(judged, |j| &j.record)
}

/// As [`groups`], of anything with a record's name.
pub(super) fn grouped<'a, T>(items: &'a [T], record: impl Fn(&'a T) -> &'a str) -> Vec<(String, Vec<&'a T>)> {
    let mut by_folder: BTreeMap<&str, Vec<&T>> = BTreeMap::new();
    for item in items {
        let folder = record(item).rsplit_once('/').map_or(".", |(folder, _)| folder);
        by_folder.entry(folder).or_default().push(item);
    }
    let folders = if by_folder.len() < 2 { BTreeMap::new() } else { by_folder };
    let of_folder = folders.into_iter().map(|(folder, members)| (format!("gross, {folder}"), members));
    of_folder.chain([("gross".to_owned(), items.iter().collect())]).collect()
}

/// One kind of comparison with a reference.
pub trait Task {
    /// What it needs to run one case: paths, and whatever recognising it has read already.
    type Case: Send + Sync;
    /// What running a case gives.
    type Outcome: Send;
    /// Its name: `r-peaks`.
    const NAME: &'static str;
    /// Its heading.
    const TITLE: &'static str;
    /// What is compared with what, and by which standard or paper.
    const ABOUT: &'static str;
    /// The algorithms it judges.
    const ALGORITHMS: &'static [Algorithm];

    /// The cases in a folder, in the order of the tables.
    fn recognise(context: &Context<'_>) -> Vec<Found<Self::Case>>;

    /// Runs one case.
    ///
    /// # Errors
    /// Why it cannot be judged.
    fn run(context: &Context<'_>, case: &Self::Case) -> Result<Self::Outcome, String>;

    /// Puts what came out into figures.
    fn report(judged: &[Judged<Self::Outcome>]) -> Findings;
}

/// A task in the table of tasks.
pub struct Entry {
    /// Its name.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// Runs it; none where the folder has nothing for it.
    pub(super) run: fn(&Context<'_>, Watch<'_>) -> Option<Done>,
}

/// Is told how far an evaluation is.
pub type Watch<'a> = &'a (dyn Fn(Step<'_>) + Sync);

/// A section, and the files behind it.
pub(super) struct Done {
    pub(super) section: Section,
    pub(super) files: Vec<PathBuf>,
}

impl Entry {
    /// The line of a task in the table.
    pub const fn of<T: Task>() -> Self {
        Self { name: T::NAME, title: T::TITLE, run: run::<T> }
    }
}

fn run<T: Task>(context: &Context<'_>, watch: Watch<'_>) -> Option<Done> {
    let mut found = T::recognise(context);
    found.retain(|f| context.options.wants_record(&f.record));
    if found.is_empty() {
        return None;
    }
    watch(Step::Task { title: T::TITLE, cases: found.len() });
    let mut results = in_parallel(&found, |f| {
        let result = guarded(|| T::run(context, &f.case));
        watch(Step::Case { record: &f.record });
        result
    });
    let (mut judged, mut failed, mut files) = (Vec::new(), Vec::new(), Vec::new());
    for (one, result) in found.into_iter().zip(results.drain(..)) {
        files.extend(one.files);
        match result {
            Ok(outcome) => judged.push(Judged { record: one.record, outcome }),
            Err(reason) => failed.push(Failure { record: one.record, reason }),
        }
    }
    let findings = if judged.is_empty() { Findings::default() } else { T::report(&judged) };
    let section = Section {
        name: T::NAME,
        title: T::TITLE,
        about: T::ABOUT,
        algorithms: T::ALGORITHMS.to_vec(),
        judged: judged.len(),
        findings,
        failed,
    };
    Some(Done { section, files })
}

/// A recording on which an algorithm panics is a finding about the algorithm; the others are still judged.
fn guarded<O>(run: impl FnOnce() -> Result<O, String>) -> Result<O, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err("the algorithm panicked on it".to_owned()))
}

/// Runs `job` for every item on all cores; the results stand in the order of the items.
fn in_parallel<I: Sync, R: Send>(items: &[I], job: impl Fn(&I) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut results = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return results };
            results.push((index, job(item)));
        }
    };
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores.min(items.len())).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
