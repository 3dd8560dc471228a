//! The tasks, one file each.

mod camera;
mod detect;
mod fibrillation;
mod figures;
mod hrv;
mod pulses;
mod r_peaks;
mod respiration;
mod strips;
mod versions;

use super::task::Entry;

/// Every task, in the order of the report.
pub(super) static TASKS: &[Entry] = &[
    Entry::of::<r_peaks::RPeaks>(),
    Entry::of::<fibrillation::Fibrillation>(),
    Entry::of::<strips::Strips>(),
    Entry::of::<pulses::Pulses>(),
    Entry::of::<camera::Camera>(),
    Entry::of::<respiration::Respiration>(),
    Entry::of::<hrv::Hrv>(),
];
