//! Columns of numbers out of a table.

use super::super::folder::{Folder, Sheet};

/// The named columns of a table; a cell that is no number is NaN.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::evaluation) struct Columns {
    /// Names as written, empty for a table without a header.
    pub(in crate::evaluation) names: Vec<String>,
    /// The values, a list a column, all of one length.
    pub(in crate::evaluation) values: Vec<Vec<f64>>,
}

impl Columns {
    /// Reads all columns of a table.
    ///
    /// # Errors
    /// It cannot be read, or has no rows of numbers.
    pub(in crate::evaluation) fn read(folder: &Folder, sheet: &Sheet) -> Result<Self, String> {
        let text = folder.text(&sheet.path)?;
        let is_row = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let names = if sheet.is_headless() { Vec::new() } else { sheet.first.clone() };
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); sheet.first.len()];
        for line in text.lines().filter(is_row).skip(usize::from(!names.is_empty())) {
            let mut cells = line.split([',', ';', '\t']);
            for column in &mut values {
                let cell = cells.next().unwrap_or_default().trim().trim_matches('"');
                column.push(cell.parse().unwrap_or(f64::NAN));
            }
        }
        match values.first() {
            Some(first) if !first.is_empty() => Ok(Self { names, values }),
            _ => Err("the table has no rows".to_owned()),
        }
    }

    /// The column whose name, in small letters, is as asked.
    pub(in crate::evaluation) fn find(&self, is: impl Fn(&str) -> bool) -> Option<&[f64]> {
        let at = self.names.iter().position(|name| is(&name.to_lowercase()))?;
        self.values.get(at).map(Vec::as_slice)
    }

    /// Numbers of a column that has fewer rows than the table: what is no number is left out.
    pub(in crate::evaluation) fn present(&self, column: usize) -> Vec<f64> {
        self.values.get(column).map(|v| v.iter().copied().filter(|v| !v.is_nan()).collect()).unwrap_or_default()
    }

    /// Rows a second of a table whose first column is the time in seconds.
    ///
    /// # Errors
    /// The times do not advance.
    pub(in crate::evaluation) fn rate_hz(&self) -> Result<f64, String> {
        let times = self.present(0);
        let (Some(first), Some(last)) = (times.first(), times.last()) else { return Err("has no times".to_owned()) };
        let rate = (times.len() - 1) as f64 / (last - first);
        if !(rate.is_finite() && rate > 0.0) {
            return Err("its times do not advance".to_owned());
        }
        Ok(if (rate - rate.round()).abs() < 1e-3 * rate { rate.round() } else { rate })
    }
}

/// Linear interpolation of (`time_s`, `values`) onto an even grid of `rate_hz` from the first time on.
pub(in crate::evaluation) fn evenly(time_s: &[f64], values: &[f64], rate_hz: f64) -> Vec<f32> {
    let (Some(first), Some(last)) = (time_s.first(), time_s.last()) else { return Vec::new() };
    let count = ((last - first) * rate_hz) as usize;
    let mut piece = 0;
    let at = |i: usize| (time_s.get(i), values.get(i));
    let value = |i: usize| {
        let t = first + i as f64 / rate_hz;
        while time_s.get(piece + 1).is_some_and(|next| *next <= t) && piece + 2 < time_s.len() {
            piece += 1;
        }
        let ((Some(t0), Some(v0)), (Some(t1), Some(v1))) = (at(piece), at(piece + 1)) else { return f32::NAN };
        let share = ((t - t0) / (t1 - t0)).clamp(0.0, 1.0);
        (v0 + share * (v1 - v0)) as f32
    };
    (0..count).map(value).collect()
}
