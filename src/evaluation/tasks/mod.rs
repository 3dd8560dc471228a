//! The tasks, one file each.

mod r_peaks;

use super::task::Entry;

/// Every task, in the order of the report.
pub(super) static TASKS: &[Entry] = &[Entry::of::<r_peaks::RPeaks>()];
