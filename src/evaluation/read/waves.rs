//! Recordings of a pulse wave with other signals beside it, in WFDB or in tables, and what was annotated in them.

use std::path::PathBuf;

use super::super::folder::{Folder, Record, Sheet};
use super::super::task::Context;
use super::columns::Columns;
use super::ecg::Lead;
use crate::recording::{Channel, Recording};

/// From one sample of a waveform to the next, at most.
const LONGEST_STEP_S: f64 = 0.2;

/// Where a recording lies.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::evaluation) struct Place {
    /// Its name.
    pub(in crate::evaluation) name: String,
    /// The header or the table with its signals.
    pub(in crate::evaluation) signals: PathBuf,
    /// Where its breaths are annotated, if they are.
    pub(in crate::evaluation) breaths: Option<PathBuf>,
}

/// A recording, read.
#[derive(Debug, Default)]
pub(in crate::evaluation) struct Waves {
    /// The first pulse wave.
    pub(in crate::evaluation) ppg: Option<Lead>,
    /// Every ECG lead.
    pub(in crate::evaluation) ecg: Vec<Lead>,
    /// The first respiration channel: impedance or belt.
    pub(in crate::evaluation) respiration: Option<Lead>,
}

/// Recordings that have a channel of each of these signals.
pub(in crate::evaluation) fn places(context: &Context<'_>, signals: &[&str]) -> Vec<Place> {
    let folder = context.folder;
    let records = folder.records.iter().filter(|r| has(record_names(r), signals)).map(|record| Place {
        name: record.name.clone(),
        signals: record.header.clone(),
        breaths: record.annotations.iter().find(|f| f.extension().is_some_and(|e| e == "breath")).cloned(),
    });
    let tables =
        folder.tables.iter().filter(|s| is_waveform(s)).filter(|s| has(s.first.clone(), signals)).map(|sheet| Place {
            name: stem(sheet).to_owned(),
            signals: sheet.path.clone(),
            breaths: beside(folder, sheet, is_breaths).map(|s| s.path.clone()),
        });
    let mut all: Vec<Place> = records.chain(tables).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

/// The name of a recording that is spread over several tables: `bidmc_01` of `bidmc_01_Signals`.
pub(in crate::evaluation) fn stem(sheet: &Sheet) -> &str {
    sheet.name.rsplit_once('_').map_or(&sheet.name, |(stem, _)| stem)
}

/// Another table of the same recording.
pub(in crate::evaluation) fn beside<'a>(
    folder: &'a Folder,
    sheet: &Sheet,
    is: impl Fn(&Sheet) -> bool,
) -> Option<&'a Sheet> {
    folder.tables.iter().find(|other| stem(other) == stem(sheet) && other.path != sheet.path && is(other))
}

/// Whether a table has times close enough for a waveform: a monitor's numbers come once a second.
fn is_waveform(sheet: &Sheet) -> bool {
    let name = sheet.first.first().map(|cell| cell.to_lowercase()).unwrap_or_default();
    let second = if name.contains("[ms]") { 1000.0 } else { 1.0 };
    name.starts_with("time") && sheet.step.is_some_and(|step| step > 0.0 && step <= LONGEST_STEP_S * second)
}

fn is_breaths(sheet: &Sheet) -> bool {
    sheet.first.iter().all(|cell| cell.to_lowercase().starts_with("breath"))
}

fn record_names(record: &Record) -> Vec<String> {
    record.head.iter().flat_map(|head| head.signals.iter().map(|(name, _)| name.clone())).collect()
}

fn has(names: Vec<String>, signals: &[&str]) -> bool {
    signals.iter().all(|signal| names.iter().any(|name| crate::recording::likely(name) == Some(signal)))
}

impl Waves {
    /// Reads a recording.
    ///
    /// # Errors
    /// It cannot be read.
    pub(in crate::evaluation) fn read(context: &Context<'_>, place: &Place) -> Result<Self, String> {
        let recording: Recording = context.folder.recording(&place.signals, context.registry)?;
        let of = |code: &'static str| {
            recording.channels.iter().filter(move |c: &&Channel| c.likely() == Some(code)).map(Lead::of)
        };
        Ok(Self { ppg: of("ppg").next(), ecg: of("ecg").collect(), respiration: of("respiration").next() })
    }
}

/// Breaths in seconds, a list an annotator.
///
/// # Errors
/// They cannot be read, or there are none.
pub(in crate::evaluation) fn breaths(
    context: &Context<'_>,
    place: &Place,
    rate_hz: f64,
) -> Result<Vec<Vec<f64>>, String> {
    let file = place.breaths.as_ref().ok_or("no breaths are annotated")?;
    let lists = match context.folder.tables.iter().find(|s| s.path == *file) {
        Some(sheet) => from_table(&Columns::read(context.folder, sheet)?, rate_hz),
        None => from_annotations(context, place, file)?,
    };
    if lists.iter().all(Vec::is_empty) { Err("no breaths are annotated".to_owned()) } else { Ok(lists) }
}

/// Columns of sample numbers, or of seconds where the heading says so.
fn from_table(columns: &Columns, rate_hz: f64) -> Vec<Vec<f64>> {
    let list = |(column, name): (usize, &String)| {
        let per_second = if name.contains("[s]") { 1.0 } else { rate_hz };
        columns.present(column).into_iter().map(|at| at / per_second).collect()
    };
    columns.names.iter().enumerate().map(list).collect()
}

/// Notes, told apart by their text.
fn from_annotations(context: &Context<'_>, place: &Place, file: &std::path::Path) -> Result<Vec<Vec<f64>>, String> {
    let record = context.folder.records.iter().find(|r| r.header == place.signals).ok_or("has no header")?;
    let rate_hz = record.head.as_ref().map_err(Clone::clone)?.rate_hz;
    let mut lists: std::collections::BTreeMap<String, Vec<f64>> = std::collections::BTreeMap::new();
    for annotation in context.folder.annotations(file)? {
        lists.entry(annotation.text).or_default().push(annotation.sample as f64 / rate_hz);
    }
    Ok(lists.into_values().collect())
}
