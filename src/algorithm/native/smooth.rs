//! Smoothed scalars: the newest level of the window, and how many readings it rests on.

use super::{Computed, WindowView};
use crate::signal::AbsentReason;

pub(super) fn temperature(window: &WindowView<'_>) -> Vec<Computed> {
    level("body-temperature-smoothed", window)
}

pub(super) fn tissue_oxygen(window: &WindowView<'_>) -> Vec<Computed> {
    level("tissue-oxygen-smoothed", window)
}

pub(super) fn tissue_oxygen_pressure(window: &WindowView<'_>) -> Vec<Computed> {
    level("tissue-oxygen-pressure-smoothed", window)
}

fn level(signal: &'static str, window: &WindowView<'_>) -> Vec<Computed> {
    let counted: Vec<f64> = window.verdicts.iter().filter(|v| v.holds).map(|v| v.value).collect();
    let share = counted.len() as f64 / window.verdicts.len().max(1) as f64;
    let newest = counted.last().copied();
    vec![Computed::quantity(signal, newest, AbsentReason::Error, window.quality.times(share))]
}
