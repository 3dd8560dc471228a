//! What lies in a folder: WFDB records, tables, and everything else, by relative path.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::{Path, PathBuf};

use crate::recording::wfdb::{self, Annotation, Head};
use crate::recording::{self, Recording, RecordingError};
use crate::registry::Registry;

/// Folders within folders that are looked into: enough for any data set.
const DEEPEST: usize = 16;

/// Lines that may stand before a table's first row.
const MOST_COMMENTS: usize = 100;

/// Extensions of files beside a header that hold no annotations.
const NO_ANNOTATIONS: [&str; 16] =
    ["hea", "dat", "mat", "csv", "txt", "gz", "json", "edf", "xws", "md", "html", "png", "pdf", "svg", "npy", "zip"];

/// Annotators in the order in which they are asked: reference annotations, audited beats, beats of a machine.
const ANNOTATORS: [&str; 6] = ["atr", "ecg", "qrsc", "ann", "man", "qrs"];

/// A folder, searched.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// Every file below it, by relative path, in order.
    pub files: Vec<PathBuf>,
    /// WFDB records, in order of their names.
    pub records: Vec<Record>,
    /// Tables of numbers or words, in order of their names.
    pub tables: Vec<Sheet>,
}

/// The files of one WFDB record.
#[derive(Debug)]
pub struct Record {
    /// Relative path without extension.
    pub name: String,
    /// Its header.
    pub header: PathBuf,
    /// What the header says, or why it cannot be read.
    pub head: Result<Head, String>,
    /// Annotation files, the most trustworthy first.
    pub annotations: Vec<PathBuf>,
    /// Signal files beside the header.
    pub data: Vec<PathBuf>,
}

/// A text file with rows of cells.
#[derive(Debug)]
pub struct Sheet {
    /// Relative path without extensions.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// The cells of its first row, without quotation marks.
    pub first: Vec<String>,
    /// From the time in its second row to that in the third, where there are such: its first column's step.
    pub step: Option<f64>,
}

impl Folder {
    /// Searches a folder and the folders in it. Hidden files are left out.
    ///
    /// # Errors
    /// The folder itself cannot be read.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        let mut files = Vec::new();
        std::fs::read_dir(root)?;
        collect(root, Path::new(""), DEEPEST, &mut BTreeSet::new(), &mut files);
        files.sort();
        let mut by_stem: BTreeMap<PathBuf, Vec<&PathBuf>> = BTreeMap::new();
        for file in &files {
            by_stem.entry(file.with_extension("")).or_default().push(file);
        }
        let records = by_stem.iter().filter_map(|(stem, beside)| record(root, stem, beside)).collect();
        let tables = files.iter().filter_map(|f| sheet(root, f)).collect();
        Ok(Self { root: root.to_owned(), files, records, tables })
    }

    /// Where a relative path lies.
    pub fn path(&self, file: &Path) -> PathBuf {
        self.root.join(file)
    }

    /// The text of a file, decompressed.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn text(&self, file: &Path) -> Result<String, String> {
        recording::text(&self.path(file)).map_err(|e| reason(&e))
    }

    /// The signals of a record.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn recording(&self, file: &Path, registry: &Registry) -> Result<Recording, String> {
        Recording::open(&self.path(file), None, registry).map_err(|e| reason(&e))
    }

    /// The annotations of a file.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn annotations(&self, file: &Path) -> Result<Vec<Annotation>, String> {
        wfdb::annotations(&self.path(file)).map_err(|e| reason(&e))
    }

    /// A table beside `sheet` whose name differs in its ending: `_Signals` and `_Breaths`.
    pub fn sibling(&self, sheet: &Sheet, ending: &str, other: &str) -> Option<&Sheet> {
        let name = format!("{}{other}", sheet.name.strip_suffix(ending)?);
        self.tables.iter().find(|table| table.name == name)
    }
}

/// The record of the files that share a name, if one of them is a header.
fn record(root: &Path, stem: &Path, beside: &[&PathBuf]) -> Option<Record> {
    let header = (*beside.iter().find(|f| extension(f) == "hea")?).clone();
    let head = wfdb::head(&root.join(&header)).map_err(|e| reason(&e));
    let others = beside.iter().copied().filter(|f| **f != header).cloned();
    let (data, mut annotations): (Vec<PathBuf>, Vec<PathBuf>) =
        others.partition(|f| NO_ANNOTATIONS.contains(&extension(f).as_str()));
    annotations.sort_by_key(|f| ANNOTATORS.iter().position(|a| *a == extension(f)).unwrap_or(ANNOTATORS.len()));
    Some(Record { name: stem.to_string_lossy().into_owned(), header, head, annotations, data })
}

fn sheet(root: &Path, file: &Path) -> Option<Sheet> {
    let path = file.to_string_lossy();
    let plain = path.strip_suffix(".gz").unwrap_or(&path);
    let name = ["csv", "tsv", "txt"].iter().find_map(|e| plain.strip_suffix(&format!(".{e}")))?;
    let lines = recording::reader(&root.join(file)).ok()?.lines().map_while(Result::ok);
    let is_row = |line: &String| !line.trim().is_empty() && !line.starts_with('#');
    let mut rows = lines.take(MOST_COMMENTS).filter(is_row);
    let row = rows.next()?;
    let cells = |row: &str| -> Vec<String> {
        row.split([',', ';', '\t']).map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let first = cells(row.trim_start_matches('\u{feff}'));
    let mut times = rows.map(|row| cells(&row).first().and_then(|cell| cell.parse::<f64>().ok()));
    let step = times.next().flatten().zip(times.next().flatten()).map(|(a, b)| b - a);
    Some(Sheet { name: name.to_owned(), path: file.to_owned(), first, step })
}

impl Sheet {
    /// Place of the first column whose name, in small letters, is as asked.
    pub fn column(&self, is: impl Fn(&str) -> bool) -> Option<usize> {
        self.first.iter().position(|cell| is(&cell.to_lowercase()))
    }

    /// Whether the first row is numbers already.
    pub fn is_headless(&self) -> bool {
        self.first.iter().all(|cell| cell.parse::<f64>().is_ok())
    }
}

/// The extension in small letters.
pub(super) fn extension(file: &Path) -> String {
    file.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

fn collect(root: &Path, folder: &Path, deepest: usize, seen: &mut BTreeSet<PathBuf>, files: &mut Vec<PathBuf>) {
    // A link to a folder that was searched already leads nowhere new.
    if !std::fs::canonicalize(root.join(folder)).is_ok_and(|real| seen.insert(real)) {
        return;
    }
    let Ok(entries) = std::fs::read_dir(root.join(folder)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let path = folder.join(&name);
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        match std::fs::metadata(root.join(&path)) {
            Ok(about) if about.is_dir() && deepest > 0 => collect(root, &path, deepest - 1, seen, files),
            Ok(about) if about.is_file() => files.push(path),
            _ => {}
        }
    }
}

/// An error with its causes, and without the folder the user named already.
pub(super) fn reason(error: &RecordingError) -> String {
    let mut text = match error {
        RecordingError::Read { path, .. } => format!("{} cannot be read", file_name(path)),
        RecordingError::Malformed { path, line, problem } => format!("{}, line {line}: {problem}", file_name(path)),
        RecordingError::Unsupported { path, what } => format!("{}: {what} is not supported", file_name(path)),
        RecordingError::Truncated { path, expected, found } => {
            format!("{} holds {found} of the {expected} samples its header states", file_name(path))
        }
        RecordingError::Channel { .. } | RecordingError::Nothing(_) => error.to_string(),
    };
    if let RecordingError::Read { source, .. } = error {
        text = format!("{text}: {source}");
    }
    text
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}
