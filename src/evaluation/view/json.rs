//! The report for programs.

use serde_json::{Map, Value, json};

use super::super::report::{Cell, Figure, Kind, Measure, Report, Row, Section, Table};

/// Version of the shape below; a new number where a reader of the old one would stumble.
const FORMAT_VERSION: u32 = 1;

/// The report as JSON. Numbers are in the unit their column states, unrounded; where there is none, it is `null`.
///
/// ```json
/// { "format_version": 1, "afferent": "0.1.0", "folder": "mitdb",
///   "tasks": [ { "name": "r-peaks", "title": "R peaks", "about": "…", "judged": 24,
///       "algorithms": [ { "id": "…", "version": "1.0.0" } ],
///       "summary":    [ { "key": "f1", "title": "F1", "unit": "%", "value": 99.87 } ],
///       "notes":      [ "…" ],
///       "tables":     [ { "name": "whole", "title": "Whole record",
///                         "columns": [ { "key": "f1", "title": "F1", "unit": "%" } ],
///                         "rows":    [ { "name": "101", "over": "record", "values": { "f1": 99.9 } } ] } ],
///       "failed":     [ { "record": "102", "reason": "…" } ] } ],
///   "not_evaluated": [ { "reason": "…", "files": [ "…" ] } ] }
/// ```
/// `over` is `record`, `gross` (all counts of all records together) or `average`.
pub fn json(report: &Report) -> Value {
    let left_out = report.left_out.iter().map(|group| json!({ "reason": group.reason, "files": group.files }));
    json!({
        "format_version": FORMAT_VERSION,
        "afferent": env!("CARGO_PKG_VERSION"),
        "folder": report.folder,
        "tasks": report.sections.iter().map(section).collect::<Vec<_>>(),
        "not_evaluated": left_out.collect::<Vec<_>>(),
    })
}

fn section(section: &Section) -> Value {
    let algorithms = section.algorithms.iter().map(|a| json!({ "id": a.id, "version": a.version }));
    let failed = section.failed.iter().map(|f| json!({ "record": f.record, "reason": f.reason }));
    json!({
        "name": section.name,
        "title": section.title,
        "about": section.about,
        "judged": section.judged,
        "algorithms": algorithms.collect::<Vec<_>>(),
        "summary": section.findings.summary.iter().map(figure).collect::<Vec<_>>(),
        "notes": section.findings.notes,
        "tables": section.findings.tables.iter().map(table).collect::<Vec<_>>(),
        "failed": failed.collect::<Vec<_>>(),
    })
}

fn figure(figure: &Figure) -> Value {
    let Measure { key, title, unit, .. } = figure.measure;
    json!({ "key": key, "title": title, "unit": unit, "value": number(figure.value) })
}

fn table(table: &Table) -> Value {
    let columns = table.columns.iter().map(|m| json!({ "key": m.key, "title": m.title, "unit": m.unit }));
    json!({
        "name": table.name,
        "title": table.title,
        "columns": columns.collect::<Vec<_>>(),
        "rows": table.rows.iter().map(|r| row(r, &table.columns)).collect::<Vec<_>>(),
    })
}

fn row(row: &Row, columns: &[Measure]) -> Value {
    let over = match row.kind {
        Kind::Record => "record",
        Kind::Gross => "gross",
        Kind::Average => "average",
    };
    let values: Map<String, Value> =
        columns.iter().zip(&row.cells).map(|(measure, cell)| (measure.key.to_owned(), self::cell(cell))).collect();
    json!({ "name": row.name, "over": over, "values": values })
}

fn cell(cell: &Cell) -> Value {
    match cell {
        Cell::Number(value) => number(*value),
        Cell::Text(text) if text.is_empty() => Value::Null,
        Cell::Text(text) => json!(text),
    }
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
}
