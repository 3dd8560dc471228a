//! What an evaluation found: sections with figures, tables and charts, ready to be written in any format.

use std::path::PathBuf;

/// An evaluation of a folder.
#[derive(Debug)]
pub struct Report {
    /// The folder, as it was named.
    pub folder: String,
    /// One section a task that found something to judge, in the order of the tasks.
    pub sections: Vec<Section>,
    /// Files no task could judge, by the reason.
    pub left_out: Vec<LeftOut>,
}

/// What one task found.
#[derive(Debug)]
pub struct Section {
    /// The task's name: `r-peaks`.
    pub name: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What is compared with what, and by which rules.
    pub about: &'static str,
    /// The algorithms that were judged.
    pub algorithms: Vec<Algorithm>,
    /// Records judged.
    pub judged: usize,
    /// The figures.
    pub findings: Findings,
    /// Records that could not be judged.
    pub failed: Vec<Failure>,
}

/// The figures of a task.
#[derive(Debug, Default)]
pub struct Findings {
    /// The few that matter most.
    pub summary: Vec<Figure>,
    /// All of them.
    pub tables: Vec<Table>,
    /// Pictures of them.
    pub charts: Vec<Chart>,
    /// Stretches of signal with reference and detections.
    pub strips: Vec<Strip>,
    /// What a reader should know about them.
    pub notes: Vec<String>,
}

/// An algorithm that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Algorithm {
    /// What it is: `R peaks`.
    pub id: &'static str,
    /// Its version.
    pub version: &'static str,
}

/// A record that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The record.
    pub record: String,
    /// Why.
    pub reason: String,
}

/// Files that were not judged, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Why.
    pub reason: String,
    /// Which.
    pub files: Vec<PathBuf>,
}

/// What a column or figure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name for programs: `sensitivity`.
    pub key: &'static str,
    /// Its name for people: `Se`.
    pub title: &'static str,
    /// Its unit; empty for counts and shares of one.
    pub unit: &'static str,
    /// Digits after the point, for people.
    pub digits: usize,
}

/// A measure with its value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// What it is.
    pub measure: Measure,
    /// How much; NaN where there is none.
    pub value: f64,
}

/// A table: one row a record, then the rows over all of them.
#[derive(Debug)]
pub struct Table {
    /// Its name for programs.
    pub name: &'static str,
    /// Its heading.
    pub title: String,
    /// What its rows are: `record`.
    pub of: &'static str,
    /// What stands in its columns.
    pub columns: Vec<Measure>,
    /// Its rows.
    pub rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug)]
pub struct Row {
    /// The record, or what the row is over.
    pub name: String,
    /// What the row is over.
    pub kind: Kind,
    /// A cell a column.
    pub cells: Vec<Cell>,
}

/// What a row is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One record.
    Record,
    /// All counts of all records together.
    Gross,
    /// The mean or median of the records' figures.
    Average,
}

/// A cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number; NaN where there is none.
    Number(f64),
    /// A word.
    Text(String),
}

/// A picture of figures on two axes.
#[derive(Debug, Default)]
pub struct Chart {
    /// Its heading.
    pub title: String,
    /// What the axes show, with unit.
    pub x: String,
    /// See [`Self::x`].
    pub y: String,
    /// What is drawn, in this order.
    pub marks: Vec<Mark>,
    /// Bounds of the axes; those of the marks where left out.
    pub bounds: Option<[(f64, f64); 2]>,
}

/// One thing drawn in a chart.
#[derive(Debug)]
pub enum Mark {
    /// A line through points.
    Line {
        /// Its name in the legend.
        name: String,
        /// Its points.
        points: Vec<(f64, f64)>,
    },
    /// Separate points.
    Dots {
        /// Their name in the legend.
        name: String,
        /// The points.
        points: Vec<(f64, f64)>,
    },
    /// Bars that stand beside each other: left edges with heights.
    Bars {
        /// Left edge and height of each.
        bars: Vec<(f64, f64)>,
        /// Width of each.
        width: f64,
    },
    /// A level line with what it stands for.
    Level {
        /// Where on the y axis.
        at: f64,
        /// What it stands for.
        name: String,
    },
    /// A thin line for comparison.
    Guide {
        /// Its ends.
        points: Vec<(f64, f64)>,
    },
}

/// A stretch of signal with the reference's marks and the detector's.
#[derive(Debug, Clone)]
pub struct Strip {
    /// Record, lead and what is wrong.
    pub title: String,
    /// Unit of the samples.
    pub unit: String,
    /// Seconds since the record's start of the first sample.
    pub from_s: f64,
    /// Samples a second.
    pub rate_hz: f64,
    /// The samples; NaN where missing.
    pub samples: Vec<f32>,
    /// Reference marks in seconds since the record's start, and whether they were found.
    pub reference: Vec<(f64, bool)>,
    /// Detections, and whether the reference has them.
    pub detected: Vec<(f64, bool)>,
}

/// A measure; the digits are what people are shown.
pub const fn measure(key: &'static str, title: &'static str, unit: &'static str, digits: usize) -> Measure {
    Measure { key, title, unit, digits }
}

impl Measure {
    /// This much of it.
    pub fn of(self, value: f64) -> Figure {
        Figure { measure: self, value }
    }
}

impl Table {
    /// A table without rows.
    pub fn new(name: &'static str, title: impl Into<String>, columns: &[Measure]) -> Self {
        Self { name, title: title.into(), of: "record", columns: columns.to_vec(), rows: Vec::new() }
    }

    /// With rows of something else than records.
    #[must_use]
    pub fn of(mut self, what: &'static str) -> Self {
        self.of = what;
        self
    }

    /// Adds a row; it has a cell for every column.
    pub fn push<const N: usize>(&mut self, kind: Kind, name: impl Into<String>, cells: [Cell; N]) {
        debug_assert_eq!(N, self.columns.len(), "table {}", self.name);
        self.rows.push(Row { name: name.into(), kind, cells: cells.into() });
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Number(value as f64)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Number(value as f64)
    }
}

impl From<Option<f64>> for Cell {
    fn from(value: Option<f64>) -> Self {
        Self::Number(value.unwrap_or(f64::NAN))
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl Chart {
    /// A chart without marks.
    pub fn new(title: impl Into<String>, x: impl Into<String>, y: impl Into<String>) -> Self {
        Self { title: title.into(), x: x.into(), y: y.into(), ..Self::default() }
    }

    /// With a mark more.
    #[must_use]
    pub fn with(mut self, mark: Mark) -> Self {
        self.marks.push(mark);
        self
    }

    /// With axes from here to there.
    #[must_use]
    pub fn within(mut self, x: (f64, f64), y: (f64, f64)) -> Self {
        self.bounds = Some([x, y]);
        self
    }
}
