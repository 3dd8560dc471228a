//! The tasks, one file each.

mod alerts;
mod camera;
mod camera_saturation;
mod detect;
mod fibrillation;
mod figures;
mod hrv;
mod noise;
mod noise_stress;
mod noisy_excerpts;
mod pulses;
mod r_peaks;
mod respiration;
mod strips;

use super::task::Entry;

/// Every task, in the order of the report.
pub(super) static TASKS: &[Entry] = &[
    Entry::of::<r_peaks::RPeaks>(),
    Entry::of::<noise_stress::NoiseStress>(),
    Entry::of::<noisy_excerpts::NoisyExcerpts>(),
    Entry::of::<fibrillation::Fibrillation>(),
    Entry::of::<alerts::Alerts>(),
    Entry::of::<strips::Strips>(),
    Entry::of::<pulses::Pulses>(),
    Entry::of::<camera::Camera>(),
    Entry::of::<camera_saturation::CameraSaturationTask>(),
    Entry::of::<respiration::Respiration>(),
    Entry::of::<hrv::Hrv>(),
];
