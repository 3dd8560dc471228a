//! The report for a terminal.

use super::super::report::{Cell, Kind, LeftOut, Report, Section, Table};
use super::{cell, figure, heading, some_of};

/// The report as text: a summary, then the tables of each task.
pub fn text(report: &Report) -> String {
    let mut out = format!("Accuracy on {}\n\n", report.folder);
    for section in &report.sections {
        out.push_str(&format!("{} ({} {})\n", section.title, section.judged, records(section.judged)));
        let width = section.findings.summary.iter().map(|f| f.measure.title.chars().count()).max().unwrap_or(0);
        for one in &section.findings.summary {
            out.push_str(&format!(
                "  {}  {}\n",
                pad(one.measure.title, width, true),
                figure(one).replace('\u{a0}', " ")
            ));
        }
        if !section.failed.is_empty() {
            out.push_str(&format!("  {} {} not be judged\n", section.failed.len(), could(section.failed.len())));
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
    out.push_str(&format!("Algorithms: {}\n", algorithms.join(", ")));
    section.findings.notes.iter().for_each(|note| out.push_str(&wrapped(note, 100)));
    for table in &section.findings.tables {
        out.push_str(&format!("\n{}\n{}", table.title, self::table(table)));
    }
    for failure in &section.failed {
        out.push_str(&format!("not judged: {}: {}\n", failure.record, failure.reason));
    }
    out
}

/// Columns side by side, numbers to the right.
fn table(table: &Table) -> String {
    let mut lines = vec![std::iter::once(table.of.to_owned()).chain(table.columns.iter().map(heading)).collect()];
    for row in &table.rows {
        let cells = row.cells.iter().zip(&table.columns).map(|(c, measure)| cell(c, measure));
        lines.push(std::iter::once(row.name.clone()).chain(cells).collect::<Vec<String>>());
    }
    let count = table.columns.len() + 1;
    let width =
        |column: usize| lines.iter().filter_map(|l| l.get(column)).map(|c| c.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let is_text = |column: usize| {
        column == 0
            || table
                .rows
                .iter()
                .all(|r| matches!(column.checked_sub(1).and_then(|c| r.cells.get(c)), Some(Cell::Text(_))))
    };
    let left: Vec<bool> = (0..count).map(is_text).collect();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (count - 1));
    let mut out = String::new();
    let mut records = true;
    for (index, line) in lines.iter().enumerate() {
        let over_all = index.checked_sub(1).and_then(|i| table.rows.get(i)).is_some_and(|r| r.kind != Kind::Record);
        if index == 1 || (over_all && std::mem::take(&mut records)) && index > 1 {
            out.push_str(&rule);
            out.push('\n');
        }
        let cells: Vec<String> =
            line.iter().zip(widths.iter().zip(&left)).map(|(text, (width, left))| pad(text, *width, *left)).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
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
        out.push_str(&format!("{}: {}\n", group.reason, some_of(&names)));
    }
    out
}
