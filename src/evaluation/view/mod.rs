//! A report as text, JSON and HTML.

mod chart;
mod html;
mod json;
mod scale;
mod strip;
mod text;

pub use html::html;
pub use json::json;
pub use text::text;

use super::report::{Cell, Figure, Measure};

/// A number as people read it; a dash where there is none.
fn number(value: f64, measure: &Measure) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    // Relative differences span many powers of ten.
    if measure.unit == "rel." {
        return if value == 0.0 { "0".to_owned() } else { format!("{value:.1e}") };
    }
    let text = format!("{value:.*}", measure.digits);
    let is_zero = text.chars().all(|c| "-0.".contains(c));
    if is_zero { text.trim_start_matches('-').to_owned() } else { text }
}

fn cell(cell: &Cell, measure: &Measure) -> String {
    match cell {
        Cell::Number(value) => number(*value, measure),
        Cell::Text(text) => text.clone(),
    }
}

/// A figure with its unit.
fn figure(figure: &Figure) -> String {
    let number = number(figure.value, &figure.measure);
    match figure.measure.unit {
        "" | "rel." => number,
        _ if !figure.value.is_finite() => number,
        unit => format!("{number}\u{a0}{unit}"),
    }
}

/// A column's heading with its unit.
fn heading(measure: &Measure) -> String {
    match measure.unit {
        "" | "rel." => measure.title.to_owned(),
        unit => format!("{} [{unit}]", measure.title),
    }
}

/// Rows of records that a reader is shown without asking.
const MOST_ROWS: usize = 60;

/// The first few names, and how many more there are.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
