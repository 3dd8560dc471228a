//! The report for a terminal.

use std::fmt::Write;

use super::super::report::{Cell, Kind, LeftOut, Report, Row, Section, Table};
use super::{MOST_ROWS, cell, figure, heading, some_of};

/// The report as text: a summary, then the tables of each task.
pub fn text(report: &Report) -> String {
    let mut out = format!("Accuracy on {}\n\n", report.folder);
    for section in &report.sections {
        let _ = writeln!(out, "{} ({} {})", section.title, section.judged, records(section.judged));
        let width = section.findings.summary.iter().map(|f| f.measure.title.chars().count()).max().unwrap_or(0);
        for one in &section.findings.summary {
            let _ = writeln!(out, "  {}  {}", pad(one.measure.title, width, true), figure(one).replace('\u{a0}', " "));
        }
        if !section.failed.is_empty() {
            let _ = writeln!(out, "  {} {} not be judged", section.failed.len(), could(section.failed.len()));
        }
    }
    report.sections.iter().for_each(|s| out.push_str(&self::section(s)));
    out.push_str(&left_out(&report.left_out));
    out
}

fn records(count: usize) -> &'static str {
    if count == 1 { "record" } else { "records" }
}

fn could(count: usize) -> &'static str {
    if count == 1 { "record could" } else { "records could" }
}

fn section(section: &Section) -> String {
    let mut out = format!("\n{}\n{}\n", section.title, "=".repeat(section.title.chars().count()));
    out.push_str(&wrapped(section.about, 100));
    let algorithms: Vec<String> = section.algorithms.iter().map(|a| format!("{} {}", a.id, a.version)).collect();
    let _ = writeln!(out, "Algorithms: {}", algorithms.join(", "));
    section.findings.notes.iter().for_each(|note| out.push_str(&wrapped(note, 100)));
    for table in &section.findings.tables {
        let _ = write!(out, "\n{}\n{}", table.title, self::table(table));
    }
    for failure in &section.failed {
        let _ = writeln!(out, "not judged: {}: {}", failure.record, failure.reason);
    }
    out
}

/// Columns side by side, numbers to the right; of many records the first ones.
fn table(table: &Table) -> String {
    let (records, over): (Vec<&Row>, Vec<&Row>) = table.rows.iter().partition(|row| row.kind == Kind::Record);
    let shown: Vec<&Row> = records.iter().take(MOST_ROWS).chain(&over).copied().collect();
    let mut lines: Vec<Vec<String>> =
        vec![std::iter::once(table.of.to_owned()).chain(table.columns.iter().map(heading)).collect()];
    for row in &shown {
        let cells = row.cells.iter().zip(&table.columns).map(|(c, measure)| cell(c, measure));
        lines.push(std::iter::once(row.name.clone()).chain(cells).collect::<Vec<String>>());
    }
    let is_text = |column: usize| shown.iter().all(|row| matches!(row.cells.get(column), Some(Cell::Text(_))));
    let left: Vec<bool> = std::iter::once(true).chain((0..table.columns.len()).map(is_text)).collect();
    let width =
        |column: usize| lines.iter().filter_map(|l| l.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..left.len()).map(width).collect();
    let lines = lines.iter().map(|line| {
        let cells = line.iter().zip(widths.iter().zip(&left)).map(|(text, (width, left))| pad(text, *width, *left));
        cells.collect::<Vec<String>>().join("  ").trim_end().to_owned() + "\n"
    });
    let mut lines: Vec<String> = lines.collect();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)) + "\n";
    // From below, so that the places above stay what they are.
    if !over.is_empty() {
        lines.insert(lines.len() - over.len(), rule.clone());
    }
    if let Some(hidden) = records.len().checked_sub(MOST_ROWS).filter(|hidden| *hidden > 0) {
        lines.insert(1 + MOST_ROWS, format!("… and {hidden} more: --format json or html tells all\n"));
    }
    lines.insert(1, rule);
    lines.concat()
}

fn pad(text: &str, width: usize, left: bool) -> String {
    let space = " ".repeat(width.saturating_sub(text.chars().count()));
    if left { format!("{text}{space}") } else { format!("{space}{text}") }
}

fn wrapped(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count() + 1;
        if length + more > width && length > 0 {
            out.push('\n');
            length = 0;
        }
        if length > 0 {
            out.push(' ');
        }
        out.push_str(word);
        length += more;
    }
    out.push('\n');
    out
}

fn left_out(left_out: &[LeftOut]) -> String {
    let mut out = String::new();
    if !left_out.is_empty() {
        out.push_str("\nNot evaluated\n=============\n");
    }
    for group in left_out {
        let names: Vec<String> = group.files.iter().map(|f| f.to_string_lossy().into_owned()).collect();
        let _ = writeln!(out, "{}: {}", group.reason, some_of(&names));
    }
    out
}
