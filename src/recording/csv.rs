//! CSV: a header row with `time` or `timestamp` and one column per channel, its unit in brackets: `II [mV]`.
//!
//! `time` counts seconds (or `time [ms]`) from the start or is an RFC 3339 text; `timestamp` counts from 1970. The rows
//! must be regular: what a table leaves out cannot be guessed. Empty cells and `nan` are missing samples.

use std::path::Path;
use std::sync::Arc;

use super::{Channel, Recording, RecordingError, Source, left_out, text};
use crate::registry::Registry;
use crate::time::{Instant, MICROS};

/// Numbers of seconds above this are counted from 1970: nobody records for thirty years.
const EPOCH_SECONDS: f64 = 1e9;

struct Column {
    name: String,
    unit: Option<String>,
}

/// One column's values; NaN where missing.
struct Values(Arc<Vec<f64>>);

impl Source for Values {
    fn value(&self, index: u64) -> Option<f64> {
        usize::try_from(index).ok().and_then(|i| self.0.get(i)).copied().filter(|v| !v.is_nan())
    }
}

pub(super) fn open(path: &Path, rate_hz: Option<f64>, registry: &Registry) -> Result<Recording, RecordingError> {
    let text = text(path)?;
    let malformed = |line: usize, problem: String| RecordingError::Malformed { path: path.to_owned(), line, problem };
    let mut rows = text
        .lines()
        .enumerate()
        .map(|(i, row)| (i + 1, row.trim()))
        .filter(|(_, row)| !row.is_empty() && !row.starts_with('#'));
    let (header_line, header) = rows.next().ok_or_else(|| malformed(1, "the table is empty".to_owned()))?;
    let separator = if header.contains('\t') {
        '\t'
    } else if header.contains(';') {
        ';'
    } else {
        ','
    };
    let columns: Vec<Column> = header.split(separator).map(column).collect();
    if columns.iter().any(|c| c.name.is_empty() || c.name.parse::<f64>().is_ok()) {
        return Err(malformed(header_line, "needs a header row that names every column".to_owned()));
    }
    let time_column =
        columns.iter().position(|c| c.name.eq_ignore_ascii_case("time") || c.name.eq_ignore_ascii_case("timestamp"));
    let mut times: Vec<f64> = Vec::new();
    let mut values: Vec<Vec<f64>> = columns.iter().map(|_| Vec::new()).collect();
    let mut last_line = header_line;
    for (line, row) in rows {
        last_line = line;
        let mut cells = 0;
        for (index, cell) in row.split(separator).map(unquoted).enumerate() {
            cells += 1;
            let (Some(column), Some(into)) = (columns.get(index), values.get_mut(index)) else {
                return Err(malformed(line, format!("has more cells than the {} of the header", columns.len())));
            };
            if Some(index) == time_column {
                times.push(
                    seconds(cell, column).map_err(|problem| malformed(line, format!("{}: {problem}", column.name)))?,
                );
            } else {
                into.push(number(cell).map_err(|problem| malformed(line, format!("{}: {problem}", column.name)))?);
            }
        }
        if cells != columns.len() {
            return Err(malformed(line, format!("has {cells} cells, the header has {}", columns.len())));
        }
    }
    let rate_hz = match (rate_hz, time_column) {
        (Some(rate), _) => rate,
        (None, Some(_)) => regular_rate(&times).map_err(|(row, problem)| malformed(header_line + 1 + row, problem))?,
        (None, None) => {
            return Err(malformed(header_line, "has no time column, so its sampling rate must be given".to_owned()));
        }
    };
    let start = times.first().filter(|t| **t >= EPOCH_SECONDS).map(|t| Instant((t * MICROS as f64).round() as i64));
    let channels: Vec<Channel> = columns
        .iter()
        .zip(values)
        .enumerate()
        .filter(|(index, _)| Some(*index) != time_column)
        .map(|(_, (column, values))| {
            let samples = values.len() as u64;
            let source = Box::new(Values(Arc::new(values)));
            Channel::new(&column.name, column.unit.as_deref(), rate_hz, samples, source, registry)
        })
        .collect();
    if channels.iter().all(|c| c.samples == 0) {
        return Err(malformed(last_line, "has no rows after the header".to_owned()));
    }
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let name = name.split_once('.').map_or("table", |(stem, _)| stem).to_owned();
    Ok(Recording { name, model: "wfdb-recording", start, notices: left_out(&channels), channels })
}

/// `II [mV]` or `II (mV)`.
fn column(cell: &str) -> Column {
    let cell = unquoted(cell);
    for (open, close) in [('[', ']'), ('(', ')')] {
        if let Some((name, rest)) = cell.split_once(open)
            && let Some(unit) = rest.trim().strip_suffix(close)
        {
            return Column {
                name: name.trim().to_owned(),
                unit: Some(unit.trim().to_owned()).filter(|u| !u.is_empty()),
            };
        }
    }
    Column { name: cell.to_owned(), unit: None }
}

fn unquoted(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')).unwrap_or(cell)
}

fn number(cell: &str) -> Result<f64, String> {
    if cell.is_empty() || cell.eq_ignore_ascii_case("nan") || cell == "-" {
        return Ok(f64::NAN);
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{cell:?} is not a finite number")),
    }
}

fn seconds(cell: &str, column: &Column) -> Result<f64, String> {
    if let Ok(instant) = Instant::parse(cell) {
        return Ok(instant.0 as f64 / MICROS as f64);
    }
    let value = number(cell)?;
    let in_milliseconds = match column.unit.as_deref() {
        None => value >= EPOCH_SECONDS * 1000.0,
        Some("s") => false,
        Some("ms") => true,
        Some(unit) => return Err(format!("unit {unit} is neither s nor ms")),
    };
    let value = if in_milliseconds { value / 1000.0 } else { value };
    if value.is_nan() { Err("is missing".to_owned()) } else { Ok(value) }
}

/// The rate of evenly spaced times, or the row that is out of step.
fn regular_rate(times: &[f64]) -> Result<f64, (usize, String)> {
    let (Some(first), Some(last)) = (times.first(), times.last()) else {
        return Err((0, "the time column is empty".to_owned()));
    };
    let period = (last - first) / (times.len().saturating_sub(1)) as f64;
    if !(period.is_finite() && period > 0.0) {
        return Err((0, "times do not advance, so the sampling rate must be given".to_owned()));
    }
    let rate = 1.0 / period;
    let rate = if (rate - rate.round()).abs() < rate * 1e-4 { rate.round() } else { rate };
    // Times are printed with few digits, so they and their steps are off by up to half a step and more; where a row is
    // missing, the step is a double one.
    let mut before = *first;
    for (row, time) in times.iter().enumerate() {
        let step = (time - before) * rate;
        let off = (time - first) * rate - row as f64;
        if !(0.0..=1.75).contains(&step) || off.abs() > 0.75 {
            let problem = "the time is out of step with a regular sampling rate; give the rate to override";
            return Err((row, problem.to_owned()));
        }
        before = *time;
    }
    Ok(rate)
}
