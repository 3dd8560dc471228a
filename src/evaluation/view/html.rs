//! The report as one page that needs nothing else: no script, no fonts, no network.

use std::fmt::Write;

use super::super::report::{Cell, Kind, Report, Section, Table};
use super::chart::chart;
use super::strip::strip;
use super::{MOST_ROWS, cell, figure, heading, some_of};

const STYLE: &str = include_str!("report.css");

/// The report as a page.
pub fn html(report: &Report) -> String {
    let folder = escaped(&report.folder);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Accuracy on {folder}</title><style>{STYLE}</style></head><body>\n\
         <header><h1>Accuracy on {folder}</h1><p>Streaming detectors and metrics of Afferent {} against the references in \
         the folder.</p></header>\n<main>\n",
        env!("CARGO_PKG_VERSION")
    );
    summary(&mut out, report);
    report.sections.iter().for_each(|s| section(&mut out, s));
    left_out(&mut out, report);
    out.push_str("</main></body></html>\n");
    out
}

/// Text as the content of an element or attribute.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

fn summary(out: &mut String, report: &Report) {
    if report.sections.is_empty() {
        out.push_str("<p>Nothing in this folder has a reference to compare with.</p>");
        return;
    }
    out.push_str("<section class=\"summary\">");
    for section in &report.sections {
        let _ = write!(
            out,
            "<article><h2><a href=\"#{}\">{}</a></h2><p class=\"count\">{} of {} records</p><dl>",
            section.name,
            escaped(section.title),
            section.judged,
            section.judged + section.failed.len()
        );
        for one in &section.findings.summary {
            let _ = write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(one.measure.title), escaped(&figure(one)));
        }
        out.push_str("</dl></article>");
    }
    out.push_str("</section>\n");
}

fn section(out: &mut String, section: &Section) {
    let algorithms: Vec<String> = section.algorithms.iter().map(|a| format!("{} {}", a.id, a.version)).collect();
    let _ = write!(
        out,
        "<section id=\"{}\"><h2>{}</h2><p>{}</p><p class=\"algorithms\">Algorithms: {}</p>",
        section.name,
        escaped(section.title),
        escaped(section.about),
        escaped(&algorithms.join(", "))
    );
    for note in &section.findings.notes {
        let _ = write!(out, "<p>{}</p>", escaped(note));
    }
    if !section.findings.charts.is_empty() {
        let charts: String = section.findings.charts.iter().map(chart).collect();
        let _ = write!(out, "<div class=\"charts\">{charts}</div>");
    }
    section.findings.tables.iter().for_each(|t| table(out, t));
    if !section.failed.is_empty() {
        out.push_str("<h3>Not judged</h3><ul>");
        for failure in &section.failed {
            let _ = write!(out, "<li><b>{}</b>: {}</li>", escaped(&failure.record), escaped(&failure.reason));
        }
        out.push_str("</ul>");
    }
    if !section.findings.strips.is_empty() {
        out.push_str(
            "<h3>Stretches with most errors</h3><p class=\"legend\"><span><b class=\"key reference\">▼</b>reference</span>\
             <span><b class=\"key detected\">▲</b>detected</span><span><b class=\"key wrong\">▼</b>missed</span>\
             <span><b class=\"key wrong\">▲</b>extra</span></p>",
        );
        section.findings.strips.iter().for_each(|s| out.push_str(&strip(s)));
    }
    out.push_str("</section>\n");
}

fn table(out: &mut String, table: &Table) {
    let is_long = table.rows.len() > MOST_ROWS;
    let (open, close) = if is_long { ("<details><summary>all rows</summary>", "</details>") } else { ("", "") };
    let title = escaped(&table.title);
    let _ = write!(out, "<h3>{title}</h3>{open}<div class=\"wide\"><table><thead><tr><th>{}</th>", table.of);
    let is_text = |column: usize| table.rows.iter().all(|r| matches!(r.cells.get(column), Some(Cell::Text(_))));
    let classes: Vec<&str> =
        (0..table.columns.len()).map(|c| if is_text(c) { " class=\"text\"" } else { "" }).collect();
    for (measure, class) in table.columns.iter().zip(&classes) {
        let _ = write!(out, "<th{class}>{}</th>", escaped(&heading(measure)));
    }
    out.push_str("</tr></thead><tbody>");
    for row in &table.rows {
        let class = if row.kind == Kind::Record { "" } else { " class=\"over\"" };
        let _ = write!(out, "<tr{class}><th>{}</th>", escaped(&row.name));
        for ((value, measure), class) in row.cells.iter().zip(&table.columns).zip(&classes) {
            let _ = write!(out, "<td{class}>{}</td>", escaped(&cell(value, measure)));
        }
        out.push_str("</tr>");
    }
    let _ = writeln!(out, "</tbody></table></div>{close}");
}

fn left_out(out: &mut String, report: &Report) {
    if report.left_out.is_empty() {
        return;
    }
    out.push_str("<section><h2>Not evaluated</h2><ul>");
    for group in &report.left_out {
        let names: Vec<String> = group.files.iter().map(|f| f.to_string_lossy().into_owned()).collect();
        let _ = write!(out, "<li>{}: {}</li>", escaped(&group.reason), escaped(&some_of(&names)));
    }
    out.push_str("</ul></section>\n");
}
