//! Accuracy of the detectors and metrics on recordings that carry a reference: what `afferent evaluate` prints.
//!
//! A [`Folder`] is searched for what the [`tasks`] know how to judge: ECG records with annotated beats, RR series with
//! flagged fibrillation, labelled strips, pulse waves beside an ECG, annotated breaths, tables of canonical HRV values. A
//! dataset is recognised by its content, never by the name of its folder. Each case runs through the same streaming
//! detectors and metrics as a live stream; what comes out is compared with the reference by the rules of the standard or
//! paper that the task names. A record that cannot be read is told with the reason and stops nothing.
//!
//! A new task is one file in `tasks` that implements [`task::Task`], and one line in [`tasks::TASKS`].

mod cpu;
pub mod folder;
mod matching;
mod read;
pub mod report;
mod run;
mod statistics;
pub mod task;
mod tasks;
#[cfg(test)]
mod tests;
mod view;

pub use folder::Folder;
pub use report::Report;
pub use run::{Options, Step, UnknownTask, evaluate};
pub use view::{html, json, text};

/// The tasks there are: name and what it is about.
pub fn task_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    tasks::TASKS.iter().map(|entry| (entry.name, entry.title))
}
